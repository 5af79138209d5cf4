//! The lake: the result tables, and the states between slices.
