//! `wardflow triage`: what became of a finding, or of all of a group.

use arrow::{array::AsArray, compute::cast, datatypes::DataType};
use datafusion::{common::ScalarValue, prelude::SessionContext};
use jiff::Timestamp;
use wardflow::{
    config::Config,
    error::{Context, Error, Result},
    lake::Table,
    triage::Triage as Remark,
};

use super::{Outcome, connect};
use crate::{
    args::Triage,
    print::{Look, Printer, counted},
};

/// Takes down what is said of findings.
///
/// # Errors
/// Nothing is said, there is no such finding or group, or the lake cannot be read or written.
pub(super) async fn run(config: &Config, args: Triage, printer: &Printer) -> Result<Outcome> {
    let Triage { id, status, disposition, assignee, note } = args;
    if [&status, &disposition, &assignee, &note].into_iter().all(Option::is_none) {
        return Err(Error::usage("nothing is said of the finding")
            .remedy("give one of --status, --disposition, --assignee and --note"));
    }
    let (workspace, context) = connect::workspace_and_context(config, None, printer).await?;
    let found = found(&context, &id).await?;
    let Some((_, title)) = found.first() else {
        return Err(Error::usage(format!("no finding and no group has the id {id:?}"))
            .remedy("wardflow sql 'SELECT finding_id, group_id, device_id, title FROM findings'"));
    };
    let time = Timestamp::now();
    let remark = |(finding_id, _): &(String, String)| Remark {
        finding_id: finding_id.clone(),
        time,
        status: status.clone(),
        disposition: disposition.clone(),
        assignee: assignee.clone(),
        note: note.clone(),
    };
    let remarks: Vec<_> = found.iter().map(remark).collect();
    workspace.lake.remark(Table::Triage, &remarks).await?;
    if printer.json {
        remarks.iter().try_for_each(|remark| printer.object(remark))?;
        return Ok(Outcome::Done);
    }
    let others = match found.len() {
        1 => String::new(),
        many => format!(" and {} of its group", counted(many as u64 - 1, "other finding")),
    };
    printer.line(Look::Good, &format!("Noted of {title:?}{others}."))?;
    Ok(Outcome::Done)
}

/// Findings by their id or that of their group, which may be some that an exception hides.
const FOUND: &str = "
WITH every AS (
    SELECT finding_id, group_id, device_id, title FROM findings
    UNION ALL SELECT finding_id, group_id, device_id, title FROM excepted_findings)
SELECT finding_id, title || ' of ' || device_id AS title FROM every
WHERE finding_id = $1 OR group_id = $1 ORDER BY title, finding_id";

/// Ids and titles of the findings that are meant.
async fn found(context: &SessionContext, id: &str) -> Result<Vec<(String, String)>> {
    let doing = || "looking for the finding".to_owned();
    let asked = context.sql(FOUND).await.context(doing)?.with_param_values(vec![ScalarValue::from(id)]);
    let rows = asked.context(doing)?.collect().await.context(doing)?;
    let mut found = Vec::new();
    for batch in rows {
        let text = |column: usize| cast(batch.column(column), &DataType::Utf8).context(doing);
        let (ids, titles) = (text(0)?, text(1)?);
        let (ids, titles) = (ids.as_string::<i32>(), titles.as_string::<i32>());
        found.extend(ids.iter().zip(titles).filter_map(|(id, title)| Some((id?.to_owned(), title?.to_owned()))));
    }
    Ok(found)
}
