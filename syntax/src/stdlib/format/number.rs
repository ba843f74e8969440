//! Numbers as Go's verbs write them.

use super::printer::Flags;
use crate::literal::{quote, quote_ascii};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Binary,
    Octal,
    Decimal,
    Hex,
    UpperHex,
}

/// A whole number with its sign, its prefix and its leading zeros.
pub(super) fn integer(
    flags: &Flags,
    magnitude: u64,
    negative: bool,
    base: Base,
    verb: char,
) -> String {
    let sign = match flags {
        _ if negative => "-",
        Flags { plus: true, .. } => "+",
        Flags { space: true, .. } => " ",
        _ => "",
    };
    let digits_min = match (flags.precision, flags.width) {
        (Some(0), _) if magnitude == 0 => return String::new(),
        (Some(precision), _) => precision,
        (None, Some(width)) if flags.zero && !flags.minus => width.saturating_sub(sign.len()),
        _ => 0,
    };
    let digits = match base {
        Base::Binary => format!("{magnitude:b}"),
        Base::Octal => format!("{magnitude:o}"),
        Base::Decimal => magnitude.to_string(),
        Base::Hex => format!("{magnitude:x}"),
        Base::UpperHex => format!("{magnitude:X}"),
    };
    let zeros = "0".repeat(digits_min.saturating_sub(digits.len()));
    let prefix = match base {
        _ if verb == 'O' => "0o",
        _ if !flags.sharp => "",
        Base::Binary => "0b",
        Base::Octal if zeros.is_empty() && !digits.starts_with('0') => "0",
        Base::Hex => "0x",
        Base::UpperHex => "0X",
        _ => "",
    };
    // With both `#` and `O` a leading zero is a digit, as Go has it.
    let octal = verb == 'O' && flags.sharp && zeros.is_empty() && !digits.starts_with('0');
    let octal = if octal { "0" } else { "" };
    format!("{sign}{prefix}{octal}{zeros}{digits}")
}

