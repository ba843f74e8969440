//! What operators do to values.
//!
//! The rules are Alloy's, with their corners: both sides of `&&` and `||` are evaluated, whole
//! numbers wrap around, and a whole number to the power of a negative one is itself.

use super::number::Pair;
use super::{Number, OptionalSecret, Secret, Value};
use crate::token::TokenKind;

/// Which operand is wrong, and why.
#[derive(Debug, PartialEq)]
pub(crate) struct OperandError {
    pub(crate) right: bool,
    pub(crate) message: String,
}

/// Applies an operator to its operand.
pub(crate) fn unary(operator: TokenKind, operand: &Value) -> Result<Value, String> {
    match (operator, operand) {
        (_, Value::Unknown) => Ok(Value::Unknown),
        (TokenKind::Not, Value::Bool(value)) => Ok(Value::Bool(!value)),
        (TokenKind::Sub, Value::Number(Number::Float(value))) => Ok((-value).into()),
        (TokenKind::Sub, Value::Number(number)) => Ok(number.to_i64().wrapping_neg().into()),
        (TokenKind::Not, other) => Err(format!("should be bool, got {}", other.describe())),
        (_, other) => Err(format!("should be number, got {}", other.describe())),
    }
}

/// Applies an operator to its operands.
pub(crate) fn binary(
    left: &Value,
    operator: TokenKind,
    right: &Value,
) -> Result<Value, OperandError> {
    if left.has_unknown() || right.has_unknown() {
        return Ok(Value::Unknown);
    }
    match operator {
        TokenKind::Equal => return Ok(Value::Bool(equal(left, right))),
        TokenKind::NotEqual => return Ok(Value::Bool(!equal(left, right))),
        _ => {}
    }
    let (unified_left, unified_right) = unify(left, right);
    for (right_side, original, operand) in
        [(false, left, &unified_left), (true, right, &unified_right)]
    {
        if !accepts(operator, operand) {
            let wanted = wanted(operator);
            let message = format!(
                "should be {wanted} for {operator}, got {}",
                original.describe()
            );
            return Err(OperandError {
                right: right_side,
                message,
            });
        }
    }
    let mismatch = || OperandError {
        right: true,
        message: format!(
            "should be {}, as on the left, got {}",
            left.describe(),
            right.describe()
        ),
    };
    match (&unified_left, &unified_right) {
        (Value::Bool(a), Value::Bool(b)) => Ok(Value::Bool(match operator {
            TokenKind::And => *a && *b,
            _ => *a || *b,
        })),
        (Value::String(a), Value::String(b)) => Ok(match operator {
            TokenKind::Add => format!("{a}{b}").into(),
            _ => Value::Bool(compare(operator, a.partial_cmp(b))),
        }),
        (Value::Secret(a), Value::Secret(b)) => {
            let joined = format!("{}{}", a.expose(), b.expose());
            Ok(Value::Secret(Secret::new(joined)))
        }
        (Value::OptionalSecret(a), Value::OptionalSecret(b)) => {
            let joined = format!("{}{}", a.expose(), b.expose());
            Ok(Value::OptionalSecret(match a.is_secret || b.is_secret {
                true => OptionalSecret::secret(joined),
                false => OptionalSecret::plain(joined),
            }))
        }
        (Value::Number(a), Value::Number(b)) => {
            arithmetic(*a, operator, *b).map_err(|message| OperandError {
                right: true,
                message: message.to_owned(),
            })
        }
        _ => Err(mismatch()),
    }
}

fn accepts(operator: TokenKind, operand: &Value) -> bool {
    match operand {
        Value::Bool(_) => matches!(operator, TokenKind::And | TokenKind::Or),
        Value::Number(_) => !matches!(operator, TokenKind::And | TokenKind::Or),
        Value::String(_) => operator == TokenKind::Add || operator.precedence() == Some(3),
        Value::Secret(_) | Value::OptionalSecret(_) => operator == TokenKind::Add,
        _ => false,
    }
}

fn wanted(operator: TokenKind) -> &'static str {
    match operator {
        TokenKind::And | TokenKind::Or => "bool",
        TokenKind::Add => "number, string or secret",
        _ if operator.precedence() == Some(3) => "number or string",
        _ => "number",
    }
}

