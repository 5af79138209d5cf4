//! What compiling a function may cost. The compiler follows each variable through each branch, so that a few hundred
//! kilobytes of nested loops over thousands of variables keep it busy for minutes and take gigabytes. No compiler of a
//! language writes such functions.

use wasmparser::{FunctionBody, Operator, Parser, Payload};

/// Variables times branches of a function, at most. The interpreter loops of CPython and SpiderMonkey, the largest functions
/// that plugins are known to have, come to a twentieth of it.
const MOST: u64 = 20_000_000;

/// Refuses a component with a function that costs too much to compile.
///
/// # Errors
/// There is one, or the component cannot be read.
pub(super) fn check(component: &[u8]) -> wasmtime::Result<()> {
    let found = most(component)?;
    if found > MOST {
        return Err(wasmtime::Error::msg(format!(
            "a function has variables times branches: {found}; {MOST} are allowed, as it would take gigabytes to compile"
        )));
    }
    Ok(())
}

fn most(component: &[u8]) -> wasmparser::Result<u64> {
    let mut most = 0;
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::CodeSectionEntry(body) = payload? {
            most = most.max(cost(&body)?);
        }
    }
    Ok(most)
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
    use super::{check, most};

    #[test]
    #[ignore]
    fn measure() {
        for file in std::env::var("FILES").unwrap().split(':') {
            let bytes = std::fs::read(file).unwrap();
            let at = std::time::Instant::now();
            println!("{file} {} {:?}", most(&bytes).unwrap(), at.elapsed());
        }
    }

    #[test]
    fn variables_and_branches_are_bounded_together() {
        let component = |variables: usize, loops: usize| {
            let (locals, nested) = ("i32 ".repeat(variables), "(loop ".repeat(loops) + &")".repeat(loops));
            let text = format!("(component (core module (func (local {locals}) {nested})))");
            wat::parse_str(text).unwrap()
        };
        assert_eq!(most(&component(10, 4)).unwrap(), 50);
        check(&component(40_000, 400)).unwrap();
        let said = check(&component(40_000, 600)).unwrap_err().to_string();
        assert!(said.contains("24040000; 20000000 are allowed"), "{said}");
    }
}
