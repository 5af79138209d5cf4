//! A mapping held against the columns of one source: every expression planned, every type checked.

use std::{collections::BTreeSet, fmt, ops::Range, sync::Arc};

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::{
    common::{
        DFSchema, DataFusionError, Result as QueryResult, ScalarValue, SchemaError,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, ExprSchemable, expr::ScalarFunction, simplify::SimplifyContext, try_cast},
    optimizer::simplify_expressions::ExprSimplifier,
    physical_expr::PhysicalExpr,
};

use super::{
    Expression, Mapping, SQL,
    allowed::{Refusal, check_planned},
    kind::accept,
    lenient::lenient,
    told,
};
use crate::{
    flow::{self, FlowColumn},
    nearest::nearest,
};

/// Columns that a message names at most.
const MOST_NAMED: usize = 40;

/// A mapping that fits a source.
#[derive(Clone, Debug)]
pub struct Fit {
    source: SchemaRef,
    /// By position in [`flow::COLUMNS`], as they were written.
    pub(super) columns: Vec<Option<Expr>>,
    pub(super) condition: Option<Expr>,
    /// Whether its records are parts.
    parts: bool,
}

/// What of a mapping does not fit a source: a column that is not there, or a type that cannot become the column's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where the expression stands in the mapping's text.
    pub(super) span: Range<usize>,
    pub(super) rule: String,
    pub(super) remedy: Option<String>,
    /// Whether the source lacks a column, so that another expression may fit.
    is_missing: bool,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rule)?;
        self.remedy.iter().try_for_each(|remedy| write!(f, "; {remedy}"))
    }
}

impl Mapping {
    /// Holds the mapping against a source with these columns.
    ///
    /// # Errors
    /// The first expression that does not fit.
    pub fn fit(&self, source: SchemaRef) -> Result<Fit, Misfit> {
        let whole = 0..0;
        let names = DFSchema::try_from(Arc::clone(&source)).map_err(|error| Misfit::wrong(&whole, &error))?;
        let mut columns = vec![None; flow::COLUMNS.len()];
        for mapped in &self.columns {
            let position = flow::COLUMNS.iter().position(|column| column.name == mapped.column.name);
            let check = |expression: &Expression, data_type: &DataType| accept(mapped.column, expression, data_type);
            let planned = first_that_fits(mapped.column.name, &mapped.expressions, &names, check)?;
            columns[position.unwrap_or_default()] = Some(planned);
        }
        let is_condition = |expression: &Expression, data_type: &DataType| match data_type {
            DataType::Boolean | DataType::Null => Ok(()),
            other => Err(Misfit::of(expression, format!("`where` is {other}; it must be true or false"))),
        };
        let condition = match self.condition.as_slice() {
            [] => None,
            expressions => Some(first_that_fits("where", expressions, &names, is_condition)?),
        };
        Ok(Fit { source, columns, condition, parts: self.source.parts })
    }
}

impl Fit {
    /// The columns of the source.
    pub const fn source(&self) -> &SchemaRef {
        &self.source
    }

    /// Whether a record is of one direction, or of a connection up to some moment, and is joined with others.
    pub const fn has_parts(&self) -> bool {
        self.parts
    }

    /// Of the canonical columns those alone that no flow lacks, and that tell how many sides of it were seen.
    #[must_use]
    pub fn counted(&self) -> Self {
        let kept = |(expression, column): (&Option<Expr>, &FlowColumn)| match column.name {
            name if flow::REQUIRED.contains(&name) => expression.clone(),
            name if flow::SIDES.contains(&name) => {
                Some(try_cast(lenient(expression.clone()?), column.data_type.arrow()))
            }
            _ => None,
        };
        let columns = self.columns.iter().zip(flow::COLUMNS).map(kept).collect();
        Self { columns, ..self.clone() }
    }

    /// The positions of the source's columns that some expression reads, in order.
    pub fn used(&self) -> Vec<usize> {
        let expressions = self.columns.iter().flatten().chain(&self.condition);
        let used = expressions.flat_map(|expression| expression.column_refs());
        let used = used.filter_map(|column| self.source.index_of(&column.name).ok());
        used.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Which records are flows; absent for all. A record in which a required column comes out null is none either.
    pub fn condition(&self) -> Option<Expr> {
        self.condition.clone().map(lenient)
    }

    /// Every canonical column, of its type, over the source's. What cannot be computed is null.
    pub fn columns(&self) -> Vec<Expr> {
        let columns = self.columns.iter().zip(flow::COLUMNS).map(|(expression, column)| {
            let data_type = column.data_type.arrow();
            let absent = || Expr::Literal(ScalarValue::Null, None);
            try_cast(expression.clone().map_or_else(absent, lenient), data_type).alias(column.name)
        });
        columns.collect()
    }

    /// The expression of a canonical column, as it was written.
    pub fn column(&self, name: &str) -> Option<&Expr> {
        let position = flow::COLUMNS.iter().position(|column| column.name == name)?;
        self.columns[position].as_ref()
    }

    /// The expressions, ready to evaluate over batches with these columns of the source.
    ///
    /// # Errors
    /// The batches lack a column.
    pub fn physical(&self, batches: &SchemaRef) -> QueryResult<Planned> {
        let columns = self.columns.iter().enumerate();
        let columns = columns.filter_map(|(position, expression)| Some((position, expression.clone()?)));
        let columns = columns.map(|(position, expression)| Ok((position, physical(expression, batches)?)));
        let condition = self.condition.clone().map(|condition| physical(condition, batches)).transpose()?;
        Ok(Planned { columns: columns.collect::<QueryResult<_>>()?, condition })
    }

    /// What tells this way of making flows from another: 32 hexadecimal digits.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (expression, column) in self.columns().iter().zip(flow::COLUMNS) {
            hasher.update(format!("{} = {expression}\n", column.name).as_bytes());
        }
        self.condition.iter().for_each(|condition| _ = hasher.update(format!("where {condition}").as_bytes()));
        if self.parts {
            hasher.update(b"parts");
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Expressions that are ready to evaluate.
#[derive(Debug)]
pub struct Planned {
    /// Of the canonical columns that have one, with their position in [`flow::COLUMNS`]. Their types are those that the
    /// expressions have.
    pub columns: Vec<(usize, Arc<dyn PhysicalExpr>)>,
    /// Which records are flows; absent for all.
    pub condition: Option<Arc<dyn PhysicalExpr>>,
}

/// An expression over batches with these columns.
pub(super) fn physical(expression: Expr, batches: &SchemaRef) -> QueryResult<Arc<dyn PhysicalExpr>> {
    let columns = DFSchema::try_from(Arc::clone(batches))?;
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(columns.clone()))
        .with_config_options(Arc::clone(SQL.config_options()))
        .build();
    let simplifier = ExprSimplifier::new(context);
    // Some functions, `coalesce` for one, can be computed only as what they simplify to.
    let expression = simplifier.simplify(simplifier.coerce(expression, &columns)?)?;
    SQL.create_physical_expr(expression, &columns)
}

impl Misfit {
    pub(super) fn of(expression: &Expression, rule: String) -> Self {
        Self { span: expression.span.clone(), rule, remedy: None, is_missing: false }
    }

