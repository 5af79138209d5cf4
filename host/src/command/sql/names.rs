//! The names that a query can use.

use std::collections::BTreeMap;

use datafusion::{
    arrow::datatypes::{DataType, SchemaRef},
    prelude::SessionContext,
};

/// Tables with their columns, and functions. A table outside of the default schema is named with its schema.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    tables: BTreeMap<String, SchemaRef>,
    functions: Vec<String>,
}

impl Names {
    /// Gathers the names of a context. A table that cannot be opened is left out.
    pub(super) async fn load(context: &SessionContext) -> Self {
        let mut names = Self::default();
        let state = context.state();
        let default = &state.config_options().catalog.default_schema;
        for catalog in context.catalog_names().iter().filter_map(|name| context.catalog(name)) {
            let schemas = catalog.schema_names().into_iter().filter(|name| name != "information_schema");
            for (name, schema) in schemas.filter_map(|name| catalog.schema(&name).map(|schema| (name, schema))) {
                for table in schema.table_names() {
                    if let Ok(Some(provider)) = schema.table(&table).await {
                        let name = if name == *default { table } else { format!("{name}.{table}") };
                        names.tables.insert(name, provider.schema());
                    }
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::{
        catalog::{MemorySchemaProvider, SchemaProvider},
        prelude::SessionContext,
    };

    use super::{super::tests::context, Names};

    /// Registers the table `findings`, without its last column, in the schema `lake` too.
    async fn with_lake() -> SessionContext {
        let context = context();
        let raw = context.sql("SELECT device_id, severity FROM findings").await.unwrap().into_view();
        let lake = MemorySchemaProvider::new();
        lake.register_table("findings".to_owned(), raw).unwrap();
        context.catalog("datafusion").unwrap().register_schema("lake", Arc::new(lake)).unwrap();
        context
    }

    #[tokio::test]
    async fn tells_tables_of_other_schemas_apart() {
        let names = Names::load(&with_lake().await).await;
        assert_eq!(names.tables(), ["findings", "lake.findings"]);
        let columns = |table| names.columns(table).map(|schema| schema.fields().len());
        assert_eq!((columns("findings"), columns("lake.findings")), (Some(3), Some(2)));
    }
}
