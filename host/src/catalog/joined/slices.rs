//! Whole slices that a condition on times leaves.

use datafusion::{
    logical_expr::{BinaryExpr, Expr, Operator, col, lit},
    scalar::ScalarValue,
};

/// The slices in which flows that meet a condition may end, as a condition on `end_time`; absent if that may be any. A flow
/// ends no earlier than it starts.
pub(super) fn that_meet(condition: &Expr, slice_length: i64) -> Option<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    let (column, op, literal) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), literal) => (column.name.as_str(), *op, literal),
        (literal, Expr::Column(column)) => (column.name.as_str(), op.swap()?, literal),
        _ => return None,
    };
    let Expr::Literal(ScalarValue::TimestampMicrosecond(Some(time), _), _) = literal else { return None };
    let start_of = |time: i64| time.div_euclid(slice_length).saturating_mul(slice_length);
    let from = |time: i64| col("end_time").gt_eq(at(start_of(time)));
    let to = |time: i64| col("end_time").lt(at(start_of(time).saturating_add(slice_length)));
    match (column, op) {
        ("end_time", Operator::Eq) => Some(from(*time).and(to(*time))),
        ("end_time", Operator::Lt) => Some(to(time.saturating_sub(1))),
        ("end_time", Operator::LtEq) => Some(to(*time)),
        ("end_time" | "start_time", Operator::Gt) => Some(from(time.saturating_add(1))),
        ("end_time" | "start_time", Operator::GtEq) | ("start_time", Operator::Eq) => Some(from(*time)),
        _ => None,
    }
}

fn at(time: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(time), Some("UTC".into())))
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{Expr, col, lit};

    use super::{at, that_meet};

    const LENGTH: i64 = 100;

    #[track_caller]
    fn check(condition: &Expr, expected: Option<(Option<i64>, Option<i64>)>) {
        let bounds = expected.map(|(from, to)| {
            let from = from.map(|from| col("end_time").gt_eq(at(from)));
            let to = to.map(|to| col("end_time").lt(at(to)));
            from.into_iter().chain(to).reduce(Expr::and).unwrap()
        });
        assert_eq!(that_meet(condition, LENGTH), bounds, "{condition}");
    }

    #[test]
    fn conditions_on_times_leave_whole_slices() {
        let (start, end) = (col("start_time"), col("end_time"));
        check(&end.clone().gt_eq(at(250)), Some((Some(200), None)));
        check(&end.clone().gt_eq(at(200)), Some((Some(200), None)));
        check(&end.clone().gt(at(199)), Some((Some(200), None)));
        check(&at(250).lt(end.clone()), Some((Some(200), None)));
        check(&end.clone().lt(at(250)), Some((None, Some(300))));
        check(&end.clone().lt(at(300)), Some((None, Some(300))));
        check(&end.clone().lt_eq(at(300)), Some((None, Some(400))));
        check(&end.clone().eq(at(-1)), Some((Some(-100), Some(0))));
        check(&start.clone().gt_eq(at(250)), Some((Some(200), None)));
        check(&start.clone().eq(at(250)), Some((Some(200), None)));
        // What began before may end at any time.
        check(&start.lt(at(250)), None);
        check(&end.clone().not_eq(at(250)), None);
        check(&end.lt(col("start_time")), None);
        check(&col("src_port").gt(lit(250)), None);
    }
}
