//! `string.format`: Go's `Sprintf`, with its verbs, flags, widths, argument indexes, and its way to
//! show a mistake inside of the text instead of failing.
//!
//! A secret among the arguments makes the whole result a secret. (Alloy prints it.)

mod number;
mod printer;

use printer::{Flags, Printer};

use super::Call;
use crate::function::{Arguments, FunctionError};
use crate::value::{Number, Secret, Value};

/// The largest width or precision, as in Go.
const WIDTH_MAX: i64 = 1_000_000;

/// An argument, as Go would have it.
pub(super) enum Argument {
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    /// Sorted by key.
    Map(Vec<(String, Self)>),
    /// What Go would show the inside of; here it is its type's name.
    Opaque(&'static str),
}

pub(super) fn format(arguments: &Arguments<'_>) -> Call {
    let format: String = arguments.get(0)?;
    let mut secret = false;
    let values = arguments.values().iter().skip(1);
    let values = values
        .map(|value| Argument::new(value, &mut secret))
        .collect();
    let mut sprintf = Sprintf {
        format: format.as_bytes(),
        at: 0,
        arguments: values,
        argument: 0,
        good_index: true,
        reordered: false,
        printer: Printer::new(arguments.budget().text_left()),
    };
    let text = sprintf.run()?;
    let result = arguments.text(text)?;
    match (secret, result) {
        (true, Value::String(text)) => Ok(Value::Secret(Secret::new(&*text))),
        (_, result) => Ok(result),
    }
}

struct Sprintf<'a> {
    format: &'a [u8],
    at: usize,
    arguments: Vec<Argument>,
    /// The argument that is next.
    argument: usize,
    /// Whether the last argument index was a good one.
    good_index: bool,
    /// Whether there was an argument index at all.
    reordered: bool,
    printer: Printer,
}

// === impl Argument ===

impl Argument {
    fn new(value: &Value, secret: &mut bool) -> Self {
        match value {
            Value::Null => Self::Nil,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(Number::Int(value)) => Self::Int(*value),
            Value::Number(Number::Uint(value)) => {
                i64::try_from(*value).map_or(Self::Uint(*value), Self::Int)
            }
            Value::Number(Number::Float(value)) => Self::Float(*value),
            Value::String(text) => Self::Text(text.to_string()),
            Value::Array(values) => Self::List(
                values
                    .iter()
                    .map(|value| Self::new(value, secret))
                    .collect(),
            ),
            Value::Object(object) => {
                let field =
                    |(key, value): (&String, &Value)| (key.clone(), Self::new(value, secret));
                let mut fields: Vec<_> = object.iter().map(field).collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                Self::Map(fields)
            }
            Value::Secret(text) => {
                *secret = true;
                Self::Text(text.expose().to_owned())
            }
            Value::OptionalSecret(text) => {
                *secret |= text.is_secret;
                Self::Text(text.expose().to_owned())
            }
            Value::Capsule(capsule) => Self::Opaque(capsule.type_name()),
            Value::Function(_) => Self::Opaque("function"),
            Value::Unknown => Self::Opaque("unknown"),
        }
    }

    /// The name of its type in Go.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Opaque(name) => name,
        }
    }
}

// === impl Sprintf ===

