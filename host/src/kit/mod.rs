//! The vendor kit: what the author of a plugin asks before a hospital does. It runs plugins as a hospital would, through
//! the operator, over flows that are made for it.
//!
//! | file | answers |
//! |---|---|
//! | [`bed`] | a workspace that is made for a moment |
//! | [`case`], [`flow_table`], [`gap_table`] | a test case: a directory with flows, devices and settings |
//! | [`trial`], [`seen`] | what a detector finds in a workspace |
//! | [`expected`] | does it find what the author expects? |
//! | [`probe`] | the same detector, given its flows otherwise; watched at work |
//! | [`inputs`], [`check`] | what would a hospital's host refuse or dislike? |
//! | [`measure`], [`null`] | what does it cost, beside a plugin that does nothing? |
//! | [`changes`], [`terms`] | what would another version find, and ask for? |
//! | [`capture`] | which flows lie behind a finding, fit to be sent to the maker? |
//! | [`scaffold`] | a new plugin's project |
//!
//! Absent: printing, and anything about wasmtime.

pub mod bed;
pub mod capture;
pub mod case;
pub mod changes;
pub mod check;
pub mod expected;
pub mod flow_table;
pub mod gap_table;
pub mod inputs;
pub mod measure;
pub mod null;
pub mod probe;
pub mod scaffold;
pub mod seen;
pub mod terms;
pub mod trial;
