//! Components that look at the machine they run on.

pub mod file;
