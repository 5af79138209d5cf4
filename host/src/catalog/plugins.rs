//! The table `plugins`: what is in the plugin directory.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, StringArray},
    datatypes::{DataType, Field},
};
use datafusion::datasource::MemTable;

use super::inventory;
use crate::{
    error::Result,
    workspace::{Offered, PinStatus, Workspace},
};

type Column = (&'static str, fn(&Offered) -> Option<String>);

const COLUMNS: [Column; 12] = [
    ("file", |p| {
        let file = p.file.file_name().filter(|_| p.status != PinStatus::Missing)?;
        Some(file.to_string_lossy().into_owned())
    }),
    ("plugin", |p| p.id.clone()),
    ("version", |p| p.version.clone()),
    ("publisher", |p| p.manifest.as_ref().map(|m| m.publisher.clone())),
    ("intended_use", |p| p.manifest.as_ref().map(|m| m.intended_use.clone())),
    ("security_contact", |p| p.manifest.as_ref().map(|m| m.security_contact.clone()).filter(|text| !text.is_empty())),
    ("support_end", |p| p.manifest.as_ref().and_then(|m| m.support_end).map(|date| date.to_string())),
    ("device_classes", |p| p.manifest.as_ref().map(|m| m.scope.device_classes.join(", "))),
    ("columns", |p| p.manifest.as_ref().map(|m| m.columns.iter().map(|c| c.name()).collect::<Vec<_>>().join(", "))),
    ("digest", |p| p.digest.clone()),
    ("status", |p| Some(p.status.name().to_owned())),
    ("reason", |p| p.reason.clone()),
];

/// One row a file of the workspace's plugin directory, and one a plugin that is missing.
pub(super) fn table(workspace: &Workspace) -> Result<Arc<MemTable>> {
    let offered = &workspace.plugins.offered;
    let fields = COLUMNS.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true)).collect();
    let columns =
        COLUMNS.iter().map(|(_, value)| Arc::new(offered.iter().map(value).collect::<StringArray>()) as ArrayRef);
    inventory::table("plugins", fields, columns.collect())
}
