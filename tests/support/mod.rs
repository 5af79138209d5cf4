//! What the tests share.

pub(crate) mod demo;
mod scratch;
mod transcript;

pub(crate) use demo::Demo;
pub(crate) use scratch::Scratch;
pub(crate) use transcript::check_transcript;