    fn wrong(span: &Range<usize>, error: &DataFusionError) -> Self {
        Self { span: span.clone(), rule: told(error), remedy: None, is_missing: false }
    }

    /// That there is no such column, or no such field of one.
    fn missing(expression: &Expression, key: &str, what: &str, name: &str, known: &[&str]) -> Self {
        let rule = format!("`{key}` needs the {what} {name:?}, which is not there");
        let there: Vec<_> = known.iter().take(MOST_NAMED).copied().collect();
        let more = if known.len() > MOST_NAMED { " ..." } else { "" };
        let there = format!("there are {}{more}", there.join(", "));
        let remedy = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}? {there}"),
            None => there,
        };
        Self { remedy: Some(remedy), is_missing: true, ..Self::of(expression, rule) }
    }
}

/// Plans the first of these expressions that the source has the columns for.
fn first_that_fits(
    key: &str,
    expressions: &[Expression],
    names: &DFSchema,
    check: impl Fn(&Expression, &DataType) -> Result<(), Misfit>,
) -> Result<Expr, Misfit> {
    let mut first = None;
    for expression in expressions {
        match plan(key, expression, names) {
            Ok(planned) => {
                let data_type = planned.get_type(names).map_err(|error| Misfit::wrong(&expression.span, &error))?;
                check(expression, &data_type)?;
                return Ok(planned);
            }
            Err(misfit) if misfit.is_missing => _ = first.get_or_insert(misfit),
            Err(misfit) => return Err(misfit),
        }
    }
    Err(first.unwrap_or_else(|| Misfit {
        span: 0..0,
        rule: format!("`{key}` is empty"),
        remedy: None,
        is_missing: true,
    }))
}

fn plan(key: &str, expression: &Expression, names: &DFSchema) -> Result<Expr, Misfit> {
    let Expression { sql, .. } = expression;
    let not_computed = |reason: String, remedy: String| Misfit {
        remedy: Some(remedy),
        ..Misfit::of(expression, format!("`{key}` cannot be computed as `{sql}`: {reason}"))
    };
    let wrong = |error: &DataFusionError| not_computed(told(error), types_of(sql, names));
    let planned = SQL.create_logical_expr(&expression.sql, names).map_err(|error| match error.find_root() {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, .. } => {
                let known: Vec<_> = names.fields().iter().map(|field| field.name().as_str()).collect();
                Misfit::missing(expression, key, "column", &field.name, &known)
            }
            _ => wrong(&error),
        },
        _ => wrong(&error),
    })?;
    let mut misfit = None;
    let seen = planned.apply(|inner| {
        misfit = missing_field(key, expression, inner, names);
        Ok(if misfit.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    seen.map_err(|error| wrong(&error))?;
    if let Some(misfit) = misfit {
        return Err(misfit);
    }
    check_planned(&planned).map_err(|Refusal { reason, remedy }| not_computed(reason, remedy))?;
    SQL.create_physical_expr(planned.clone(), names).map_err(|error| wrong(&error))?;
    Ok(planned)
}

/// What to do about an expression that does not go with the types of the columns that it names.
fn types_of(sql: &str, names: &DFSchema) -> String {
    let named = names.fields().iter().filter(|field| sql.contains(field.name().as_str())).take(MOST_NAMED);
    let types: Vec<_> = named.map(|field| format!("{} is {}", field.name(), field.data_type())).collect();
    let types = if types.is_empty() { "it names no column".to_owned() } else { types.join(", ") };
    format!("{types}: change what does not go together, with CAST(column AS type) where another type is wanted")
}

/// That a field of a struct is read that the struct has not.
fn missing_field(key: &str, expression: &Expression, inner: &Expr, names: &DFSchema) -> Option<Misfit> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = inner else { return None };
    let (of, path) = args.split_first().filter(|_| func.name() == "get_field")?;
    let mut data_type = of.get_type(names).ok()?;
    for step in path {
        let Expr::Literal(name, _) = step else { return None };
        let (DataType::Struct(fields), Some(Some(name))) = (&data_type, name.try_as_str()) else { return None };
        let Some(field) = fields.iter().find(|field| field.name() == name) else {
            let known: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
            return Some(Misfit::missing(expression, key, &format!("field of {of}"), name, &known));
        };
        data_type = field.data_type().clone();
    }
    None
}
