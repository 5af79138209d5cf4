//! `wardflow except`: findings that are not to be shown for a while.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use jiff::Timestamp;
use serde::Serialize;
use wardflow::{
    catalog::{Reach, check_exception},
    config::Config,
    error::{Error, Result},
    exception::{self, Exception},
    lake::Table,
    workspace::Workspace,
};

use super::{Outcome, connect, sql};
use crate::{
    args::{AddException, Except},
    print::{Look, Printer, count, counted},
};

/// The exceptions, and how many findings each hides now.
const LIST: &str = "
SELECT e.exception_id, e.status, e.predicate, e.owner, e.reason, e.expires, count(f.finding_id) AS hides, e.problem
FROM exceptions AS e LEFT JOIN excepted_findings AS f ON e.exception_id = f.exception_id
GROUP BY e.exception_id, e.status, e.predicate, e.owner, e.reason, e.expires, e.time, e.problem ORDER BY e.time";

/// Findings from which it matters that an exception hides most of all.
const MANY: u64 = 10;

/// An exception, after what was done.
#[derive(Debug, Serialize)]
struct Report<'a> {
    exception_id: &'a str,
    status: &'static str,
    hides: u64,
}

/// Makes, lists or revokes exceptions.
///
/// # Errors
/// The condition is none, or the lake cannot be read or written.
pub(super) async fn run(config: &Config, args: Except, printer: &Printer) -> Result<Outcome> {
    let (workspace, context) = connect::workspace_and_context(config, None, printer).await?;
    match args {
        Except::Add(add) => self::add(&workspace, &context, add, printer).await?,
        Except::Revoke { id } => revoke(&workspace, &id, printer).await?,
        Except::List => printer.batches(&sql::query(&context, LIST).await?)?,
    }
    Ok(Outcome::Done)
}

async fn add(
    workspace: &Arc<Workspace>,
    context: &SessionContext,
    args: AddException,
    printer: &Printer,
) -> Result<()> {
    let now = Timestamp::now();
    if args.until <= now {
        return Err(Error::usage(format!("--until {} is past", args.until)).remedy("give a time to come"));
    }
    let Reach { hides, of } = check_exception(context, &args.condition).await?;
    let exception = Exception::new(args.condition, args.owner, args.reason, args.until);
    save(workspace, &exception, hides, printer).await?;
    if printer.json {
        return Ok(());
    }
    let hidden =
        if hides > 0 { format!("{} of {}", count(hides), counted(of, "finding")) } else { counted(0, "finding") };
    let (id, until) = (exception.exception_id, exception.expires);
    printer.line(Look::Good, &format!("Exception {id} hides {hidden} of now, and those to come, until {until}."))?;
    if hides >= MANY && hides * 2 > of {
        printer.warn("it hides more than half of what was found: is that meant?");
    }
    printer.note(&match hides {
        0 => format!("If that is not what was meant: `wardflow except revoke {id}` takes it back."),
        _ => format!("They are in excepted_findings; `wardflow except revoke {id}` shows them again."),
    });
    Ok(())
}

async fn revoke(workspace: &Workspace, id: &str, printer: &Printer) -> Result<()> {
    let known = exception::current(workspace.lake.remarks(Table::Exceptions).await?);
    let Some(exception) = known.into_iter().find(|exception| exception.exception_id == id) else {
        return Err(Error::usage(format!("no exception has the id {id:?}")).remedy("`wardflow except list` lists them"));
    };
    if exception.is_revoked {
        return Err(Error::usage(format!("the exception {id} was revoked before, and hides nothing"))
            .remedy("`wardflow except list` lists them all"));
    }
    save(workspace, &Exception { time: Timestamp::now(), is_revoked: true, ..exception }, 0, printer).await?;
    if printer.json {
        return Ok(());
    }
    printer.line(Look::Good, &format!("Exception {id} is revoked: what it hid is shown again."))
}

/// Takes an exception down, and tells machines of it.
async fn save(workspace: &Workspace, exception: &Exception, hides: u64, printer: &Printer) -> Result<()> {
    workspace.lake.remark(Table::Exceptions, std::slice::from_ref(exception)).await?;
    if !printer.json {
        return Ok(());
    }
    let status = exception.status(Timestamp::now());
    printer.object(&Report { exception_id: &exception.exception_id, status, hides })
}
