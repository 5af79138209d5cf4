//! Nothing: the tests are in `all.rs`. A library must be here for its dependencies to be the tests'.
