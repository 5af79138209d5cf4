//! Expressions over files, where one bad value must not end a query over all of them: what fails is null.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::new_null_array,
    datatypes::{DataType, FieldRef},
};
use datafusion::{
    common::{
        DataFusionError, Result as QueryResult, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    functions::core::expr_fn::nullif,
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, TryCast, expr::ScalarFunction, lit,
    },
};

use super::halving;

/// Functions that fail for no value. The first three can be computed only as what the engine makes of them.
const SAFE: [&str; 4] = ["coalesce", "nvl", "nvl2", "get_field"];

/// The same expression, null where it would fail.
pub(super) fn lenient(expression: Expr) -> Expr {
    let loosened = expression.clone().transform_up(|inner| {
        Ok(Transformed::yes(match inner {
            Expr::Cast(cast) => Expr::TryCast(TryCast { expr: cast.expr, field: cast.field }),
            Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Divide | Operator::Modulo), right }) => {
                let right = Box::new(nullif(*right, lit(0_i64)));
                Expr::BinaryExpr(BinaryExpr { left, op, right })
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if !SAFE.contains(&func.name()) => {
                let func = Arc::new(ScalarUDF::new_from_impl(Lenient(func)));
                Expr::ScalarFunction(ScalarFunction { func, args })
            }
            other => return Ok(Transformed::no(other)),
        }))
    });
    loosened.map_or(expression, |loosened| loosened.data)
}

/// A function that is null where another fails.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Lenient(Arc<ScalarUDF>);

impl ScalarUDFImpl for Lenient {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> QueryResult<DataType> {
        self.0.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> QueryResult<FieldRef> {
        let field = self.0.return_field_from_args(args)?;
        Ok(Arc::new(field.as_ref().clone().with_nullable(true)))
    }

    fn coerce_types(&self, types: &[DataType]) -> QueryResult<Vec<DataType>> {
        self.0.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> QueryResult<ColumnarValue> {
        if args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_))) {
            return match self.0.invoke_with_args(args.clone()) {
                Err(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_type())?)),
                value => value,
            };
        }
        let compute = |rows: Range<usize>| {
            let number_rows = rows.len();
            let slice = |argument: &ColumnarValue| match argument {
                ColumnarValue::Array(values) => ColumnarValue::Array(values.slice(rows.start, number_rows)),
                scalar => scalar.clone(),
            };
            let part = ScalarFunctionArgs { args: args.args.iter().map(slice).collect(), number_rows, ..args.clone() };
            self.0.invoke_with_args(part)?.into_array(number_rows)
        };
        let mut null = |rows: Range<usize>, _: &DataFusionError| Ok(new_null_array(args.return_type(), rows.len()));
        halving(0..args.number_rows, &compute, &mut null).map(ColumnarValue::Array)
    }
}
