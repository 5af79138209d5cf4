//! The loop above the operator: slice after slice, each committed as one unit.
