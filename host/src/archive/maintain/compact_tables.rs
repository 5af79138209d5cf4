//! Small files of the tables beside the flows into one a month, so that they can expire with the flows of that month.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use arrow::{
    array::RecordBatch,
    datatypes::SchemaRef,
    row::{RowConverter, SortField},
};
use object_store::ObjectMeta;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use super::{
    Replaces,
    compact::{CompactReport, Compacted, FEWEST, Refused, in_file},
    read_back,
    replaces::COMPACT,
    tables::{Table, owners, tables},
};
use crate::{
    archive::{Archive, SourceEntry, files::Beside, ingest::Failure},
    disk::File,
    error::{Context, Error, Result},
};

/// From which size on a file is large, bytes.
const LARGE: u64 = 32 << 20;

/// Rows of a row group, which are kept in memory until it is full.
const ROW_GROUP: usize = 65_536;

/// Compacts every table.
pub(super) async fn compact(
    archive: &Archive,
    entries: &[SourceEntry],
    apart: &BTreeSet<String>,
    report: &mut CompactReport,
) -> Result<()> {
    let owners = owners(entries);
    for table in tables() {
        let beside = archive.beside(&table.directory).await?;
        let mut months: BTreeMap<String, Vec<&ObjectMeta>> = BTreeMap::new();
        for object in beside.files.iter().filter(|object| object.size < LARGE) {
            let path = archive.file(&object.location);
            if let Some(month) = month(path, &owners).filter(|_| !apart.contains(path)) {
                months.entry(month).or_default().push(object);
            }
        }
        months.retain(|_, files| files.len() >= FEWEST);
        for (month, files) in months {
            match compact_month(archive, &table, &month, &files, &beside).await {
                Ok(compacted) => report.compacted.push(compacted),
                Err(Failure::Source(error)) => report.refused.push(Refused::of(&table.directory, &error)),
                Err(Failure::Archive(error)) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The month of a file, `YYYY-MM`: that of the last flow of its source, or in which its source was ingested.
fn month(path: &str, owners: &BTreeMap<String, &SourceEntry>) -> Option<String> {
    let name = path.rsplit('/').next()?;
    if let Some(month) = name.strip_prefix(COMPACT) {
        return month.get(..7).map(str::to_owned);
    }
    let owner = owners.get(path)?;
    let last = owner.files.iter().filter_map(|file| file.strip_prefix("date=")?.get(..7)).max();
    let ingested =
        || jiff::Timestamp::from_microsecond(owner.ingested_at).ok().map(|at| at.strftime("%Y-%m").to_string());
    last.map(str::to_owned).or_else(ingested)
}

async fn compact_month(
    archive: &Archive,
    table: &Table,
    month: &str,
    files: &[&ObjectMeta],
    beside: &Beside,
) -> Result<Compacted, Failure> {
    let scratch = archive.scratch()?;
    let staged = scratch.path().join("table");
    let mut writer = TableFile::create(&staged, &table.schema)?;
    let mut replaces = Replaces::default();
    for object in files {
        let path = archive.file(&object.location);
        let before = writer.rows.count;
        read_back::batches(archive.store().as_ref(), object, read_back::Texts::AsWritten, |batch| writer.write(batch))
            .await
            .map_err(|failure| in_file(path, failure))?;
        replaces.add(path, writer.rows.count - before, beside.replaces.get(path));
    }
    let written = writer.finish(&staged, &replaces)?;
    let mut read = Rows::of(&table.schema)?;
    let (store, object) = read_back::staged(&staged).await?;
    read_back::batches(&store, &object, read_back::Texts::AsWritten, |batch| read.add(batch)).await?;
    if read.digest() != written.digest() || read.count != replaces.total() {
        return Err(Failure::Source(Error::failed("what was written is not what was read: this is a bug")));
    }
    let name = format!("{COMPACT}{month}-{}.parquet", &written.digest()[..16]);
    let file = format!("{}/{name}", table.directory);
    archive.begin_replacing(&file).await?;
    archive.publish(&staged, &file).await?;
    archive.end_replacing(&file, files.iter().map(|object| archive.file(&object.location))).await?;
    let bytes_before = files.iter().map(|object| object.size).sum();
    Ok(Compacted { file, replaces: files.len() as u64, rows: read.count, bytes_before, bytes: object.size })
}

/// A file in the making.
struct TableFile {
    writer: ArrowWriter<File>,
    rows: Rows,
}

impl TableFile {
    fn create(path: &Path, schema: &SchemaRef) -> Result<Self> {
        let create = || -> Result<_, ParquetError> {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
                .set_max_row_group_row_count(Some(ROW_GROUP))
                .build();
            ArrowWriter::try_new(File::create(path)?, schema.clone(), Some(properties))
        };
        let writer = create().context(|| format!("creating {}", path.display()))?;
        Ok(Self { writer, rows: Rows::of(schema)? })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.rows.add(batch)?;
        Ok(self.writer.write(batch).context(|| "writing a compacted table".into())?)
    }

    fn finish(mut self, path: &Path, replaces: &Replaces) -> Result<Rows> {
        replaces.footer()?.into_iter().for_each(|pair| self.writer.append_key_value_metadata(pair));
        let mut close = || -> Result<(), ParquetError> {
            self.writer.finish()?;
            Ok(self.writer.inner_mut().sync()?)
        };
        close().context(|| format!("writing {}", path.display()))?;
        Ok(self.rows)
    }
}

/// Rows that went by, and a digest of them that does not depend on batches.
struct Rows {
    schema: SchemaRef,
    converter: RowConverter,
    hasher: blake3::Hasher,
    count: u64,
}

impl Rows {
    fn of(schema: &SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = RowConverter::new(fields).context(|| "comparing rows".into())?;
        Ok(Self { schema: schema.clone(), converter, hasher: blake3::Hasher::new(), count: 0 })
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        if batch.schema().fields() != self.schema.fields() {
            let error = Error::failed("its columns are not those that this version writes");
            return Err(Failure::Source(error));
        }
        let rows = self.converter.convert_columns(batch.columns()).context(|| "comparing rows".into())?;
        for row in rows.iter() {
            let bytes: &[u8] = row.as_ref();
            self.hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        }
        self.count += batch.num_rows() as u64;
        Ok(())
    }

    fn digest(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}
