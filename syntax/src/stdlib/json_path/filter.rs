//! The condition of a filter.
//!
//! A path that finds something is true by itself, whatever it finds; in a comparison it stands for
//! what it finds. One that finds several things matches if any of them does.

use regex::{Regex, RegexBuilder};

use super::{Search, Step};
use crate::value::{Number, Value};

/// The largest compiled regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What compiling one costs, in steps of the evaluation.
const REGEX_STEPS: usize = 1_000;

/// A filter with several paths that find several things tries all combinations, up to this many.
const COMBINATIONS_MAX: usize = 10_000;

#[derive(Debug)]
pub(super) struct Filter {
    condition: Expression,
}

#[derive(Debug)]
pub(super) enum Expression {
    Value(Value),
    Nothing,
    List(Vec<Value>),
    Regex(Regex),
    Path(Vec<Step>),
    Group(Box<Self>),
    Not(Box<Self>),
    Binary(Box<Self>, Operator, Box<Self>),
    Length(Box<Self>),
    Count(Box<Self>),
    /// Whether a text matches as a whole (`match`) or somewhere (`search`).
    Match {
        text: Box<Self>,
        pattern: Box<Self>,
        whole: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Or,
    And,
    Add,
    Sub,
    Mul,
    Div,
    In,
    Empty,
    Has,
    Regex,
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
enum Outcome<'a> {
    Value(Value),
    /// Found by a path.
    Found(&'a Value),
    Nothing,
}

/// Which of the things that its paths found are tried now.
struct Choice {
    left: usize,
    total: usize,
}

// === impl Operator ===

impl Operator {
    /// Longer ones before their beginnings.
    pub(super) const ALL: [(&'static str, Self); 18] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::LessEqual),
        (">=", Self::GreaterEqual),
        ("||", Self::Or),
        ("&&", Self::And),
        ("~=", Self::Regex),
        ("=~", Self::Regex),
        ("<", Self::Less),
        (">", Self::Greater),
        ("+", Self::Add),
        ("-", Self::Sub),
        ("*", Self::Mul),
        ("/", Self::Div),
        ("in", Self::In),
        ("empty", Self::Empty),
        ("has", Self::Has),
        ("exists", Self::Has),
    ];

    /// How strongly it binds. `&&` and `||` bind alike.
    pub(super) fn strength(self) -> u8 {
        match self {
            Self::Or | Self::And => 0,
            Self::Add | Self::Sub => 2,
            Self::Mul | Self::Div => 3,
            _ => 1,
        }
    }
}

// === impl Expression ===

impl Expression {
    pub(super) fn regex(pattern: &str) -> Result<Self, String> {
        regex(pattern)
            .map(Self::Regex)
            .ok_or_else(|| format!("is no JSON path: {pattern:?} is no regular expression"))
    }

    /// A call of a function; `None` if there is no such function.
    pub(super) fn call(name: &str, left: Self, right: Option<Self>) -> Option<Self> {
        let left = Box::new(left);
        Some(match (name, right) {
            ("length", None) => Self::Length(left),
            ("count", None) => Self::Count(left),
            ("match" | "search", Some(pattern)) => Self::Match {
                text: left,
                pattern: Box::new(pattern),
                whole: name == "match",
            },
            _ => return None,
        })
    }
}

fn regex(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .ok()
}

// === impl Filter ===

impl Filter {
    pub(super) fn new(condition: Expression) -> Self {
        Self { condition }
    }

    /// Whether the filter lets an element through.
    pub(super) fn matches<'a>(
        &self,
        search: &Search<'a, '_>,
        at: &'a Value,
    ) -> Result<bool, String> {
        let mut combination = 0;
        loop {
            let mut choice = Choice {
                left: combination,
                total: 1,
            };
            let outcome = eval(&self.condition, search, at, &mut choice)?;
            if outcome.is_true() {
                return Ok(true);
            }
            combination += 1;
            if combination >= choice.total.min(COMBINATIONS_MAX) {
                return Ok(false);
            }
        }
    }
}

// === impl Choice ===

impl Choice {
    fn among(&mut self, count: usize) -> usize {
        let index = self.left % count;
        self.left /= count;
        self.total = self.total.saturating_mul(count);
        index
    }
}

// === impl Outcome ===

impl Outcome<'_> {
    fn is_true(&self) -> bool {
        match self {
            Self::Found(_) => true,
            Self::Value(value) => matches!(value, Value::Bool(true)),
            Self::Nothing => false,
        }
    }

    fn value(&self) -> Option<&Value> {
        match self {
            Self::Found(value) => Some(value),
            Self::Value(value) => Some(value),
            Self::Nothing => None,
        }
    }
}

fn eval<'a>(
    expression: &Expression,
    search: &Search<'a, '_>,
    at: &'a Value,
    choice: &mut Choice,
) -> Result<Outcome<'a>, String> {
    search.budget.take_steps(1)?;
    let mut part = |inner: &Expression| eval(inner, search, at, choice);
    let boolean = |value: bool| Outcome::Value(value.into());
    Ok(match expression {
        Expression::Value(value) => Outcome::Value(value.clone()),
        Expression::List(list) => Outcome::Value(Value::array(list.iter().cloned())),
        Expression::Nothing | Expression::Regex(_) => Outcome::Nothing,
        Expression::Path(steps) => {
            let found = search.get(at, steps)?;
            let chosen = if found.len() > 1 {
                choice.among(found.len())
            } else {
                0
            };
            found
                .get(chosen)
                .map_or(Outcome::Nothing, |value| Outcome::Found(value))
        }
        // In parentheses a path is what it finds.
        Expression::Group(inner) => match part(inner)? {
            Outcome::Found(value) => Outcome::Value(value.clone()),
            other => other,
        },
        Expression::Not(inner) => boolean(!part(inner)?.is_true()),
        Expression::Binary(left, Operator::Regex, right) => {
            let text = part(left)?;
            let pattern = match &**right {
                Expression::Regex(regex) => Some(regex.clone()),
                pattern => compiled(part(pattern)?.value(), search, |pattern| pattern.to_owned())?,
            };
            let text = text.value().and_then(text_of);
            boolean(
                pattern
                    .zip(text)
                    .is_some_and(|(regex, text)| regex.is_match(text)),
            )
        }
        Expression::Binary(left, operator, right) => {
            let (left, right) = (part(left)?, part(right)?);
            binary(&left, *operator, &right)
        }
        Expression::Length(inner) => match part(inner)?.value() {
            Some(Value::String(text)) => Outcome::Value(count(text.len())),
            Some(Value::Array(list)) => Outcome::Value(count(list.len())),
            Some(Value::Object(fields)) => Outcome::Value(count(fields.len())),
            _ => Outcome::Nothing,
        },
        Expression::Count(inner) => match &**inner {
            Expression::Path(steps) => Outcome::Value(count(search.get(at, steps)?.len())),
            _ => Outcome::Nothing,
        },
        Expression::Match {
            text,
            pattern,
            whole,
        } => {
            let (text, pattern) = (part(text)?, part(pattern)?);
            let full = |pattern: &str| {
                if *whole {
                    anchored(pattern)
                } else {
                    pattern.to_owned()
                }
            };
            let pattern = pattern
                .value()
                .filter(|pattern| text_of(pattern) != Some(""));
            let pattern = compiled(pattern, search, full)?;
            let text = text.value().and_then(text_of);
            let matches = pattern.zip(text).map(|(regex, text)| regex.is_match(text));
            matches.map_or(Outcome::Nothing, boolean)
        }
    })
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn count(count: usize) -> Value {
    Value::from(count as i64)
}

