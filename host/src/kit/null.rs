//! The null plugin: pulls the columns that a manifest declares, and does nothing. What it costs is the host's share.

use std::fmt::Write as _;

use wardflow_manifest::{Column, Manifest};

use crate::error::{Error, Result};

/// Binary interface of the contract, by hand (Canonical ABI of the component model): a session is its number, results lie in
/// a page of zeros, and what the host writes goes to the same place each time, so that it stays in the cache.
const BEFORE: &str = r#"(module
  (import "wardflow:detector/flows@0.1.0" "[resource-drop]flow-batch" (func $drop (param i32)))
  (import "[export]wardflow:detector/detector@0.1.0" "[resource-new]session" (func $new (param i32) (result i32)))
"#;

const AFTER: &str = r#"
  (memory (export "memory") 2)
  (global $free (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $bytes i32) (result i32)
    (local $at i32)
    (local $missing i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get $bytes)))
    (local.set $missing (i32.sub (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then (drop (memory.grow (i32.add (i32.div_u (local.get $missing) (i32.const 65536)) (i32.const 1))))))
    (local.get $at))
  (func $forget (global.set $free (i32.const 65536)))
  (func (export "wardflow:detector/detector@0.1.0#[static]session.open")
    (param i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $forget)
    (i32.store (i32.const 1028) (call $new (i32.const 1)))
    (i32.const 1024))
  (func (export "wardflow:detector/detector@0.1.0#[method]session.observe") (param i32) (param $batch i32) (result i32)
    (call $pull (local.get $batch))
    (call $drop (local.get $batch))
    (i32.const 0))
  (func (export "wardflow:detector/detector@0.1.0#[method]session.end-slice") (param i32 i64 i64 i32 i32) (result i32)
    (call $forget)
    (i32.const 0))
  (func (export "wardflow:detector/detector@0.1.0#[method]session.save") (param i32) (result i32) (i32.const 0)))
"#;

/// The bytes of a null plugin with this manifest.
///
/// # Errors
/// The manifest is for another version of the contract.
pub fn plugin(manifest: &Manifest) -> Result<Vec<u8>> {
    let failed = |error: String| Error::failed("the null plugin cannot be made").because(error);
    let module = wat::parse_str(text(&manifest.columns.iter().copied().collect::<Vec<_>>()));
    let module = module.map_err(|error| failed(error.to_string()))?;
    wardflow_pack::pack(&module, manifest).map_err(|error| failed(error.to_string()))
}

fn text(columns: &[Column]) -> String {
    let mut text = BEFORE.to_owned();
    for column in columns {
        let name = column.name();
        let _ = writeln!(
            text,
            "  (import \"wardflow:detector/flows@0.1.0\" \"[method]flow-batch.{name}\" (func ${name} (param i32 i32)))"
        );
    }
    text.push_str("  (func $pull (param $batch i32)");
    for column in columns {
        let _ = write!(text, "\n    (call $forget) (call ${} (local.get $batch) (i32.const 2048))", column.name());
    }
    text.push(')');
    text + AFTER
}

#[cfg(test)]
mod tests {
    use wardflow_manifest::{Column, Manifest};

    use super::plugin;
    use crate::{limits::Limits, sandbox::inspect};

    #[test]
    fn it_pulls_what_is_declared() {
        let manifest = |columns: &str| {
            let text = format!(
                "id = \"a/b\"\nversion = \"1.0.0\"\ncontract = \"0.1.0\"\npublisher = \"A\"\nintended_use = \"A test.\"\n\
                 columns = [{columns}]\n[[findings]]\nkind = \"loud\"\ntitle = \"Loud\"\nseverity = \"low\"\n\
                 shows = \"Flows.\"\nfirst_action = \"Ask.\"\n"
            );
            Manifest::from_toml(&text).unwrap()
        };
        let all: Vec<_> = Column::ALL.iter().map(|column| format!("{:?}", column.name())).collect();
        for columns in ["\"peer\"".to_owned(), all.join(", ")] {
            let manifest = manifest(&columns);
            let seen = inspect(&plugin(&manifest).unwrap(), &Limits::default()).unwrap();
            assert_eq!(seen.columns, manifest.columns.iter().copied().collect());
        }
    }
}
