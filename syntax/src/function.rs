//! Functions as values, and the budget they work within.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use crate::value::{FromValue, Value};

/// What one evaluation may use. The language has no loops, so these are only ever reached by an
/// expression that was built to reach them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Expressions evaluated and elements handled by functions: ten million take about a
    /// second.
    pub steps: u64,
    /// The bytes of text that operators and functions may make, in all.
    pub text_bytes: u64,
}

/// What is left of the limits in an evaluation.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    steps: Cell<u64>,
    text_bytes: Cell<u64>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionError {
    /// The argument at fault, if it is one, counted from 0.
    pub argument: Option<usize>,
    /// What is wrong. For an argument it follows the argument: "should be string, got number".
    pub message: String,
}

type Body = dyn Fn(&Arguments<'_>) -> Result<Value, FunctionError> + Send + Sync;

/// A function as a value.
#[derive(Clone)]
pub struct Function {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    arguments_min: usize,
    arguments_max: Option<usize>,
    body: Box<Body>,
}

/// The arguments of a call.
#[derive(Debug)]
pub struct Arguments<'a> {
    values: &'a [Value],
    budget: &'a Budget,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 10_000_000,
            text_bytes: 16 << 20,
        }
    }
}

// === impl Budget ===

impl Budget {
    /// A budget with everything in it.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            steps: Cell::new(limits.steps),
            text_bytes: Cell::new(limits.text_bytes),
        }
    }

    /// Takes steps out of the budget.
    ///
    /// # Errors
    /// Names the limit when nothing is left.
    pub fn take_steps(&self, count: usize) -> Result<(), String> {
        let left = self.steps.get().checked_sub(count as u64);
        self.steps.set(left.unwrap_or(0));
        left.map(drop).ok_or_else(|| {
            format!(
                "the evaluation takes too long (limit: steps, {})",
                self.limits.steps
            )
        })
    }

    /// Takes bytes of text out of the budget.
    ///
    /// # Errors
    /// Names the limit when nothing is left.
    pub fn take_text(&self, bytes: usize) -> Result<(), String> {
        let left = self.text_bytes.get().checked_sub(bytes as u64);
        self.text_bytes.set(left.unwrap_or(0));
        left.map(drop).ok_or_else(|| {
            format!(
                "the texts get too long (limit: text, {} bytes)",
                self.limits.text_bytes
            )
        })
    }

    /// The bytes of text that may still be made: how far a function that multiplies may go.
    pub fn text_left(&self) -> usize {
        usize::try_from(self.text_bytes.get()).unwrap_or(usize::MAX)
    }
}

// === impl FunctionError ===

impl FunctionError {
    /// An error of the call as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            argument: None,
            message: message.into(),
        }
    }

    /// An error of one argument.
    pub fn argument(index: usize, message: impl Into<String>) -> Self {
        Self {
            argument: Some(index),
            message: message.into(),
        }
    }
}

impl From<String> for FunctionError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

// === impl Function ===

impl Function {
    /// Makes a function that takes exactly this many arguments.
    pub fn new(
        name: impl Into<String>,
        arguments: usize,
        body: impl Fn(&Arguments<'_>) -> Result<Value, FunctionError> + Send + Sync + 'static,
    ) -> Self {
        Self::with_arity(name, arguments, Some(arguments), body)
    }

    /// Makes a function that takes between two numbers of arguments, or any number from the first.
    pub fn with_arity(
        name: impl Into<String>,
        arguments_min: usize,
        arguments_max: Option<usize>,
        body: impl Fn(&Arguments<'_>) -> Result<Value, FunctionError> + Send + Sync + 'static,
    ) -> Self {
        let (name, body) = (name.into(), Box::new(body));
        Self {
            inner: Arc::new(Inner {
                name,
                arguments_min,
                arguments_max,
                body,
            }),
        }
    }

    /// The full name: `string.format`.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Calls it. The number of arguments is checked first; then, if one of them is unknown, so is
    /// the result.
    ///
    /// # Errors
    /// Says which argument is wrong, or what went wrong.
    pub fn call(&self, values: &[Value], budget: &Budget) -> Result<Value, FunctionError> {
        let Inner {
            name,
            arguments_min,
            arguments_max,
            body,
        } = &*self.inner;
        if values.len() < *arguments_min || arguments_max.is_some_and(|max| values.len() > max) {
            let wanted = match arguments_max {
                Some(max) if max == arguments_min => format!("{max}"),
                Some(max) => format!("{arguments_min} to {max}"),
                None => format!("at least {arguments_min}"),
            };
            let message = format!("{name} takes {wanted} arguments, got {}", values.len());
            return Err(FunctionError::new(message));
        }
        if values.iter().any(Value::has_unknown) {
            return Ok(Value::Unknown);
        }
        body(&Arguments { values, budget })
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.name())
    }
}

// === impl Arguments ===

impl Arguments<'_> {
    /// All values.
    pub fn values(&self) -> &[Value] {
        self.values
    }

    /// The budget of the evaluation.
    pub fn budget(&self) -> &Budget {
        self.budget
    }

    /// An argument as a type.
    ///
    /// # Errors
    /// Says what is wrong with the argument.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, FunctionError> {
        let value = self.values.get(index).unwrap_or(&Value::Null);
        T::from_value(value).map_err(|error| FunctionError::argument(index, error.to_string()))
    }

    /// Makes a text the result, within the budget.
    ///
    /// # Errors
    /// Names the limit when the text is too long.
    pub fn text(&self, text: String) -> Result<Value, FunctionError> {
        self.budget.take_text(text.len())?;
        Ok(text.into())
    }
}
