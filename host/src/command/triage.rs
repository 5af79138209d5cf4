//! `wardflow triage`: what became of a finding.

use datafusion::{arrow::util::display::array_value_to_string, common::ScalarValue, prelude::SessionContext};
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
    print::{Look, Printer},
};

/// Takes down what is said of a finding.
///
/// # Errors
/// Nothing is said, there is no such finding, or the lake cannot be read or written.
pub(super) async fn run(config: &Config, args: Triage, printer: &Printer) -> Result<Outcome> {
    let Triage { finding: finding_id, status, disposition, assignee, note } = args;
    if [&status, &disposition, &assignee, &note].into_iter().all(Option::is_none) {
        return Err(Error::usage("nothing is said of the finding")
            .remedy("give one of --status, --disposition, --assignee and --note"));
    }
    let (workspace, context) = connect::workspace_and_context(config, None, printer).await?;
    let title = title(&context, &finding_id).await?;
    let remark = Remark { finding_id, time: Timestamp::now(), status, disposition, assignee, note };
    workspace.lake.remark(Table::Triage, std::slice::from_ref(&remark)).await?;
    match printer.json {
        true => printer.object(&remark)?,
        false => printer.line(Look::Good, &format!("Noted of {:?}.", title))?,
    }
    Ok(Outcome::Done)
}

/// A finding, which may be one that an exception hides.
const TITLE: &str = "
SELECT title || ' of ' || device_id FROM findings WHERE finding_id = $1
UNION ALL SELECT title || ' of ' || device_id FROM excepted_findings WHERE finding_id = $1";

/// The title of a finding.
async fn title(context: &SessionContext, id: &str) -> Result<String> {
    let doing = || "looking for the finding".to_owned();
    let asked = context.sql(TITLE).await.context(doing)?.with_param_values(vec![ScalarValue::from(id)]);
    let rows = asked.context(doing)?.collect().await.context(doing)?;
    let found = rows.iter().find(|batch| batch.num_rows() > 0);
    let title = found.map(|batch| array_value_to_string(batch.column(0), 0)).transpose().context(doing)?;
    title.ok_or_else(|| {
        Error::usage(format!("no finding has the id {id:?}"))
            .remedy("wardflow sql 'SELECT finding_id, device_id, title FROM findings'")
    })
}
