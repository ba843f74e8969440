//! Numbers: three kinds, as in Alloy, so that the same sums come out.

use std::fmt;

/// A number. An operation on two kinds is done in the later of them, in the order of the variants.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A whole number that is not negative; what does not fit an `Int`, and numbers read from
    /// texts.
    Uint(u64),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
}

/// Two numbers brought to one kind.
pub(super) enum Pair {
    Uint(u64, u64),
    Int(i64, i64),
    Float(f64, f64),
}

// === impl Number ===

impl Number {
    /// As a signed number: a fraction is cut off, and what does not fit wraps as in Go.
    pub fn to_i64(self) -> i64 {
        match self {
            Self::Uint(value) => value as i64,
            Self::Int(value) => value,
            Self::Float(value) => value as i64,
        }
    }

    /// As an unsigned number: a fraction is cut off, and what does not fit wraps as in Go.
    pub fn to_u64(self) -> u64 {
        match self {
            Self::Uint(value) => value,
            Self::Int(value) => value as u64,
            Self::Float(value) => value as u64,
        }
    }

    /// As a float.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Uint(value) => value as f64,
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// As a whole number of any sign, with a fraction cut off; `None` if it has no such value.
    pub(super) fn whole(self) -> Option<i128> {
        match self {
            Self::Uint(value) => Some(value.into()),
            Self::Int(value) => Some(value.into()),
            // Every integer type ends well within this.
            Self::Float(value) if value.abs() < 1e30 => Some(value as i128),
            Self::Float(_) => None,
        }
    }

    pub(super) fn pair(self, other: Self) -> Pair {
        match (self, other) {
            (Self::Float(_), _) | (_, Self::Float(_)) => Pair::Float(self.to_f64(), other.to_f64()),
            (Self::Int(_), _) | (_, Self::Int(_)) => Pair::Int(self.to_i64(), other.to_i64()),
            (Self::Uint(a), Self::Uint(b)) => Pair::Uint(a, b),
        }
    }

    pub(super) fn is_zero(self) -> bool {
        match self {
            Self::Uint(value) => value == 0,
            Self::Int(value) => value == 0,
            Self::Float(value) => value == 0.0,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match self.pair(*other) {
            Pair::Uint(a, b) => a == b,
            Pair::Int(a, b) => a == b,
            Pair::Float(a, b) => a == b,
        }
    }
}

impl fmt::Display for Number {
    /// The shortest text that reads back as the same number, never with an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uint(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) if value.is_infinite() => {
                f.write_str(if *value > 0.0 { "+Inf" } else { "-Inf" })
            }
            Self::Float(value) => write!(f, "{value}"),
        }
    }
}