/// Brings a secret and a text to one type: whatever touches a secret becomes one.
fn unify(left: &Value, right: &Value) -> (Value, Value) {
    use Value::{OptionalSecret as Optional, String as Text};
    let secret = |text: &str| Value::Secret(Secret::new(text));
    let optional = |text: &str| Optional(OptionalSecret::secret(text));
    match (left, right) {
        (Optional(a), Value::Secret(_)) => (secret(a.expose()), right.clone()),
        (Value::Secret(_), Optional(b)) => (left.clone(), secret(b.expose())),
        (Value::Secret(_), Text(b)) => (left.clone(), secret(b)),
        (Text(a), Value::Secret(_)) => (secret(a), right.clone()),
        (Optional(a), Text(b)) if a.is_secret => (left.clone(), optional(b)),
        (Text(a), Optional(b)) if b.is_secret => (optional(a), right.clone()),
        (Optional(a), Text(_)) => (a.expose().into(), right.clone()),
        (Text(_), Optional(b)) => (left.clone(), b.expose().into()),
        _ => (left.clone(), right.clone()),
    }
}

pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| equal(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        (Value::Capsule(a), Value::Capsule(b)) => a == b,
        (Value::Secret(a), Value::Secret(b)) => a == b,
        (Value::OptionalSecret(a), Value::OptionalSecret(b)) => a == b,
        (Value::Secret(_) | Value::OptionalSecret(_), Value::String(_))
        | (Value::String(_), Value::Secret(_) | Value::OptionalSecret(_))
        | (Value::Secret(_), Value::OptionalSecret(_))
        | (Value::OptionalSecret(_), Value::Secret(_)) => {
            let (left, right) = unify(left, right);
            equal(&left, &right)
        }
        _ => false,
    }
}

fn compare(operator: TokenKind, order: Option<std::cmp::Ordering>) -> bool {
    match operator {
        TokenKind::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        TokenKind::LessEqual => order.is_some_and(std::cmp::Ordering::is_le),
        TokenKind::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        _ => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}

fn arithmetic(left: Number, operator: TokenKind, right: Number) -> Result<Value, &'static str> {
    if matches!(operator, TokenKind::Div | TokenKind::Mod) && right.is_zero() {
        return Err("is zero, and nothing can be divided by zero");
    }
    Ok(match left.pair(right) {
        Pair::Uint(a, b) => match operator {
            TokenKind::Add => a.wrapping_add(b).into(),
            TokenKind::Sub => a.wrapping_sub(b).into(),
            TokenKind::Mul => a.wrapping_mul(b).into(),
            TokenKind::Div => (a / b).into(),
            TokenKind::Mod => (a % b).into(),
            TokenKind::Pow => power(a, b).into(),
            _ => Value::Bool(compare(operator, a.partial_cmp(&b))),
        },
        Pair::Int(a, b) => match operator {
            TokenKind::Add => a.wrapping_add(b).into(),
            TokenKind::Sub => a.wrapping_sub(b).into(),
            TokenKind::Mul => a.wrapping_mul(b).into(),
            TokenKind::Div => a.wrapping_div(b).into(),
            TokenKind::Mod => a.wrapping_rem(b).into(),
            // Wrapping multiplication is the same for both signs.
            TokenKind::Pow if b >= 0 => (power(a as u64, b as u64) as i64).into(),
            TokenKind::Pow if a == 1 => 1i64.into(),
            TokenKind::Pow => a.into(),
            _ => Value::Bool(compare(operator, a.partial_cmp(&b))),
        },
        Pair::Float(a, b) => match operator {
            TokenKind::Add => (a + b).into(),
            TokenKind::Sub => (a - b).into(),
            TokenKind::Mul => (a * b).into(),
            TokenKind::Div => (a / b).into(),
            TokenKind::Mod => (a % b).into(),
            TokenKind::Pow => a.powf(b).into(),
            _ => Value::Bool(compare(operator, a.partial_cmp(&b))),
        },
    })
}

/// By squaring: an exponent may be any number.
fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut result = 1u64;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}
