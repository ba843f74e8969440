//! What Alloy has, so that what is missing here can be called by its name.

mod arguments;
mod blocks;

pub use arguments::{missing, note};
pub(super) use blocks::BLOCKS;