/// The character of a code; the replacement character if there is none.
pub(super) fn character(code: u64) -> char {
    u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// A character in single quotes.
pub(super) fn quoted_character(code: u64, ascii: bool) -> String {
    let ch = character(code);
    let quoted = match ch {
        '\'' => "\\'".to_owned(),
        '"' => "\"".to_owned(),
        ch => {
            let text = ch.to_string();
            let quoted = if ascii {
                quote_ascii(&text)
            } else {
                quote(&text)
            };
            quoted[1..quoted.len() - 1].to_owned()
        }
    };
    format!("'{quoted}'")
}

/// `U+0041`, and with `#` the character as well.
pub(super) fn unicode(flags: &Flags, code: u64) -> String {
    let digits = flags.precision.unwrap_or(4).max(4);
    let hex = format!("{code:X}");
    let text = format!("U+{}{hex}", "0".repeat(digits.saturating_sub(hex.len())));
    let shown = u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .map(String::from);
    match shown.filter(|shown| flags.sharp && quote(shown).len() == shown.len() + 2) {
        Some(shown) => format!("{text} '{shown}'"),
        None => text,
    }
}

/// A number with a fraction, by `b`, `e`, `E`, `f`, `g`, `G`, `x` or `X`. Without a precision it has as many
/// digits as it needs to read back as the same number.
pub(super) fn float(flags: &Flags, value: f64, verb: char, precision: Option<usize>) -> String {
    let negative = value.is_sign_negative() && !value.is_nan();
    let sign = match flags {
        _ if negative => "-",
        Flags { plus: true, .. } => "+",
        Flags { space: true, .. } => " ",
        _ => "",
    };
    if !value.is_finite() {
        // Go shows the sign of infinity always.
        return match (value.is_nan(), sign) {
            (true, sign) => format!("{sign}NaN"),
            (false, "") => "Inf".to_owned(),
            (false, sign) => format!("{sign}Inf"),
        };
    }
    let magnitude = value.abs();
    let digits = match verb {
        'f' => match precision {
            Some(precision) => {
                let (shown, zeros) = within_digits(precision);
                format!("{magnitude:.shown$}{zeros}")
            }
            None => format!("{magnitude}"),
        },
        'e' | 'E' => scientific(magnitude, precision),
        'b' => binary(magnitude),
        'x' | 'X' => hexadecimal(magnitude, precision),
        _ => general(magnitude, precision),
    };
    let digits = if flags.sharp && verb != 'b' {
        sharpened(&digits, verb, precision)
    } else {
        digits
    };
    let digits = match verb {
        'E' | 'G' | 'X' => digits.to_uppercase(),
        _ => digits,
    };
    format!("{sign}{digits}")
}

/// `1.5e+06`: an exponent has at least two digits.
fn scientific(magnitude: f64, precision: Option<usize>) -> String {
    let (shown, zeros) = within_digits(precision.unwrap_or(0));
    let text = match precision {
        Some(_) => format!("{magnitude:.shown$e}"),
        None => format!("{magnitude:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}{zeros}e{sign}{exponent:0>2}")
}

/// The bits of a float behind the point, where it has a one in front of it.
const FRACTION_BITS: u32 = 52;

/// The whole number and the power of two that a float is made of.
fn parts(magnitude: f64) -> (u64, i32) {
    let bits = magnitude.to_bits();
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    // The smallest floats have no one in front of the point.
    match (bits >> FRACTION_BITS) as i32 {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << FRACTION_BITS, exponent - 1075),
    }
}

/// `4503599627370496p-52`: a whole number and a power of two.
fn binary(magnitude: f64) -> String {
    let (whole, exponent) = parts(magnitude);
    format!("{whole}p{exponent:+}")
}

/// `0x1.8p+01`: hexadecimal digits and a power of two.
fn hexadecimal(magnitude: f64, precision: Option<usize>) -> String {
    const DIGITS: usize = FRACTION_BITS as usize / 4;
    let (mut whole, mut exponent) = parts(magnitude);
    if whole == 0 {
        exponent = 0;
    } else {
        let shift = whole.leading_zeros() - (63 - FRACTION_BITS);
        whole <<= shift;
        exponent += FRACTION_BITS as i32 - shift as i32;
    }
    if let Some(dropped) = precision.filter(|digits| *digits < DIGITS) {
        // To the nearest, and in the middle to the even one.
        let bits = 4 * (DIGITS - dropped) as u32;
        let (kept, rest, half) = (whole >> bits, whole & ((1 << bits) - 1), 1 << (bits - 1));
        let up = rest > half || rest == half && kept & 1 == 1;
        whole = (kept + u64::from(up)) << bits;
        if whole >> (FRACTION_BITS + 1) > 0 {
            whole >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:013x}", whole & ((1 << FRACTION_BITS) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(digits) if digits < DIGITS => fraction[..digits].to_owned(),
        Some(digits) => fraction + &"0".repeat(digits - DIGITS),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let (sign, power) = (
        if exponent < 0 { '-' } else { '+' },
        exponent.unsigned_abs(),
    );
    format!(
        "0x{}{point}{fraction}p{sign}{power:02}",
        whole >> FRACTION_BITS
    )
}

/// The most digits that a float has behind its point; all others are zeros.
const FRACTION_DIGITS_MAX: usize = 1_100;

/// A precision as far as there are digits, and the zeros behind them.
fn within_digits(precision: usize) -> (usize, String) {
    let shown = precision.min(FRACTION_DIGITS_MAX);
    (shown, "0".repeat(precision - shown))
}

/// An exponent where it is below -4 or too large for the digits, without trailing zeros.
fn general(magnitude: f64, precision: Option<usize>) -> String {
    let digits_max = precision.map(|precision| precision.max(1));
    let text = match digits_max {
        Some(digits) => format!("{magnitude:.*e}", within_digits(digits - 1).0),
        None => format!("{magnitude:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let significant = digits.replace('.', "");
    let significant = significant.trim_end_matches('0').len().max(1) as i64;
    let limit = match digits_max {
        None => 6,
        Some(digits) if digits as i64 > significant && significant > exponent => significant,
        Some(digits) => digits as i64,
    };
    if exponent < -4 || exponent >= limit {
        return scientific(magnitude, Some(significant as usize - 1));
    }
    let decimals = (significant - exponent - 1).max(0) as usize;
    format!("{magnitude:.decimals$}")
}

/// With `#` there is always a point, and `g` keeps its trailing zeros.
fn sharpened(text: &str, verb: char, precision: Option<usize>) -> String {
    let exponent = if matches!(verb, 'x' | 'X') { 'p' } else { 'e' };
    let (digits, exponent) = match text.find(exponent) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let mut digits = digits.to_owned();
    let wanted = match verb {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let seen = digits
        .trim_start_matches(['0', '.'])
        .bytes()
        .filter(|b| *b != b'.')
        .count();
    // A lone zero in front of the point counts as a digit.
    let seen = if digits == "0" { 1 } else { seen };
    if !digits.contains('.') {
        digits.push('.');
    }
    digits.push_str(&"0".repeat(wanted.saturating_sub(seen)));
    digits + exponent
}
