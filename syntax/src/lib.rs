//! Corten's configuration language, which is Grafana Alloy's: text in, typed values out.
//!
//! ```text
//! text -> lexer -> parser -> ast::File -> printer            (formatting)
//!                               |
//!                               +-> references               (the graph's edges)
//!                               +-> decode -> eval -> Value  (arguments)
//! ```
//!
//! Where it differs from Alloy, it does so on purpose (`docs/language.md` has the whole list):
//! - All mistakes of a file are reported, not one for each block; see [`parse()`] and [`decode()`].
//! - Printing never changes what a file says: strings, quoted keys and comments that Alloy's
//!   formatter would damage are kept; see [`print()`].
//! - Secrets taint: `string.format` and `encoding.to_json` of a secret give a secret, where Alloy
//!   shows it.
//! - A number that does not fit its argument is refused, where Alloy wraps it around.
//! - Strings are UTF-8: `"\xff"` and base64 of other bytes are refused.
//! - A tab before the first key of a YAML document is taken, where Alloy's reader refuses it.
//! - Everything has a limit: the size of a file, nesting, the height of an expression, steps and
//!   text of an evaluation, errors that are reported.
//! - `array.group_by` and objects keep the order of the source, where Alloy's is random.
//! - `encoding.from_base64` gives a text, where Alloy gives a list of numbers that becomes one.
//!
//! Nothing here knows of telemetry, reads a file or a clock. What the standard library wants of
//! the machine comes through [`stdlib::Environment`].

#![deny(missing_docs)]

// The derives name this crate from outside; its own tests use them too.
extern crate self as syntax;

pub mod ast;
pub mod decode;
mod diagnostic;
mod duration;
pub mod eval;
mod function;
mod lexer;
mod lint;
mod literal;
mod parser;
mod printer;
mod references;
mod render;
mod schema;
mod size;
mod source;
pub mod status;
pub mod stdlib;
mod suggest;
mod token;
pub mod value;
mod walk;

pub use corten_syntax_derive::{Arguments, BlockEnum, Exports, Keyword};
pub use decode::{Arguments, BlockEnum, Decoder, Exports, decode};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use duration::{format as format_duration, parse as parse_duration};
pub use eval::{Evaluator, Scope};
pub use function::{Arguments as CallArguments, Budget, Function, FunctionError, Limits};
pub use lexer::{Lexed, is_identifier, lex};
pub use lint::lint;
pub use parser::{EXPRESSION_HEIGHT_MAX, NESTING_MAX, parse, parse_expression};
pub use printer::print;
pub use references::{Reference, expression_references, references};
pub use schema::{Field, FieldKind, Schema};
pub use size::ByteSize;
pub use source::{FILE_BYTES_MAX, Position, SourceFile, Span};
pub use suggest::did_you_mean;
pub use token::{Token, TokenKind};
pub use value::{
    Capsule, CapsuleValue, FromValue, Number, Object, OptionalSecret, Secret, ToValue, Value,
    ValueError,
};
pub use walk::variables;
