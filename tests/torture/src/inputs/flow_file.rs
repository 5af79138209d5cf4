//! Flow files of the archive, listed and read.

use std::{path::Path, sync::Arc};

use datafusion::{
    catalog::TableProvider,
    prelude::{SessionConfig, SessionContext, col, lit},
};
use wardflow::{archive::Archive, catalog::FlowFiles};

use crate::Result;

/// Lists what is in a case's archive, reads all of it, and says what became of it.
///
/// # Errors
/// The archive cannot be opened.
pub(super) async fn scanned(place: &Path) -> Result<String> {
    let archive = Archive::open("in", place)?;
    let Ok(listing) = archive.list().await else { return Ok("refused when it was listed".to_owned()) };
    if listing.files.is_empty() {
        return Ok("refused by its footer".to_owned());
    }
    let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    session.register_object_store(archive.store_url(), Arc::clone(archive.store()));
    let flows = FlowFiles::new(&archive, listing.files)?;
    let flows: Arc<dyn TableProvider> = Arc::new(flows);
    // With a condition, statistics and the page index are looked at too.
    let some = session.read_table(Arc::clone(&flows))?.filter(col("src_ip").eq(lit("10.0.0.1")))?.collect().await;
    let rows = session.read_table(flows)?.collect().await.and(some);
    Ok(if rows.is_ok() { "read" } else { "refused while it was read" }.to_owned())
}
