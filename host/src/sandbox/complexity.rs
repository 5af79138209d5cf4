//! What compiling a function may cost. The compiler follows each variable through each branch, so that a few hundred
//! kilobytes of nested loops over thousands of variables keep it busy for minutes and take gigabytes. No compiler of a
//! language writes such code.

use wasmparser::{FunctionBody, Operator, Parser, Payload};

/// Variables times branches, over all functions, at most. An interpreter of JavaScript comes to 7 million, of Python to 4, a
/// model in Rust or Go to less than one; at 120 million compiling was seen to take a minute and 3.6 GB.
const MOST: u64 = 40_000_000;

/// Refuses a component that costs too much to compile.
///
/// # Errors
/// It does, or it cannot be read.
pub(super) fn check(component: &[u8]) -> wasmtime::Result<()> {
    let found = total(component)?;
    if found > MOST {
        return Err(wasmtime::Error::msg(format!(
            "its functions have {found} variables times branches, of which {MOST} are allowed: it would take minutes and \
             gigabytes"
        )));
    }
    Ok(())
}

fn total(component: &[u8]) -> wasmparser::Result<u64> {
    let mut total = 0_u64;
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::CodeSectionEntry(body) = payload? {
            total = total.saturating_add(cost(&body)?);
        }
    }
    Ok(total)
}

fn cost(body: &FunctionBody<'_>) -> wasmparser::Result<u64> {
    let mut variables = 0_u64;
    for declared in body.get_locals_reader()? {
        variables += u64::from(declared?.0);
    }
    let mut branches = 1_u64;
    for operator in body.get_operators_reader()? {
        branches += match operator? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => 1,
            Operator::Br { .. } | Operator::BrIf { .. } => 1,
            Operator::BrTable { targets } => u64::from(targets.len()) + 1,
            _ => 0,
        };
    }
    Ok(variables.saturating_mul(branches))
}

#[cfg(test)]
mod tests {
    use super::{check, total};

    #[test]
    fn variables_and_branches_are_bounded_together() {
        let component = |variables: usize, loops: usize| {
            let (locals, nested) = ("i32 ".repeat(variables), "(loop ".repeat(loops) + &")".repeat(loops));
            let text = format!("(component (core module (func (local {locals}) {nested})))");
            wat::parse_str(text).unwrap()
        };
        assert_eq!(total(&component(10, 4)).unwrap(), 50);
        check(&component(40_000, 900)).unwrap();
        let said = check(&component(40_000, 1_000)).unwrap_err().to_string();
        assert!(said.contains("have 40040000 variables times branches"), "{said}");
    }
}
