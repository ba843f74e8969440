//! The derives that make a struct the arguments of a block.
//!
//! They only list fields: decoding itself, and every message, is in `syntax::decode`, so that
//! what the derive generates stays a page that one can read with `cargo expand`.

mod arguments;
mod attributes;
mod block_enum;
mod exports;
mod keyword;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct the arguments of a block. Each field has one of:
///
/// - `#[attr]`, `#[attr(name = "type", default = "10s")]`: an attribute. `Option<T>` may be
///   missing; a default is a literal as it would stand in a file, or any expression. `file` says
///   that the value is the path of a file.
/// - `#[block]`, `#[block(name = "rule", default, min = 1)]`: a block. `Option<T>` may be missing,
///   `Vec<T>` may be repeated, `default` makes a missing block an empty one.
/// - `#[label]`: the block's label, a `String`.
/// - `#[squash]`: the fields of another struct of arguments appear here.
/// - `#[stages(prefix = "stage")]`: blocks of different names in one list, in source order.
///
/// `#[arguments(validate = Self::check)]` on the struct names a function that checks the whole.
#[proc_macro_derive(Arguments, attributes(arguments, attr, block, label, squash, stages))]
pub fn arguments(input: TokenStream) -> TokenStream {
    finish(arguments::derive(&parse_macro_input!(input as DeriveInput)))
}

/// Makes an enum without data the words that an attribute can be: `#[keyword("gzip")]`, or the
/// variant's name in snake case.
#[proc_macro_derive(Keyword, attributes(keyword))]
pub fn keyword(input: TokenStream) -> TokenStream {
    finish(keyword::derive(&parse_macro_input!(input as DeriveInput)))
}

/// Makes an enum of structs the blocks of one list: `#[block("json")] Json(Json)`.
#[proc_macro_derive(BlockEnum, attributes(block))]
pub fn block_enum(input: TokenStream) -> TokenStream {
    finish(block_enum::derive(&parse_macro_input!(
        input as DeriveInput
    )))
}

/// Makes a struct what a component exports: each field is an `#[attr]`.
#[proc_macro_derive(Exports, attributes(attr))]
pub fn exports(input: TokenStream) -> TokenStream {
    finish(exports::derive(&parse_macro_input!(input as DeriveInput)))
}

fn finish(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
