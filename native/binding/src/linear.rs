//! Packed linear layers.
