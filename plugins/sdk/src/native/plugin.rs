use std::{borrow::Cow, collections::BTreeSet};

use wardflow_manifest::{Column, Manifest, ManifestError};

use super::said;
use crate::{
    Columns, Detector, Device, Finding, Findings, Flows, OpenError, Saved, Slice, columns::with_columns, state,
};

/// A detector with its manifest, as `export!` makes it.
pub struct Plugin {
    manifest: Manifest,
    open: OpenFn,
}

type OpenFn = fn(&Device, &str, Option<&[u8]>) -> Result<Box<dyn Open + Send>, OpenError>;

impl Plugin {
    /// A detector and the text of its `plugin.toml`.
    ///
    /// # Errors
    /// The manifest is refused.
    pub fn of<D: Detector + Send>(manifest: &str) -> Result<Self, ManifestError> {
        let manifest = Manifest::from_toml(manifest)?;
        Ok(Self {
            manifest,
            open: |device, parameters, state| Ok(Box::new(state::open::<D>(device, parameters, state)?)),
        })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Opens a session, as the contract's `open`: `parameters` is a JSON object with the defaults filled in, `state`
    /// the bytes that [`Session::save`] gave.
    ///
    /// # Errors
    /// As the contract's `open`.
    pub fn open(&self, device: &Device, parameters: &str, state: Option<&[u8]>) -> Result<Session, OpenError> {
        said::take();
        let detector = (self.open)(device, parameters, state)?;
        Ok(Session { detector, columns: self.manifest.columns.clone() })
    }
}

/// A detector's session for one device and one slice.
pub struct Session {
    detector: Box<dyn Open + Send>,
    columns: BTreeSet<Column>,
}

impl Session {
    /// Takes the next flows.
    ///
    /// # Panics
    /// The detector panics, or uses a column that the manifest does not declare: in the sandbox, a fault.
    pub fn observe(&mut self, flows: &dyn Columns) -> Vec<Finding> {
        let mut findings = Findings::ending_before(i64::MAX);
        self.detector.observe(&Flows::new(&Declared { flows, columns: &self.columns }), &mut findings);
        findings.into_vec()
    }

    /// Ends the slice.
    ///
    /// # Panics
    /// The detector panics: in the sandbox, a fault.
    pub fn end_slice(&mut self, slice: &Slice<'_>) -> Vec<Finding> {
        let mut findings = Findings::ending_before(slice.end);
        self.detector.end_slice(slice, &mut findings);
        findings.into_vec()
    }

    /// Closes the session.
    ///
    /// # Panics
    /// The detector panics: in the sandbox, a fault.
    pub fn save(self) -> Saved<Vec<u8>> {
        self.detector.save()
    }
}

/// A [`Detector`] whose types of parameters and state are gone.
trait Open {
    fn observe(&mut self, flows: &Flows<'_>, findings: &mut Findings);
    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings);
    fn save(self: Box<Self>) -> Saved<Vec<u8>>;
}

impl<D: Detector> Open for D {
    fn observe(&mut self, flows: &Flows<'_>, findings: &mut Findings) {
        Detector::observe(self, flows, findings);
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        Detector::end_slice(self, slice, findings);
    }

    fn save(self: Box<Self>) -> Saved<Vec<u8>> {
        state::save(*self)
    }
}

/// Only the columns that the manifest declares.
struct Declared<'a> {
    flows: &'a dyn Columns,
    columns: &'a BTreeSet<Column>,
}

macro_rules! declared {
    ($($method:ident: $type:ty = $column:ident,)*) => {
        impl Columns for Declared<'_> {
            fn len(&self) -> usize {
                self.flows.len()
            }

            fn first_row(&self) -> u32 {
                self.flows.first_row()
            }

            $(
                fn $method(&self) -> Cow<'_, [$type]> {
                    let name = Column::$column.name();
                    assert!(self.columns.contains(&Column::$column), "add \"{name}\" to `columns` in plugin.toml");
                    self.flows.$method()
                }
            )*
        }
    };
}
with_columns!(declared);
