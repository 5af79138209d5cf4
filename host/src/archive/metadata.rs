//! The footer of a Parquet file and its page index, as the store gives them. What comes of them is an error of the store's or
//! the file's own, and never more memory than they take.

use std::ops::Range;

use bytes::Bytes;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::{
    DecodeResult,
    arrow::parquet_to_arrow_schema,
    errors::ParquetError,
    file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder},
};

use super::{
    block_sums::BlockSums,
    guarded::guarded,
    tail_sums::{self, check_footer, check_tail},
};

/// Bytes read from a file's end at first. A footer that is longer takes a second read.
const HINT: u64 = 64 << 10;

/// Most bytes of a page index and a footer together. A file of a thousand million flows has a tenth.
const MOST_BYTES: u64 = 512 << 20;

/// A footer, without the page index.
pub(super) struct Footer {
    pub(super) metadata: ParquetMetaData,
    /// That it is not what was written, though it can be decoded.
    pub(super) damage: Option<String>,
}

impl Footer {
    /// Reads the footer of a file.
    ///
    /// # Errors
    /// The store does not give it, or it cannot be decoded.
    pub(super) async fn read(store: &dyn ObjectStore, object: &ObjectMeta) -> Result<Self, ParquetError> {
        let mut decoder =
            ParquetMetaDataPushDecoder::try_new(object.size)?.with_page_index_policy(PageIndexPolicy::Skip);
        let mut tail = Vec::new();
        let mut wanted = object.size.saturating_sub(HINT)..object.size;
        loop {
            let bytes = get(store, object, wanted.start, wanted.end).await?;
            // What is read second is a footer that is longer, without the file's last bytes.
            tail.splice(..tail.len().saturating_sub(tail_sums::END), bytes.iter().copied());
            guarded(|| decoder.push_range(wanted, bytes))?;
            wanted = match guarded(|| decoder.try_decode())? {
                DecodeResult::NeedsData(ranges) => ranges.into_iter().next().unwrap_or_default(),
                DecodeResult::Data(metadata) => {
                    guarded(|| usable(&metadata))?;
                    return Ok(Self { metadata, damage: check_footer(&tail).err() });
                }
                DecodeResult::Finished => return Err(ParquetError::EOF("its footer ends early".into())),
            };
        }
    }
}

/// Whether what readers do with a footer first can be done with this one.
fn usable(metadata: &ParquetMetaData) -> Result<(), ParquetError> {
    let file = metadata.file_metadata();
    parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    metadata.row_groups().iter().flat_map(|group| group.columns()).for_each(|column| _ = column.byte_range());
    Ok(())
}

/// The footer of a file, without the page index, as it was written.
///
/// # Errors
/// The store does not give it, or it is damaged.
pub(super) async fn metadata(store: &dyn ObjectStore, object: &ObjectMeta) -> Result<ParquetMetaData, ParquetError> {
    let Footer { metadata, damage } = Footer::read(store, object).await?;
    damage.map_or(Ok(metadata), |damage| Err(ParquetError::General(damage)))
}

/// The footer of a file with its page index, if it has one, as they were written.
///
/// # Errors
/// The store does not give them, or one is damaged.
pub async fn metadata_and_index(store: &dyn ObjectStore, object: &ObjectMeta) -> Result<ParquetMetaData, ParquetError> {
    let footer = metadata(store, object).await?;
    let mut decoder = ParquetMetaDataPushDecoder::try_new_with_metadata(object.size, footer.clone())?
        .with_page_index_policy(PageIndexPolicy::Optional);
    if let Some(sums) = BlockSums::of(&footer).map_err(ParquetError::General)? {
        let tail = tail(store, object, &sums).await?;
        guarded(|| decoder.push_range(sums.end()..object.size, tail))?;
    }
    loop {
        match guarded(|| decoder.try_decode())? {
            DecodeResult::NeedsData(ranges) => {
                for range in ranges {
                    let bytes = get(store, object, range.start, range.end).await?;
                    guarded(|| decoder.push_range(range, bytes))?;
                }
            }
            DecodeResult::Data(metadata) => return Ok(metadata),
            DecodeResult::Finished => return Err(ParquetError::EOF("its page index ends early".into())),
        }
    }
}

/// All that follows the blocks of a file, as it was written.
///
/// # Errors
/// The store does not give it, or it is damaged.
pub(super) async fn tail(
    store: &dyn ObjectStore,
    object: &ObjectMeta,
    sums: &BlockSums,
) -> Result<Bytes, ParquetError> {
    let tail = get(store, object, sums.end(), object.size).await?;
    check_tail(&tail).map_err(ParquetError::General)?;
    Ok(tail)
}

/// Refuses bytes that a file of this size does not have: room for them is made before they are read, however many.
///
/// # Errors
/// They are such.
pub fn check_range(range: &Range<u64>, size: u64) -> Result<(), ParquetError> {
    if range.start > range.end || range.end > size {
        return Err(ParquetError::EOF("its footer names bytes that it does not have".into()));
    }
    Ok(())
}

/// Reads what a footer says is there.
async fn get(store: &dyn ObjectStore, object: &ObjectMeta, start: u64, end: u64) -> Result<Bytes, ParquetError> {
    check_range(&(start..end), object.size)?;
    if end - start > MOST_BYTES {
        let (asked, allowed) = ((end - start) >> 20, MOST_BYTES >> 20);
        let what = format!("its page index and footer take {asked} MiB; {allowed} MiB are allowed");
        return Err(ParquetError::General(what));
    }
    let bytes = store.get_range(&object.location, start..end).await;
    bytes.map_err(|error| ParquetError::External(Box::new(error)))
}
