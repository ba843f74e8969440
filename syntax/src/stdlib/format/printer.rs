//! One argument by one verb.

use super::Argument;
use super::number::{Base, character, float, integer, quoted_character, unicode};
use crate::literal::{quote, quote_ascii};

/// What stands between the percent sign and the verb.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    /// `%#v`: Go's syntax.
    pub(super) sharp_v: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

pub(super) struct Printer {
    pub(super) out: Vec<u8>,
    pub(super) flags: Flags,
    /// How many bytes the text may have.
    room: usize,
}

// === impl Flags ===

impl Flags {
    /// With `v`, `#` asks for Go's syntax and `+` for the names of fields, which nothing has.
    pub(super) fn for_verb(&mut self, verb: char) {
        if matches!(verb, 'v' | 'w') {
            self.sharp_v = std::mem::take(&mut self.sharp);
            self.plus = false;
        }
    }
}

// === impl Printer ===

impl Printer {
    pub(super) fn new(room: usize) -> Self {
        Self {
            out: Vec::new(),
            flags: Flags::default(),
            room,
        }
    }

    /// Fails when the text is too long. What is written between two calls has a bound.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.out.len() > self.room {
            true => Err(format!(
                "the text gets too long (limit: text, {} bytes left)",
                self.room
            )),
            false => Ok(()),
        }
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
    }

    /// Shows a mistake: `%!d(MISSING)`.
    pub(super) fn complain(&mut self, verb: char, what: &str) {
        self.text(format!("%!{verb}({what})").as_bytes());
    }

    /// Shows a value with its type: `int=5`.
    pub(super) fn typed(&mut self, argument: &Argument) {
        self.text(argument.type_name().as_bytes());
        if !matches!(argument, Argument::Nil) {
            self.text(b"=");
            // If it gets too long here, the next check says so.
            let _ = self.print(argument, 'v', 0);
        }
    }

    pub(super) fn print(
        &mut self,
        argument: &Argument,
        verb: char,
        depth: usize,
    ) -> Result<(), String> {
        self.check()?;
        match argument {
            Argument::Nil if depth == 0 && matches!(verb, 'v' | 'T') => self.padded("<nil>"),
            _ if depth == 0 && verb == 'T' => self.string(argument.type_name()),
            // The verb for errors, of which there are none: said once, for the whole.
            Argument::List(_) | Argument::Map(_) if verb == 'w' => self.bad(argument, verb),
            Argument::Nil if depth > 0 && self.flags.sharp_v => self.text(b"interface {}(nil)"),
            Argument::Nil if depth > 0 => self.text(b"<nil>"),
            Argument::Bool(value) if matches!(verb, 't' | 'v') => self.padded(&value.to_string()),
            Argument::Int(value) => self.integer(argument, value.unsigned_abs(), *value < 0, verb),
            Argument::Uint(value) if verb == 'v' && self.flags.sharp_v => {
                self.flags.sharp = true;
                self.padded_number(integer(&self.flags, *value, false, Base::Hex, verb));
                self.flags.sharp = false;
            }
            Argument::Uint(value) => self.integer(argument, *value, false, verb),
            Argument::Float(value) => self.float(argument, *value, verb),
            Argument::Text(text) => self.string_by_verb(argument, text, verb),
            Argument::List(list) => self.list(list, verb, depth)?,
            Argument::Map(fields) => self.map(fields, verb, depth)?,
            Argument::Opaque(name) if matches!(verb, 'v' | 's') => {
                self.padded(&format!("({name})"))
            }
            Argument::Nil | Argument::Bool(_) | Argument::Opaque(_) => self.bad(argument, verb),
        }
        Ok(())
    }

    fn bad(&mut self, argument: &Argument, verb: char) {
        self.text(format!("%!{verb}(").as_bytes());
        self.typed(argument);
        self.text(b")");
    }

    fn integer(&mut self, argument: &Argument, magnitude: u64, negative: bool, verb: char) {
        // What a character is made of, where a negative number is none.
        let code = if negative { u64::MAX } else { magnitude };
        let base = match verb {
            'v' | 'd' => Base::Decimal,
            'b' => Base::Binary,
            'o' | 'O' => Base::Octal,
            'x' => Base::Hex,
            'X' => Base::UpperHex,
            'c' => return self.padded(character(code).encode_utf8(&mut [0; 4])),
            'q' => {
                let text = quoted_character(code, self.flags.plus);
                return self.padded(&text);
            }
            'U' => {
                let code = if negative {
                    magnitude.wrapping_neg()
                } else {
                    magnitude
                };
                let text = unicode(&self.flags, code);
                return self.padded_number(text);
            }
            _ => return self.bad(argument, verb),
        };
        let text = integer(&self.flags, magnitude, negative, base, verb);
        self.padded_number(text);
    }

    fn float(&mut self, argument: &Argument, value: f64, verb: char) {
        let (kind, precision) = match verb {
            'v' => ('g', None),
            'g' | 'G' => (verb, None),
            'f' | 'F' => ('f', Some(6)),
            'e' | 'E' => (verb, Some(6)),
            'b' | 'x' | 'X' => (verb, None),
            _ => return self.bad(argument, verb),
        };
        let text = float(&self.flags, value, kind, self.flags.precision.or(precision));
        let finite = value.is_finite();
        let zeros = self.flags.zero && !self.flags.minus && finite;
        match self.flags.width {
            // The sign is in front of the zeros.
            Some(width) if zeros && text.starts_with(['+', '-', ' ']) && width > text.len() => {
                self.text(&text.as_bytes()[..1]);
                self.out
                    .extend(std::iter::repeat_n(b'0', width - text.len()));
                self.text(&text.as_bytes()[1..]);
            }
            _ if finite => self.padded(&text),
            _ => self.padded_number(text),
        }
    }

    fn string_by_verb(&mut self, argument: &Argument, text: &str, verb: char) {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.string(text),
            'q' => self.quoted(text),
            'x' | 'X' => self.hex(text.as_bytes(), verb),
            _ => self.bad(argument, verb),
        }
    }

    fn string(&mut self, text: &str) {
        let cut = self.cut(text).to_owned();
        self.padded(&cut);
    }

    fn quoted(&mut self, text: &str) {
        let text = self.cut(text);
        let backquotable =
            |ch: char| ch == '\t' || !(ch < ' ' || matches!(ch, '`' | '\u{7f}' | '\u{feff}'));
        let quoted = match self.flags {
            Flags { sharp: true, .. } if text.chars().all(backquotable) => format!("`{text}`"),
            Flags { plus: true, .. } => quote_ascii(text),
            _ => quote(text),
        };
        self.padded(&quoted);
    }

    fn hex(&mut self, bytes: &[u8], verb: char) {
        let bytes = &bytes[..self.flags.precision.unwrap_or(usize::MAX).min(bytes.len())];
        let prefix = match (self.flags.sharp, verb) {
            (false, _) => "",
            (true, 'X') => "0X",
            (true, _) => "0x",
        };
        let byte = |byte: &u8| match verb {
            'X' => format!("{byte:02X}"),
            _ => format!("{byte:02x}"),
        };
        let text = match (bytes.is_empty(), self.flags.space) {
            (true, _) => String::new(),
            (_, true) => {
                let parts: Vec<String> = bytes
                    .iter()
                    .map(|b| format!("{prefix}{}", byte(b)))
                    .collect();
                parts.join(" ")
            }
            (_, false) => prefix
                .chars()
                .chain(bytes.iter().map(byte).collect::<String>().chars())
                .collect(),
        };
        self.padded(&text);
    }

    fn list(&mut self, list: &[Argument], verb: char, depth: usize) -> Result<(), String> {
        let go = self.flags.sharp_v;
        self.text(if go { b"[]interface {}{" } else { b"[" });
        for (index, element) in list.iter().enumerate() {
            if index > 0 {
                self.text(if go { b", " } else { b" " });
            }
            self.print(element, verb, depth + 1)?;
        }
        self.text(if go { b"}" } else { b"]" });
        Ok(())
    }

    fn map(
        &mut self,
        fields: &[(String, Argument)],
        verb: char,
        depth: usize,
    ) -> Result<(), String> {
        let go = self.flags.sharp_v;
        self.text(if go {
            b"map[string]interface {}{"
        } else {
            b"map["
        });
        for (index, (key, value)) in fields.iter().enumerate() {
            if index > 0 {
                self.text(if go { b", " } else { b" " });
            }
            self.print(&Argument::Text(key.clone()), verb, depth + 1)?;
            self.text(b":");
            self.print(value, verb, depth + 1)?;
        }
        self.text(if go { b"}" } else { b"]" });
        Ok(())
    }

    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let end = self
            .flags
            .precision
            .and_then(|precision| text.char_indices().nth(precision));
        end.map_or(text, |(at, _)| &text[..at])
    }

    /// Fills up to the width; zeros only on the left.
    fn padded(&mut self, text: &str) {
        let missing = self
            .flags
            .width
            .unwrap_or(0)
            .saturating_sub(text.chars().count());
        let fill = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        let padding = std::iter::repeat_n(fill, missing);
        match self.flags.minus {
            true => {
                self.text(text.as_bytes());
                self.out.extend(padding);
            }
            false => {
                self.out.extend(padding);
                self.text(text.as_bytes());
            }
        }
    }

    /// The same for what has its zeros already.
    fn padded_number(&mut self, text: String) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.padded(&text);
        self.flags.zero = zero;
    }
}
