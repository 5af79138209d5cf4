//! What a guest can reach of the host: the columns of the batch that is lent to it, and an ear for what it says to its author.

use wardflow_manifest::{Column, Manifest};
use wasmtime::component::{HasSelf, Linker, Resource};

use super::{
    bindings::wardflow::detector::{flows, types},
    deadline::Deadline,
    fault::Breach,
    limits::Allocation,
    said::{self, Said},
};
use crate::{
    detector::{FlowBatch, Stop, Values},
    limits::Limits,
};

/// The batch that is lent, as the guest's handle names it. There is one at a time, so the handle holds nothing.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings pass it on")]
pub struct Lent;

/// What the host keeps of one instance.
pub(super) struct State {
    /// What it has allocated.
    pub(super) allocation: Allocation,
    /// The clock of the call that is running.
    pub(super) deadline: Deadline,
    /// The batch of the running `observe`.
    pub(super) lent: Option<Box<dyn FlowBatch>>,
    /// Bytes of columns copied into the guest.
    pub(super) bytes: u64,
    /// What the guest said.
    pub(super) said: Said,
    /// The columns that the manifest declares, one bit each.
    declared: u32,
}

impl State {
    /// Of an instance that does not run yet.
    pub(super) fn new(manifest: &Manifest, limits: &Limits, stop: Stop) -> Self {
        Self {
            allocation: Allocation::new(manifest, limits),
            deadline: Deadline::new(stop),
            lent: None,
            bytes: 0,
            said: Said::default(),
            declared: manifest.columns.iter().fold(0, |bits, column| bits | bit(*column)),
        }
    }

    fn batch(&self) -> wasmtime::Result<&dyn FlowBatch> {
        self.lent.as_deref().ok_or_else(|| Breach("a flow batch was used outside of `observe`".to_owned()).into())
    }

    fn column(&mut self, column: Column) -> wasmtime::Result<Values> {
        if self.declared & bit(column) == 0 {
            return Err(Breach(format!("column `{}` is not declared in the manifest", column.name())).into());
        }
        Ok(self.batch()?.column(column))
    }
}

/// Gives a linker the imports of the contract.
///
/// # Errors
/// None, unless the linker has them already.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    flows::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    said::link(linker)
}

const fn bit(column: Column) -> u32 {
    1 << column as u32
}

macro_rules! columns {
    ($($method:ident $column:ident $variant:ident $type:ty;)*) => {
        impl flows::HostFlowBatch for State {
            fn len(&mut self, _: Resource<Lent>) -> wasmtime::Result<u32> {
                Ok(u32::try_from(self.batch()?.len())?)
            }

            fn first_row(&mut self, _: Resource<Lent>) -> wasmtime::Result<u32> {
                Ok(self.batch()?.first_row())
            }

            $(fn $method(&mut self, _: Resource<Lent>) -> wasmtime::Result<Vec<$type>> {
                match self.column(Column::$column)? {
                    Values::$variant(values) => {
                        self.bytes += size_of_val(values.as_slice()) as u64;
                        Ok(values)
                    }
                    _ => Err(wrong_type(Column::$column)),
                }
            })*

            /// Only owners drop, and a guest never owns a batch.
            fn drop(&mut self, _: Resource<Lent>) -> wasmtime::Result<()> {
                Ok(())
            }
        }
    };
}

columns! {
    start_time StartTime I64 i64;
    end_time EndTime I64 i64;
    direction Direction U8 u8;
    peer Peer U64 u64;
    peer_scope PeerScope U8 u8;
    peer_class PeerClass U32 u32;
    peer_role PeerRole U8 u8;
    peer_zone PeerZone U32 u32;
    peer_group PeerGroup U16 u16;
    peer_prevalence PeerPrevalence U32 u32;
    local_port LocalPort U16 u16;
    peer_port PeerPort U16 u16;
    protocol Protocol U8 u8;
    service Service U32 u32;
    bytes_sent BytesSent U64 u64;
    bytes_received BytesReceived U64 u64;
    packets_sent PacketsSent U64 u64;
    packets_received PacketsReceived U64 u64;
    conn_state ConnState U8 u8;
    minute_of_week MinuteOfWeek U16 u16;
    local_role LocalRole U8 u8;
}

impl flows::Host for State {}
impl types::Host for State {}

fn wrong_type(column: Column) -> wasmtime::Error {
    let column = column.name();
    Breach(format!("internal error of Wardflow, not of the plugin: column `{column}` came in another type")).into()
}
