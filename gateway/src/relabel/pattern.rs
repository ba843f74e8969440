//! Go's regular expressions, as rules have them, in Rust's.
//!
//! Both are RE2's syntax, with differences that would change silently what a rule matches: Go's `\d`,
//! `\w`, `\s` and `\b` mean ASCII, its classes know no `&&`, `--` and `~~`, a `[` in a class is a
//! letter, and `\Q...\E` quotes. They are written out here before the pattern is compiled.

use std::fmt;

use regex::{CaptureLocations, Regex, RegexBuilder};

/// Bytes of a pattern: far above what people write, and generated lists of names can be long.
const PATTERN_BYTES: usize = 64 << 10;

/// Bytes of the compiled form. A pattern with nested repetitions can ask for any amount.
const COMPILED_BYTES: usize = 4 << 20;

/// Bytes of the automaton that is built while matching, for each thread.
const CACHE_BYTES: usize = 1 << 20;

/// A pattern that matches whole texts, compiled.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    /// None for `(.*)`, the default, which matches everything and captures it.
    regex: Option<Regex>,
}

/// Why a pattern cannot be used: a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl fmt::Display for PatternError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

/// What a pattern captured of a text.
pub(super) enum Captures {
    /// All of it, as group 0 and 1.
    Whole,
    Groups(CaptureLocations),
}

impl Captures {
    /// The text of a group; empty if it took no part.
    pub(super) fn group<'t>(&self, number: usize, text: &'t str) -> &'t str {
        match self {
            Self::Whole if number < 2 => text,
            Self::Whole => "",
            Self::Groups(groups) => groups
                .get(number)
                .and_then(|(start, end)| text.get(start..end))
                .unwrap_or_default(),
        }
    }
}

impl Pattern {
    /// The pattern that a rule has when none is given.
    pub const DEFAULT: &'static str = "(.*)";

    /// Compiles a pattern in Go's syntax, which is to match whole texts.
    ///
    /// # Errors
    /// If it is no pattern, or one of which the compiled form is too large.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        if source.len() > PATTERN_BYTES {
            return Err(PatternError(format!(
                "the pattern has {} bytes, of which {PATTERN_BYTES} are allowed: split it over \
                 several rules",
                source.len()
            )));
        }
        let regex = match source {
            Self::DEFAULT => None,
            source => {
                let anchored = format!("^(?s:{})$", translate(source));
                let built = RegexBuilder::new(&anchored)
                    .size_limit(COMPILED_BYTES)
                    .dfa_size_limit(CACHE_BYTES)
                    .build();
                Some(built.map_err(|error| explain(source, &error))?)
            }
        };
        Ok(Self {
            source: source.to_owned(),
            regex,
        })
    }

    /// The pattern as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it matches the whole text.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }

    /// What it captures, if it matches the whole text.
    pub(super) fn captures(&self, text: &str) -> Option<Captures> {
        let Some(regex) = &self.regex else {
            return Some(Captures::Whole);
        };
        let mut groups = regex.capture_locations();
        regex.captures_read(&mut groups, text)?;
        Some(Captures::Groups(groups))
    }

    /// The number of the group of that name.
    pub(super) fn group_number(&self, name: &str) -> Option<usize> {
        let regex = self.regex.as_ref()?;
        regex.capture_names().position(|found| found == Some(name))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.source)
    }
}

fn explain(source: &str, error: &regex::Error) -> PatternError {
    let reason = match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("it compiles to more than {limit} bytes: repeat less, or split it")
        }
        // The library shows the pattern in several lines; its last says what is wrong.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    };
    PatternError(format!("{source:?} is not a regular expression: {reason}"))
}

/// A pattern of Go in the syntax of Rust.
fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 16);
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        rest = match character {
            '\\' => escape(rest, false, &mut out),
            '[' => class(rest, &mut out),
            _ => {
                out.push(character);
                &rest[character.len_utf8()..]
            }
        };
    }
    out
}

