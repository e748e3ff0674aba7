//! Volumes of protected files, on the host and for those who hold a key: the library behind `twine volume`.
#![forbid(unsafe_code)]

pub mod store;
