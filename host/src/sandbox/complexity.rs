//! What compiling a function may cost. The compiler follows each variable through each branch, so that a few hundred
//! kilobytes of nested loops over thousands of variables keep it busy for minutes and take gigabytes. No compiler of a
//! language writes such code.
//!
//! This is not what bounds the compiler: the limits of its process do. But it tells the worst in milliseconds, where these
//! take a minute of every command that loads the plugin, and it says why; and where a library compiles in its own process,
//! it is all there is.

use wasmparser::{BlockType, CompositeInnerType, FunctionBody, Operator, Parser, Payload, TypeSectionReader};

use crate::error::{Context, Error, Result};

/// Variables times branches, over all functions, at most. An interpreter of JavaScript comes to 7 million, of Python to 4, a
/// model in Rust or Go to less than one; at 120 million compiling was seen to take a minute and 3.6 GB.
const MOST: u64 = 40_000_000;

/// Values that a function may take and give. Compilers hand over what is more in memory.
const MOST_VALUES: usize = 128;

/// What a branch counts that hands over more than one value, which compilers do not do unless they are told to: each of these
/// values becomes a variable at each such branch.
const HANDED_OVER: u64 = 10_000;

/// Refuses a component that costs too much to compile.
///
/// # Errors
/// It does, or it cannot be read.
pub fn check_complexity(component: &[u8]) -> Result<()> {
    let found = Cost::of(component).context(|| "it is no valid component".to_owned())?;
    let too_much = |what: String| {
        Error::usage(format!("it would take minutes and gigabytes to compile: {what}"))
            .remedy("build it with a compiler of some language, and its defaults")
    };
    if found.values > MOST_VALUES {
        let values = found.values;
        return Err(too_much(format!(
            "a function takes and gives {values} values, of which {MOST_VALUES} are allowed"
        )));
    }
    if found.branches > MOST {
        let branches = found.branches;
        return Err(too_much(format!("it has {branches} variables times branches, of which {MOST} are allowed")));
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Cost {
    /// Variables times branches, over all functions.
    branches: u64,
    /// Most values that a function takes and gives.
    values: usize,
}

impl Cost {
    fn of(component: &[u8]) -> wasmparser::Result<Self> {
        let mut cost = Self::default();
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::CodeSectionEntry(body) => cost.branches = cost.branches.saturating_add(branches(&body)?),
                Payload::TypeSection(types) => cost.values = cost.values.max(most_values(types)?),
                _ => {}
            }
        }
        Ok(cost)
    }
}

/// Most values of a function's type, taken and given together.
fn most_values(types: TypeSectionReader<'_>) -> wasmparser::Result<usize> {
    let mut most = 0;
    for group in types {
        for declared in group?.into_types() {
            if let CompositeInnerType::Func(function) = &declared.composite_type.inner {
                most = most.max(function.params().len() + function.results().len());
            }
        }
    }
    Ok(most)
}

fn branches(body: &FunctionBody<'_>) -> wasmparser::Result<u64> {
    let mut variables = 0_u64;
    for declared in body.get_locals_reader()? {
        variables += u64::from(declared?.0);
    }
    let (mut branches, mut handed_over) = (1_u64, 0_u64);
    for operator in body.get_operators_reader()? {
        branches += match operator? {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                handed_over += u64::from(matches!(blockty, BlockType::FuncType(_)));
                1
            }
            Operator::Br { .. } | Operator::BrIf { .. } => 1,
            Operator::BrTable { targets } => u64::from(targets.len()) + 1,
            _ => 0,
        };
    }
    Ok(variables.saturating_mul(branches).saturating_add(handed_over * HANDED_OVER))
}

#[cfg(test)]
mod tests {
    use super::{Cost, check_complexity as check};

    #[test]
    fn variables_and_branches_are_bounded_together() {
        let component = |variables: usize, loops: usize| {
            let (locals, nested) = ("i32 ".repeat(variables), "(loop ".repeat(loops) + &")".repeat(loops));
            let text = format!("(component (core module (func (local {locals}) {nested})))");
            wat::parse_str(text).unwrap()
        };
        assert_eq!(Cost::of(&component(10, 4)).unwrap().branches, 50);
        check(&component(40_000, 900)).unwrap();
        let said = check(&component(40_000, 1_000)).unwrap_err().to_string();
        assert!(said.contains("it has 40040000 variables times branches"), "{said}");
    }

    #[test]
    fn values_that_branches_and_calls_hand_over_are_bounded() {
        let component = |values: usize, loops: usize| {
            let types = "i32 ".repeat(values);
            let (pushed, dropped) = ("(i32.const 1) ".repeat(values), "(drop) ".repeat(values));
            let nested = "loop (param ".to_owned() + &types + ") (result " + &types + ") end ";
            let text = format!("(component (core module (func {pushed} {} {dropped})))", nested.repeat(loops));
            wat::parse_str(text).unwrap()
        };
        check(&component(60, 10)).unwrap();
        assert!(check(&component(65, 1)).unwrap_err().to_string().contains("takes and gives 130 values"));
        assert!(check(&component(2, 5_000)).unwrap_err().to_string().contains("50000000 variables times branches"));
    }
}
