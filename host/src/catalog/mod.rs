//! The catalog: what SQL sees of a workspace.
//!
//! `flows`, `device_flows`, `devices`, `address_bindings`, `rejects` are of the archive and the inventory; `findings`,
//! `observations`, `coverage`, `runs`, `learning` of the lake, only what counts; `plugins` of the plugin directory. The lake's raw
//! tables are in the schema `lake`.

mod evidence;
mod files;
mod functions;
mod inventory;
mod learning;
mod plugins;
mod replay;
mod views;

use std::{path::PathBuf, sync::Arc};

use datafusion::{
    catalog::{MemorySchemaProvider, SchemaProvider, TableProvider},
    datasource::MemTable,
    prelude::{SessionConfig, SessionContext},
};

pub use files::FlowFiles;

use crate::{
    archive,
    error::{Context, Result},
    workspace::Workspace,
};

/// A session over a workspace, as it is now. Compiled plugins are kept in `cache`.
///
/// # Errors
/// The archive or the lake cannot be read.
pub async fn context(
    workspace: &Arc<Workspace>,
    cache: Option<PathBuf>,
    config: SessionConfig,
) -> Result<SessionContext> {
    let context = SessionContext::new_with_config(config.with_information_schema(true));
    register(workspace, cache, &context).await?;
    Ok(context)
}

async fn register(workspace: &Arc<Workspace>, cache: Option<PathBuf>, context: &SessionContext) -> Result<()> {
    let add = |name: &str, table: Arc<dyn TableProvider>| {
        context.register_table(name, table).map(drop).context(|| format!("registering the table {name}"))
    };
    context.register_object_store(workspace.archive.store_url(), Arc::clone(workspace.archive.store()));
    functions::register(context, workspace);
    add("flows", Arc::new(FlowFiles::new(&workspace.archive, workspace.listing.files.clone())?))?;
    add("rejects", rejects(workspace).await?)?;
    add("devices", inventory::devices(workspace)?)?;
    add("address_bindings", inventory::address_bindings(workspace)?)?;
    add("plugins", plugins::table(workspace)?)?;
    add("learning", Arc::new(learning::table(workspace)?))?;
    let lake = Arc::new(MemorySchemaProvider::new());
    for (table, provider) in workspace.lake.all_tables().await? {
        lake.register_table(table.name().to_owned(), provider)
            .context(|| format!("registering the table lake.{}", table.name()))?;
    }
    let catalog = context.catalog("datafusion").context_none("the session has no catalog")?;
    catalog.register_schema("lake", lake).context(|| "registering the schema lake".to_owned())?;
    views::register(context).await?;
    evidence::register(context).await?;
    replay::register(context, workspace, cache);
    Ok(())
}

async fn rejects(workspace: &Workspace) -> Result<Arc<dyn TableProvider>> {
    let schema = archive::rejects::schema();
    let files = workspace.archive.reject_files().await?;
    if files.is_empty() {
        let empty = MemTable::try_new(schema, vec![vec![]]).context(|| "the table rejects".to_owned())?;
        return Ok(Arc::new(empty));
    }
    Ok(Arc::new(FlowFiles::of(&workspace.archive, schema, files)?))
}

/// Turns what is not there into an error.
trait OrError<T> {
    fn context_none(self, message: &str) -> Result<T>;
}

impl<T> OrError<T> for Option<T> {
    fn context_none(self, message: &str) -> Result<T> {
        self.ok_or_else(|| crate::error::Error::failed(message))
    }
}
