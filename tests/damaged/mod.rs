//! Data that is not what it says, through the command as a user has it: what is wrong is named, and the rest is done.

mod files;
mod lake;
mod many;
mod pages;
mod schema;
mod states;
mod support;
mod times;
