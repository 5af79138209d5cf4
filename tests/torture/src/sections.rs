//! The sections of a component, as they lie in the file.

use std::ops::Range;

use wardflow_manifest::{Manifest, SECTION};
use wasmparser::{Parser, Payload};

use crate::{Result, guest::append_manifest};

/// A section at the top of a component.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// All of it, with its number and length.
    pub(crate) whole: Range<usize>,
    /// Where its length stands.
    pub(crate) length: Range<usize>,
}

/// The sections of a component; those before the first that cannot be read, of a damaged one.
pub(crate) fn sections(component: &[u8]) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut at = 8;
    while let Some((length, bytes)) = component.get(at + 1..).and_then(leb128) {
        let body = at + 1 + bytes;
        let Some(end) = body.checked_add(length).filter(|end| *end <= component.len()) else { break };
        sections.push(Section { whole: at..end, length: at + 1..body });
        at = end;
    }
    sections
}

/// A number and the bytes that it takes.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0_usize;
    for (place, byte) in bytes.iter().take(5).enumerate() {
        number |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, place + 1));
        }
    }
    None
}

/// Where the bodies of functions lie, in all modules of a component.
pub(crate) fn bodies(component: &[u8]) -> Vec<Range<usize>> {
    let payloads = Parser::new(0).parse_all(component).map_while(std::result::Result::ok);
    payloads
        .filter_map(|payload| match payload {
            Payload::CodeSectionEntry(body) => Some(body.range()),
            _ => None,
        })
        .collect()
}

/// The same component with another manifest.
///
/// # Errors
/// It carries none, or none that can be read.
pub(crate) fn with_manifest(component: &[u8], change: impl FnOnce(&mut Manifest) -> Result<()>) -> Result<Vec<u8>> {
    let mut payloads = Parser::new(0).parse_all(component);
    let manifest = payloads.find_map(|payload| match payload {
        Ok(Payload::CustomSection(section)) if section.name() == SECTION => Some((section.range(), section.data())),
        _ => None,
    });
    let (range, data) = manifest.ok_or("the component carries no manifest")?;
    let mut manifest = Manifest::from_json(data)?;
    change(&mut manifest)?;
    let of_it = sections(component).into_iter().find(|section| section.whole.end == range.end);
    let whole = of_it.ok_or("the manifest is in no section of the component's own")?.whole;
    let mut changed = [&component[..whole.start], &component[whole.end..]].concat();
    append_manifest(&mut changed, &manifest)?;
    Ok(changed)
}