/// Writes the escape at the beginning of `rest` and gives back what is behind it.
fn escape<'r>(rest: &'r str, in_class: bool, out: &mut String) -> &'r str {
    let mut characters = rest.chars();
    characters.next();
    let Some(letter) = characters.next() else {
        out.push('\\');
        return "";
    };
    let behind = characters.as_str();
    match letter {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\t\n\f\r ]"),
        'S' => out.push_str(r"[^\t\n\f\r ]"),
        'b' if !in_class => out.push_str(r"(?-u:\b)"),
        'Q' if !in_class => {
            let (quoted, behind) = behind.split_once(r"\E").unwrap_or((behind, ""));
            out.push_str(&regex::escape(quoted));
            return behind;
        }
        letter => {
            out.push('\\');
            out.push(letter);
        }
    }
    behind
}

/// Writes the class in brackets at the beginning of `rest` and gives back what is behind it.
fn class<'r>(rest: &'r str, out: &mut String) -> &'r str {
    out.push('[');
    let mut rest = &rest[1..];
    if let Some(behind) = rest.strip_prefix('^') {
        out.push('^');
        rest = behind;
    }
    let mut is_first = true;
    while let Some(character) = rest.chars().next() {
        let behind = &rest[character.len_utf8()..];
        rest = match character {
            '\\' => escape(rest, true, out),
            ']' if !is_first => {
                out.push(']');
                return behind;
            }
            '[' if behind.starts_with(':') && behind.contains(":]") => {
                let end = rest.find(":]").map_or(rest.len(), |at| at + 2);
                out.push_str(&rest[..end]);
                &rest[end..]
            }
            ']' | '[' | '&' | '~' => {
                out.push('\\');
                out.push(character);
                behind
            }
            // Two of them are an operator in Rust, and a range that begins or ends with one in Go.
            '-' if behind.starts_with('-') => {
                out.push_str(r"\-");
                behind
            }
            _ => {
                out.push(character);
                behind
            }
        };
        is_first = false;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("a|b", &["a", "b"], &["ab", "xa", "ax", ""]),
            (".*", &["", "a\nb"], &[]),
            ("(.*)", &["", "a\nb"], &[]),
            (r"\d+", &["123"], &["١٢", "1a"]),
            (r"\w", &["_"], &["é"]),
            (r"[\w.-]+", &["a.b-c"], &["é", "a b"]),
            (r"[^\s]+", &["é\u{b}"], &["a b"]),
            (r".*\bfoo\b.*", &["éfooé", "a foo"], &["afoo"]),
            ("[a&&b]", &["a", "&", "b"], &["c"]),
            ("[[]a[]]", &["[a]"], &["a"]),
            ("[]a]", &["]", "a"], &[""]),
            ("[^]a]", &["b"], &["]", "a"]),
            ("[[:alpha:][]", &["a", "["], &["1", ":"]),
            (r"\Qa.b*\E+", &["a.b*", "a.b**"], &["axb"]),
            ("(?i)prod", &["PROD", "prod"], &["dev"]),
            ("(?P<x>a)(?:b)?", &["a", "ab"], &["b"]),
            (r"\pL+", &["é"], &["1"]),
            ("a#b c", &["a#b c"], &["ab c"]),
            ("", &[""], &["a"]),
        ];
        for (source, matching, others) in table {
            let pattern = Pattern::new(source).unwrap();
            for text in *matching {
                assert!(pattern.is_match(text), "{source} does not match {text:?}");
            }
            for text in *others {
                assert!(!pattern.is_match(text), "{source} matches {text:?}");
            }
        }
    }

    #[test]
    fn bad_patterns_are_refused_with_a_reason() {
        let table = [
            ("a(b", "unclosed group"),
            ("a{1000}{1000}{1000}", "compiles to more than"),
            ("[z-a]", "invalid character class range"),
        ];
        for (source, reason) in table {
            let error = Pattern::new(source).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains('\n'), "{error}");
        }
        let error = Pattern::new(&"a".repeat(PATTERN_BYTES + 1)).unwrap_err();
        assert!(error.to_string().contains("split it"), "{error}");
    }
}
