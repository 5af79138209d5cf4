//! Which types can become which of a flow's columns.

use arrow::datatypes::DataType;

use super::{Expression, Misfit};
use crate::flow::{self, FlowColumn, FlowType};

/// Checks that values of a type can become a canonical column's.
pub(super) fn accept(column: &FlowColumn, expression: &Expression, given: &DataType) -> Result<(), Misfit> {
    let plain = match given {
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    let is_address = matches!(column.name, "src_ip" | "dst_ip" | "src_mac" | "dst_mac");
    let fits = match column.data_type {
        _ if plain.is_null() => !flow::REQUIRED.contains(&column.name),
        FlowType::Time => {
            plain.is_string()
                || plain.is_temporal()
                    && !matches!(
                        plain,
                        DataType::Duration(_) | DataType::Interval(_) | DataType::Time32(_) | DataType::Time64(_)
                    )
        }
        FlowType::Text => plain.is_string() || plain.is_integer() && !is_address,
        FlowType::U8 | FlowType::U16 | FlowType::U32 | FlowType::U64 => plain.is_string() || plain.is_numeric(),
    };
    if fits {
        return Ok(());
    }
    let Expression { sql, .. } = expression;
    let mut misfit = Misfit::of(expression, format!("`{}` is {given}; it must be {}", column.name, kind(column)));
    if column.data_type == FlowType::Time && plain.is_numeric() {
        misfit.remedy = Some(format!(
            "say what the number counts since 1970: to_timestamp_seconds({sql}), to_timestamp_millis({sql}), \
             to_timestamp_micros({sql}) or to_timestamp_nanos({sql})"
        ));
    }
    Err(misfit)
}

/// What the values of a column are, for a message.
pub(crate) fn kind(column: &FlowColumn) -> &'static str {
    match (column.data_type, column.name) {
        (FlowType::Time, _) => "a time",
        (FlowType::Text, "src_ip" | "dst_ip") => "an IP address",
        (FlowType::Text, "src_mac" | "dst_mac") => "a MAC address",
        (FlowType::Text, _) => "text",
        (FlowType::U8, _) => "a whole number from 0 to 255",
        (FlowType::U16, _) => "a whole number from 0 to 65535",
        (FlowType::U32, _) => "a whole number from 0 to 4294967295",
        (FlowType::U64, _) => "a whole number of 64 bits",
    }
}
