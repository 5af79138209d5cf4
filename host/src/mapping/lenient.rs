//! Expressions over files, where one bad value must not end a query over all of them: what fails is null.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, new_null_array},
    compute::concat,
    datatypes::{DataType, FieldRef},
};
use datafusion::{
    common::{
        Result as QueryResult, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    functions::core::expr_fn::nullif,
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, TryCast, expr::ScalarFunction, lit,
    },
};

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
        let is_scalar = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        match self.0.invoke_with_args(args.clone()) {
            Err(_) if is_scalar => Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_type())?)),
            Err(_) => Ok(ColumnarValue::Array(self.halves(&args)?)),
            values => values,
        }
    }
}

impl Lenient {
    /// The values where some row fails, which is found by halving, since that is rare.
    fn halves(&self, args: &ScalarFunctionArgs) -> QueryResult<ArrayRef> {
        if args.number_rows <= 1 {
            return Ok(new_null_array(args.return_type(), args.number_rows));
        }
        let middle = args.number_rows / 2;
        let half = |from: usize, rows: usize| {
            let slice = |argument: &ColumnarValue| match argument {
                ColumnarValue::Array(values) => ColumnarValue::Array(values.slice(from, rows)),
                scalar => scalar.clone(),
            };
            let part =
                ScalarFunctionArgs { args: args.args.iter().map(slice).collect(), number_rows: rows, ..args.clone() };
            match self.0.invoke_with_args(part.clone()) {
                Ok(values) => values.into_array(rows),
                Err(_) => self.halves(&part),
            }
        };
        let (first, second) = (half(0, middle)?, half(middle, args.number_rows - middle)?);
        Ok(concat(&[&first, &second])?)
    }
}
