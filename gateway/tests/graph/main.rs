//! The engine, told as stories.

mod foreach;
mod imports;
mod modules;
mod parts;
mod reload;
mod remote;
mod scale;
mod server;
