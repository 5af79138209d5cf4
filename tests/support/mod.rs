//! What the tests share.

pub(crate) mod demo;
#[path = "../fuzz/doors.rs"]
pub(crate) mod doors;
pub(crate) mod ended;
pub(crate) mod guest;
pub(crate) mod hostile;
pub(crate) mod scratch;
mod transcript;

pub(crate) use demo::{Demo, FEW};
pub(crate) use ended::Moments;
pub(crate) use guest::guest;
pub(crate) use scratch::{Ran, Scratch};
pub(crate) use transcript::check_transcript;
