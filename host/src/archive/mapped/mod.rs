//! Files of another program, listed: the mapping held against the columns of each, and the hours in which its flows
//! end.
//!
//! The hours come from statistics where `end_time` is one of some columns in a simple way. Where not, or where a file
//! has no statistics or row groups of long times, those columns are read once, and the hours are kept in the workspace
//! until the file changes. The first analysis of a file also counts the rows that are no flows. Rows that are parts of flows
//! are joined as they are read.

mod counts;
mod end_times;
mod joined;
mod known;
mod rows;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::{StreamExt, stream};
use object_store::ObjectMeta;
use parquet::{arrow::parquet_to_arrow_schema, file::metadata::ParquetMetaData};

use self::known::{Known, key};
pub use self::{counts::RowCounts, joined::JoinedRows};
use super::{
    files::{ArchiveFile, BrokenFile, FOOTERS_AT_ONCE, Listing},
    footer,
    hours::Hour,
    location::Archive,
    metadata::metadata,
};
use crate::{
    error::Result,
    mapping::{Fit, Mapping, Misfit},
    time::HOUR,
};

/// The longest time of a row group that tells in which slices its flows end: less than a slice of the usual six hours.
const WIDEST: i64 = 4 * HOUR;

/// Lists files with a mapping.
///
/// # Errors
/// The mapping fits none of the files.
pub(super) async fn list(archive: &Archive, mapping: &Mapping, objects: Vec<ObjectMeta>) -> Result<Listing> {
    let lister = Lister { archive, mapping, fits: Mutex::default(), known: Known::read(archive, "hours.json") };
    let read = stream::iter(objects).map(|object| lister.read(object)).buffered(FOOTERS_AT_ONCE);
    let mut listing = Listing::default();
    let mut first = None;
    for file in read.collect::<Vec<_>>().await {
        match file {
            Ok(file) => listing.files.push(file),
            Err(Failure { file, misfit }) => {
                first = first.or_else(|| Some((file.path.clone(), misfit?)));
                listing.broken.push(file);
            }
        }
    }
    lister.known.write();
    match first {
        Some((path, misfit)) if listing.files.is_empty() => Err(mapping.error(&misfit, &path)),
        _ => Ok(listing),
    }
}

struct Lister<'a> {
    archive: &'a Archive,
    mapping: &'a Mapping,
    /// What the mapping comes to for the columns that were met: files of one program have few different ones.
    fits: Mutex<Vec<(SchemaRef, Fitting)>>,
    /// Flows by hour since 1970-01-01T00:00Z.
    known: Known<BTreeMap<i64, u64>>,
}

/// A file that cannot be used, and what of the mapping does not fit it, if that is why.
struct Failure {
    file: BrokenFile,
    misfit: Option<Misfit>,
}

/// What a mapping comes to for some columns.
type Fitting = Result<Arc<Fit>, Misfit>;

impl Lister<'_> {
    async fn read(&self, object: ObjectMeta) -> Result<ArchiveFile, Failure> {
        let path = self.archive.file(&object.location).to_owned();
        let broken = |reason: String| Failure { file: BrokenFile { path: path.clone(), reason }, misfit: None };
        let metadata =
            metadata(self.archive.store().as_ref(), &object).await.map_err(|error| broken(error.to_string()))?;
        let metadata = Arc::new(metadata);
        let schema = columns(&metadata).map_err(|error| broken(error.to_string()))?;
        let fit = self
            .fit(schema)
            .map_err(|misfit| Failure { misfit: Some(misfit.clone()), ..broken(misfit.to_string()) })?;
        let digest = fit.digest();
        let hours = match end_times::by_statistics(&metadata, &fit) {
            Some(times) if times.iter().flatten().all(|(first, last)| last.saturating_sub(*first) <= WIDEST) => {
                let identity = |row_group, hour| footer::identity(&object, row_group, hour, &digest);
                footer::hours_of(&metadata, &times, identity).map_err(broken)?
            }
            _ => {
                let key = key(&object, &digest);
                let known = self.known.get(&key);
                let rows = match known {
                    Some(rows) => rows,
                    None => end_times::read_hours(self.archive, &object, &metadata, &fit).await.map_err(broken)?,
                };
                let hour = |(&hour, &rows)| Hour {
                    hour,
                    rows,
                    digest: footer::identity(&object, 0, hour, &digest),
                    delivered: None,
                };
                let hours = rows.iter().map(hour).collect();
                self.known.keep(key, rows);
                hours
            }
        };
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
        Ok(ArchiveFile { object, path, rows, hours, sensors: Vec::new(), foreign: true, fit: Some(fit) })
    }

    fn fit(&self, schema: SchemaRef) -> Fitting {
        let mut fits = self.fits.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, fit)) = fits.iter().find(|(known, _)| *known == schema) {
            return fit.clone();
        }
        let fit = self.mapping.fit(Arc::clone(&schema)).map(Arc::new);
        fits.push((schema, fit.clone()));
        fit
    }
}

/// The columns of a file, with text as it is read fastest.
fn columns(metadata: &ParquetMetaData) -> Result<SchemaRef, parquet::errors::ParquetError> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    let viewed = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => {
            Arc::new(Field::new(field.name(), DataType::Utf8View, field.is_nullable()))
        }
        _ => Arc::clone(field),
    });
    Ok(Arc::new(Schema::new(viewed.collect::<Vec<_>>())))
}
