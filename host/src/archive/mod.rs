//! The archive: flow files, and the readers of foreign formats.
