//! The catalog: what SQL sees of a workspace.
//!
//! `flows`, `device_flows`, `open_flows`, `devices`, `address_bindings`, `rejects` and what sources tell beside flows (`leases`,
//! `sensor_reports`, `ids_events`, `host_facts`) are of the archive and the inventory; `findings`,
//! `observations`, `coverage`, `runs`, `baselines` of the lake, only what counts; `plugins` of the plugin directory. The lake's raw
//! tables are in the schema `lake`.

mod baselines;
mod checked_files;
mod condition;
mod doubles;
mod evidence;
mod exceptions;
mod files;
mod functions;
mod inventory;
mod joined;
mod lake_tables;
mod many_files;
mod mapped;
mod named_files;
mod per_slice;
mod plugins;
mod replay;
mod routers;
mod sensors;
mod slice_flows;
mod unreadable;
mod views;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::{
    catalog::{MemorySchemaProvider, SchemaProvider, TableProvider},
    execution::runtime_env::RuntimeEnv,
    prelude::{SessionConfig, SessionContext},
};
use object_store::ObjectMeta;

pub use doubles::{Doubles, MarkedFlows, SensorDoubles, SingleFlows, SliceDoubles};
pub use exceptions::{Reach, check as check_exception};
pub use files::FlowFiles;
pub use joined::joined;
pub use mapped::flows;
pub use routers::Routers;
pub use unreadable::{Cause, Unreadable};

use self::lake_tables::LakeTable;
use crate::{
    archive::{self, AsideTable},
    error::{Context, Result},
    flow,
    sandbox::Compiler,
    workspace::Workspace,
};

/// What `device_flows` is made of, and of no other use.
const SINGLE_FLOWS: &str = "single_flows";

/// A session over a workspace, as it is now. Plugins are compiled so.
///
/// # Errors
/// The archive or the lake cannot be read.
pub async fn context(workspace: &Arc<Workspace>, compiler: Compiler, config: SessionConfig) -> Result<SessionContext> {
    context_in(workspace, compiler, config, Arc::default()).await
}

/// The same, with memory and room on disk that queries are to keep to.
///
/// # Errors
/// As those of [`context`].
pub async fn context_in(
    workspace: &Arc<Workspace>,
    compiler: Compiler,
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
) -> Result<SessionContext> {
    let context = SessionContext::new_with_config_rt(config.with_information_schema(true), runtime);
    register(workspace, compiler, &context).await?;
    Ok(context)
}

async fn register(workspace: &Arc<Workspace>, compiler: Compiler, context: &SessionContext) -> Result<()> {
    let add = |name: &str, table: Arc<dyn TableProvider>| {
        context.register_table(name, table).map(drop).context(|| format!("registering the table {name}"))
    };
    context.register_object_store(workspace.archive.store_url(), Arc::clone(workspace.archive.store()));
    functions::register(context, workspace);
    let files = flows(&workspace.archive, workspace.listing.files.clone())?;
    let doubles = Arc::new(Doubles::of(workspace));
    add("flows", Arc::new(MarkedFlows::new(Arc::clone(&files), Arc::clone(&doubles))))?;
    add(SINGLE_FLOWS, single(workspace, files, &doubles))?;
    add("sensor_health", Arc::new(sensors::SensorHealthTable::new(workspace, &doubles)))?;
    add("rejects", beside(workspace, archive::rejects::schema(), workspace.archive.reject_files().await?)?)?;
    for table in AsideTable::ALL {
        let files = workspace.archive.aside_files(table).await?;
        add(table.name(), beside(workspace, table.file_schema(), files)?)?;
    }
    add("devices", inventory::devices(workspace)?)?;
    add("address_bindings", inventory::address_bindings(workspace)?)?;
    add("plugins", plugins::table(workspace)?)?;
    add("baselines", Arc::new(baselines::table(workspace)?))?;
    let lake = Arc::new(MemorySchemaProvider::new());
    for (table, provider) in workspace.lake.all_tables().await {
        lake.register_table(table.name().to_owned(), Arc::new(LakeTable::new(workspace, table, provider)))
            .context(|| format!("registering the table lake.{}", table.name()))?;
    }
    let open = Arc::new(MemorySchemaProvider::new());
    open.register_table(
        "records".to_owned(),
        beside(workspace, flow::schema(), workspace.archive.open_flow_files().await?)?,
    )
    .context(|| "registering the table open.records".to_owned())?;
    let catalog = context.catalog("datafusion").context_none("the session has no catalog")?;
    catalog.register_schema("lake", lake).context(|| "registering the schema lake".to_owned())?;
    catalog.register_schema("open", open).context(|| "registering the schema open".to_owned())?;
    views::register(context).await?;
    exceptions::register(context, &workspace.lake).await?;
    views::register_judged(context).await?;
    context.deregister_table(SINGLE_FLOWS).context(|| format!("putting away the table {SINGLE_FLOWS}"))?;
    evidence::register(context).await?;
    let hidden = views::EVERY_FINDING;
    context.deregister_table(hidden).context(|| format!("putting away the view {hidden}"))?;
    replay::register(context, workspace, compiler);
    Ok(())
}

/// All flows of a workspace as the operator sees them: whole, what several sensors saw once, without the MAC addresses of
/// routers.
///
/// # Errors
/// None that an open archive allows.
pub fn single_flows(workspace: &Workspace) -> Result<Arc<dyn TableProvider>> {
    let files = flows(&workspace.archive, workspace.listing.files.clone())?;
    Ok(single(workspace, files, &Arc::new(Doubles::of(workspace))))
}

fn single(workspace: &Workspace, files: Arc<dyn TableProvider>, doubles: &Arc<Doubles>) -> Arc<dyn TableProvider> {
    let whole = joined(&workspace.archive, files, workspace.config.slice_hours);
    Arc::new(Routers::of(workspace)).left_out_of(Arc::new(SingleFlows::new(whole, Arc::clone(doubles))))
}

/// A table of the archive beside the flows; empty where it has no files.
fn beside(workspace: &Workspace, schema: SchemaRef, files: Vec<ObjectMeta>) -> Result<Arc<dyn TableProvider>> {
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
