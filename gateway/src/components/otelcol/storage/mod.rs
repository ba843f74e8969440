//! Components with which others keep what they must not forget.

pub mod file;
