//! What the tests share.

pub(crate) mod demo;
mod guest;
mod scratch;
mod transcript;

pub(crate) use demo::Demo;
pub(crate) use guest::guest;
pub(crate) use scratch::Scratch;
pub(crate) use transcript::check_transcript;