impl Sprintf<'_> {
    fn run(&mut self) -> Result<String, FunctionError> {
        while self.at < self.format.len() {
            let rest = &self.format[self.at..];
            let plain = rest
                .iter()
                .position(|byte| *byte == b'%')
                .unwrap_or(rest.len());
            self.printer.text(&rest[..plain]);
            self.at += plain;
            if self.eat(b'%') && !self.directive()? {
                break;
            }
            self.printer.check()?;
        }
        if !self.reordered && self.argument < self.arguments.len() {
            self.extra();
        }
        // Every piece is UTF-8, or cut at a character.
        Ok(String::from_utf8_lossy(&self.printer.out).into_owned())
    }

    /// Reads and prints what follows a `%`; false at the end of the format.
    fn directive(&mut self) -> Result<bool, FunctionError> {
        self.good_index = true;
        self.printer.flags = self.flags();
        let mut after_index = self.index();
        if self.eat(b'*') {
            let width = self.star();
            self.printer.flags.width = width.map(i64::unsigned_abs).map(|width| width as usize);
            match width {
                None => self.printer.text(b"%!(BADWIDTH)"),
                Some(..0) => {
                    self.printer.flags.minus = true;
                    self.printer.flags.zero = false;
                }
                Some(_) => {}
            }
            after_index = false;
        } else {
            self.printer.flags.width = self.number();
            if after_index && self.printer.flags.width.is_some() {
                self.good_index = false;
            }
        }
        if self.at + 1 < self.format.len() && self.eat(b'.') {
            after_index = self.precision(after_index);
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = self.verb() else {
            self.printer.text(b"%!(NOVERB)");
            return Ok(false);
        };
        if verb == '%' {
            self.printer.text(b"%");
        } else if !self.good_index {
            self.printer.complain(verb, "BADINDEX");
        } else if let Some(argument) = self.arguments.get(self.argument) {
            self.printer.flags.for_verb(verb);
            self.printer
                .print(argument, verb, 0)
                .map_err(FunctionError::new)?;
            self.argument += 1;
        } else {
            self.printer.complain(verb, "MISSING");
        }
        Ok(true)
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(byte) = self.format.get(self.at) {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        flags
    }

    /// What follows the dot of a precision; whether it ends with an argument index.
    fn precision(&mut self, after_index: bool) -> bool {
        if after_index {
            self.good_index = false;
        }
        let after_index = self.index();
        if !self.eat(b'*') {
            self.printer.flags.precision = Some(self.number().unwrap_or(0));
            return after_index;
        }
        let precision = self
            .star()
            .and_then(|precision| usize::try_from(precision).ok());
        self.printer.flags.precision = precision;
        if precision.is_none() {
            self.printer.text(b"%!(BADPREC)");
        }
        false
    }

    /// Reads `[n]`, which makes the n-th argument the next; false if there is none.
    fn index(&mut self) -> bool {
        if self.format.get(self.at) != Some(&b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let length = rest
            .iter()
            .position(|byte| *byte == b']')
            .filter(|_| rest.len() > 2);
        let Some(length) = length else {
            self.good_index = false;
            self.at += 1;
            return false;
        };
        let inner = std::str::from_utf8(&rest[1..length]).unwrap_or_default();
        self.at += length + 1;
        let plain = inner.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<usize> = inner.parse().ok().filter(|_| plain);
        match number.filter(|number| (1..=self.arguments.len()).contains(number)) {
            Some(number) => {
                self.argument = number - 1;
                true
            }
            None => {
                self.good_index = false;
                // Go takes an index that is a number, but not that of an argument, for one.
                number.is_some()
            }
        }
    }

    /// A width or precision that an argument gives.
    fn star(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.argument)?;
        self.argument += 1;
        match argument {
            Argument::Int(value) if (-WIDTH_MAX..=WIDTH_MAX).contains(value) => Some(*value),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        let mut number = 0i64;
        while let Some(digit) = self
            .format
            .get(self.at)
            .filter(|byte| byte.is_ascii_digit())
        {
            if number > WIDTH_MAX {
                self.at = self.format.len();
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        (self.at > start).then_some(number as usize)
    }

    fn verb(&mut self) -> Option<char> {
        let rest = std::str::from_utf8(&self.format[self.at..]).ok()?;
        let verb = rest.chars().next()?;
        self.at += verb.len_utf8();
        Some(verb)
    }

    fn extra(&mut self) {
        self.printer.flags = Flags::default();
        self.printer.text(b"%!(EXTRA ");
        for (index, argument) in self.arguments.iter().skip(self.argument).enumerate() {
            if index > 0 {
                self.printer.text(b", ");
            }
            self.printer.typed(argument);
        }
        self.printer.text(b")");
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.format.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }
}
