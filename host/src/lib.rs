//! Wardflow runs medical-device makers' own behaviour models, shipped as sandboxed WebAssembly components, over a
//! hospital's flow archives, and answers in SQL.
//!
//! A module uses only its own floor and those below it:
//!
//! | floor | modules |
//! |---|---|
//! | 6 | [`workspace`] and `bindings`, then [`analyze`] and [`synthetic`], then [`catalog`], then [`kit`] |
//! | 5 | [`detect`] |
//! | 4 | [`archive`], [`lake`], [`sandbox`]: siblings, blind to each other |
//! | 3 | [`detector`]: the seam |
//! | 2 | [`config`], [`coverage`], [`device`], `disk`, [`error`], [`finding`], [`flow`], [`limits`], [`mapping`], [`nearest`], [`pseudonym`], [`time`], [`zone`] |
//! | 1 | the contract, `wit/` |

pub mod analyze;
pub mod archive;
mod bindings;
pub mod catalog;
pub mod config;
pub mod coverage;
pub mod detect;
pub mod detector;
pub mod device;
mod disk;
pub mod error;
pub mod evaluate;
pub mod exception;
mod files;
pub mod finding;
pub mod flow;
pub mod kit;
pub mod lake;
pub mod limits;
pub mod mapping;
pub mod nearest;
mod object_stores;
pub mod parameters;
mod path;
pub mod pseudonym;
pub mod reset;
pub mod sandbox;
pub mod synthetic;
pub mod time;
pub mod triage;
pub mod workspace;
pub mod zone;
