//! The processor's structures.
