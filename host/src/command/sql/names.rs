//! The names that a query can use.

use std::{collections::BTreeMap, sync::Arc};

use datafusion::{
    arrow::datatypes::{DataType, SchemaRef},
    prelude::SessionContext,
};

/// Tables with their columns, and functions.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    tables: BTreeMap<String, SchemaRef>,
    functions: Vec<String>,
}

impl Names {
    /// Gathers the names of a context. A table that cannot be opened is left out.
    pub(super) async fn load(context: &SessionContext) -> Self {
        let mut names = Self::default();
        for catalog in context.catalog_names().iter().filter_map(|name| context.catalog(name)) {
            let schemas = catalog.schema_names().into_iter().filter(|name| name != "information_schema");
            for schema in schemas.filter_map(|name| catalog.schema(&name)) {
                for table in schema.table_names() {
                    if let Ok(Some(provider)) = schema.table(&table).await {
                        names.tables.insert(table, Arc::clone(&provider.schema()));
                    }
                }
            }
        }
        let state = context.state();
        names.functions.extend(state.table_functions().keys().cloned());
        names.functions.extend(state.scalar_functions().keys().cloned());
        names.functions.extend(state.aggregate_functions().keys().cloned());
        names.functions.sort_unstable();
        names.functions.dedup();
        names
    }

    /// Names of the tables, in order.
    pub(super) fn tables(&self) -> Vec<&str> {
        self.tables.keys().map(String::as_str).collect()
    }

    /// The columns of a table.
    pub(super) fn columns(&self, table: &str) -> Option<&SchemaRef> {
        self.tables.get(table)
    }

    /// Names of the columns of all tables.
    pub(super) fn all_columns(&self) -> impl Iterator<Item = &str> {
        self.tables.values().flat_map(|schema| schema.fields()).map(|field| field.name().as_str())
    }

    /// Names of the functions, in order.
    pub(super) fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(String::as_str)
    }
}

/// A type in words.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Timestamp(_, Some(zone)) => format!("time ({zone})"),
        DataType::Timestamp(_, None) => "time".to_owned(),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            format!("list of {}", type_name(item.data_type()))
        }
        DataType::Struct(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|field| format!("{} {}", field.name(), type_name(field.data_type()))).collect();
            format!("struct ({})", fields.join(", "))
        }
        DataType::Dictionary(_, values) => type_name(values),
        other => other.to_string().to_lowercase(),
    }
}
