/// Moments from `from`, one each `step`, before `until`.
pub fn times(from: i64, until: i64, step: i64) -> impl Iterator<Item = i64> {
    (0..).map(move |n| from + n * step).take_while(move |time| *time < until)
}