/// A text as a regular expression; none if it is not one.
fn compiled(
    pattern: Option<&Value>,
    search: &Search<'_, '_>,
    full: impl Fn(&str) -> String,
) -> Result<Option<Regex>, String> {
    let pattern = pattern.and_then(text_of);
    search.budget.take_steps(REGEX_STEPS)?;
    Ok(pattern.and_then(|pattern| regex(&full(pattern))))
}

fn anchored(pattern: &str) -> String {
    let start = if pattern.starts_with('^') { "" } else { "^" };
    let end = if pattern.ends_with('$') { "" } else { "$" };
    format!("{start}{pattern}{end}")
}

fn binary<'a>(left: &Outcome<'a>, operator: Operator, right: &Outcome<'a>) -> Outcome<'a> {
    let boolean = |value: bool| Outcome::Value(value.into());
    match operator {
        Operator::Or => boolean(left.is_true() || right.is_true()),
        Operator::And => boolean(left.is_true() && right.is_true()),
        Operator::Equal => boolean(equal(left, right)),
        Operator::NotEqual => boolean(!equal(left, right)),
        Operator::Has => match right.value() {
            Some(Value::Bool(wanted)) => boolean(*wanted == left.value().is_some()),
            _ => boolean(false),
        },
        Operator::Empty => match (left.value().and_then(is_empty), right.value()) {
            (Some(empty), Some(Value::Bool(wanted))) => boolean(*wanted == empty),
            _ => boolean(false),
        },
        Operator::In => match (left.value(), right.value()) {
            (Some(value), Some(Value::Array(list))) => {
                boolean(list.iter().any(|element| element.equals(value)))
            }
            _ => boolean(false),
        },
        Operator::Add | Operator::Sub | Operator::Mul | Operator::Div => {
            arithmetic(left.value(), operator, right.value())
                .map_or(Outcome::Nothing, Outcome::Value)
        }
        _ => boolean(ordered(left.value(), operator, right.value())),
    }
}

