//! The catalog: what SQL sees.