fn is_empty(value: &Value) -> Option<bool> {
    match value {
        Value::String(text) => Some(text.is_empty()),
        Value::Array(list) => Some(list.is_empty()),
        Value::Object(fields) => Some(fields.is_empty()),
        _ => None,
    }
}

fn equal(left: &Outcome<'_>, right: &Outcome<'_>) -> bool {
    match (left.value(), right.value()) {
        (None, None) => true,
        (Some(a), Some(b)) => a.equals(b),
        _ => false,
    }
}

fn ordered(left: Option<&Value>, operator: Operator, right: Option<&Value>) -> bool {
    let order = match (left, right) {
        (Some(Value::Number(Number::Int(a))), Some(Value::Number(Number::Int(b)))) => {
            a.partial_cmp(b)
        }
        (Some(Value::Number(a)), Some(Value::Number(b))) => a.to_f64().partial_cmp(&b.to_f64()),
        (Some(Value::String(a)), Some(Value::String(b))) => a.partial_cmp(b),
        _ => None,
    };
    order.is_some_and(|order| match operator {
        Operator::Less => order.is_lt(),
        Operator::LessEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn arithmetic(left: Option<&Value>, operator: Operator, right: Option<&Value>) -> Option<Value> {
    let (a, b) = match (left?, right?) {
        (Value::String(a), Value::String(b)) if operator == Operator::Add => {
            return Some(format!("{a}{b}").into());
        }
        (Value::Number(a), Value::Number(b)) => (a, b),
        _ => return None,
    };
    if let (Number::Int(a), Number::Int(b)) = (*a, *b) {
        return Some(match operator {
            Operator::Add => a.wrapping_add(b).into(),
            Operator::Sub => a.wrapping_sub(b).into(),
            Operator::Mul => a.wrapping_mul(b).into(),
            _ if b == 0 => return None,
            _ => a.wrapping_div(b).into(),
        });
    }
    let (a, b) = (a.to_f64(), b.to_f64());
    Some(match operator {
        Operator::Add => (a + b).into(),
        Operator::Sub => (a - b).into(),
        Operator::Mul => (a * b).into(),
        _ if b == 0.0 => return None,
        _ => (a / b).into(),
    })
}
