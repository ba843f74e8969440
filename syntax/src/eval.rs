//! Expressions into values.

use crate::ast::{Access, Binary, Call, Expr, Ident, Index, Literal, ObjectLiteral, Unary};
use crate::diagnostic::Diagnostic;
pub use crate::function::{Budget, Limits};
use crate::literal;
use crate::source::{SourceFile, Span};
use crate::stdlib::Library;
use crate::suggest;
use crate::token::TokenKind;
use crate::value::{self, Number, Object, Value};

/// The names that an expression may use, besides the standard library, which they hide.
pub trait Scope {
    /// The value of a name.
    fn lookup(&self, name: &str) -> Option<Value>;

    /// The value of the longest known beginning of `a.b.c`, and how many parts it has. A scope of
    /// components, whose names have dots, finds them here without building objects of objects.
    fn resolve(&self, parts: &[&str]) -> Option<(Value, usize)> {
        self.lookup(parts.first()?).map(|value| (value, 1))
    }

    /// The names there are, to suggest one for a name that does not exist.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A scope without names.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyScope;

/// Evaluates the expressions of a file in a scope.
#[derive(Clone, Copy)]
pub struct Evaluator<'a> {
    file: &'a SourceFile,
    scope: &'a dyn Scope,
    library: &'a Library,
    limits: Limits,
}

/// How much of an expression a message quotes, in characters; the excerpt shows the rest.
const QUOTED_CHARS_MAX: usize = 60;

/// How many values inside of an array or object are looked at in one step. A function or an operator
/// looks at all of them once, to see whether one is unknown.
const VALUES_PER_STEP: usize = 8;

/// One evaluation.
struct Evaluation<'a> {
    evaluator: &'a Evaluator<'a>,
    budget: Budget,
}

type Result<T> = std::result::Result<T, Diagnostic>;

// === impl Scope ===

impl Scope for EmptyScope {
    fn lookup(&self, _: &str) -> Option<Value> {
        None
    }
}

impl Scope for Object {
    fn lookup(&self, name: &str) -> Option<Value> {
        self.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().map(str::to_owned).collect()
    }
}

// === impl Evaluator ===

impl<'a> Evaluator<'a> {
    /// An evaluator for a file, with the default limits.
    pub fn new(file: &'a SourceFile, scope: &'a dyn Scope, library: &'a Library) -> Self {
        Self {
            file,
            scope,
            library,
            limits: Limits::default(),
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The file whose expressions it evaluates.
    pub fn file(&self) -> &'a SourceFile {
        self.file
    }

    /// Evaluates an expression.
    ///
    /// # Errors
    /// The first thing that is wrong, at its place.
    pub fn evaluate(&self, expr: &Expr) -> Result<Value> {
        let budget = Budget::new(self.limits);
        Evaluation {
            evaluator: self,
            budget,
        }
        .expr(expr)
    }
}

// === impl Evaluation ===

impl Evaluation<'_> {
    fn expr(&self, expr: &Expr) -> Result<Value> {
        self.budget
            .take_steps(1)
            .map_err(|message| self.error(expr.span(), message))?;
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Ident(ident) => self.path(ident, &[]),
            Expr::Access(access) => self.access(access),
            Expr::Array(array) => {
                let values: Result<Vec<_>> = array.elements.iter().map(|e| self.expr(e)).collect();
                Ok(Value::array(values?))
            }
            Expr::Object(object) => self.object(object),
            Expr::Index(index) => self.index(index),
            Expr::Call(call) => self.call(call),
            Expr::Unary(unary) => self.unary(unary),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Paren(paren) => self.expr(&paren.inner),
            Expr::Invalid(_) => Ok(Value::Unknown),
        }
    }

    fn literal(&self, literal: &Literal) -> Result<Value> {
        let too_large = || self.error(literal.span, "the number is too large");
        match literal.kind {
            TokenKind::Null => Ok(Value::Null),
            TokenKind::Bool => Ok(Value::Bool(literal.text == "true")),
            TokenKind::Number => literal::number(&literal.text)
                .map(Value::Number)
                .ok_or_else(too_large),
            TokenKind::Float => literal::float(&literal.text)
                .map(|value| Value::Number(Number::Float(value)))
                .ok_or_else(too_large),
            _ => literal::unquote(&literal.text)
                .map(Value::from)
                .map_err(|message| self.error(literal.span, message)),
        }
    }

    fn object(&self, object: &ObjectLiteral) -> Result<Value> {
        let mut fields = Object::default();
        for field in &object.fields {
            fields.insert(field.name.text.clone(), self.expr(&field.value)?);
        }
        Ok(Value::Object(fields))
    }

    fn access(&self, access: &Access) -> Result<Value> {
        // A path is resolved as a whole where it starts with a name.
        let mut names = vec![&access.name];
        let mut inner = &*access.value;
        while let Expr::Access(access) = inner {
            names.push(&access.name);
            inner = &access.value;
        }
        names.reverse();
        match inner {
            Expr::Ident(first) => self.path(first, &names),
            other => {
                let start = other.span();
                self.fields(self.expr(other)?, start, &names)
            }
        }
    }

    fn path(&self, first: &Ident, rest: &[&Ident]) -> Result<Value> {
        let parts: Vec<&str> = std::iter::once(&first.text)
            .chain(rest.iter().map(|name| &name.text))
            .map(String::as_str)
            .collect();
        let Evaluator { scope, library, .. } = self.evaluator;
        let found = scope.resolve(&parts);
        let found = found.or_else(|| library.get(&first.text).map(|value| (value.clone(), 1)));
        let Some((value, used)) = found.map(|(value, used)| (value, used.max(1))) else {
            let mut names = scope.names();
            let current = library
                .names()
                .filter(|name| Library::replacement(name).is_none());
            names.extend(current.map(str::to_owned));
            let message = format!("identifier {:?} does not exist", first.text);
            let help = suggest::did_you_mean(&first.text, names.iter().map(String::as_str));
            return Err(self.error_with(first.span, message, help));
        };
        let known = rest
            .iter()
            .take(used - 1)
            .fold(first.span, |span, name| span.to(name.span));
        self.fields(value, known, rest.get(used - 1..).unwrap_or_default())
    }

    /// Takes field after field out of a value.
    fn fields(&self, value: Value, mut span: Span, names: &[&Ident]) -> Result<Value> {
        let mut value = value;
        for name in names {
            if matches!(value, Value::Unknown) {
                return Ok(value);
            }
            let Some(object) = value.as_object() else {
                let message = format!(
                    "cannot access field {:?} of {}, which is {}",
                    name.text,
                    self.shown(span),
                    value.describe(),
                );
                return Err(self.error(span.to(name.span), message));
            };
            value = object.get(&name.text).cloned().ok_or_else(|| {
                let message = format!("field {:?} does not exist", name.text);
                let help = suggest::did_you_mean(&name.text, object.keys());
                self.error_with(name.span, message, help)
            })?;
            span = span.to(name.span);
        }
        Ok(value)
    }

    fn index(&self, index: &Index) -> Result<Value> {
        let value = self.expr(&index.value)?;
        let key = self.expr(&index.index)?;
        if matches!(value, Value::Unknown) || matches!(key, Value::Unknown) {
            return Ok(Value::Unknown);
        }
        let shown = self.shown(index.index.span());
        let key_error = |wanted: &str| {
            let message = format!("{shown} should be {wanted}, got {}", key.describe());
            self.error(index.index.span(), message)
        };
        if let Value::Array(values) = &value {
            let Value::Number(number) = key else {
                return Err(key_error("number"));
            };
            let at = number.to_i64();
            let element = usize::try_from(at).ok().and_then(|at| values.get(at));
            return element.cloned().ok_or_else(|| {
                let length = values.len();
                let message =
                    format!("index {at} is out of range of the array, which has {length} elements");
                self.error(index.index.span(), message)
            });
        }
        let Some(object) = value.as_object() else {
            let shown = self.shown(index.value.span());
            let message = format!(
                "{shown} should be array or object, got {}",
                value.describe()
            );
            return Err(self.error(index.value.span(), message));
        };
        match &key {
            // Unlike `object.key`, this is how a key is looked up that may be missing.
            Value::String(key) => Ok(object.get(key).cloned().unwrap_or_default()),
            _ => Err(key_error("string")),
        }
    }

    fn call(&self, call: &Call) -> Result<Value> {
        let function = self.expr(&call.function)?;
        let values: Result<Vec<_>> = call.arguments.iter().map(|e| self.expr(e)).collect();
        let values = values?;
        let function = match function {
            Value::Function(function) => function,
            Value::Unknown => return Ok(Value::Unknown),
            other => {
                let span = call.function.span();
                let (shown, found) = (self.shown(span), other.describe());
                return Err(self.error(span, format!("{shown} should be function, got {found}")));
            }
        };
        let steps = values.iter().map(elements).sum::<usize>();
        self.budget
            .take_steps(steps.saturating_add(looking_at(&values)))
            .map_err(|message| self.error(call.function.span(), message))?;
        function.call(&values, &self.budget).map_err(|error| {
            match error.argument.and_then(|index| call.arguments.get(index)) {
                Some(argument) => {
                    let span = argument.span();
                    self.error(span, format!("{} {}", self.shown(span), error.message))
                }
                None => self.error(Expr::Call(call.clone()).span(), error.message),
            }
        })
    }

    fn unary(&self, unary: &Unary) -> Result<Value> {
        let operand = self.expr(&unary.operand)?;
        value::unary(unary.operator, &operand).map_err(|message| {
            let span = unary.operand.span();
            self.error(span, format!("{} {message}", self.shown(span)))
        })
    }

    fn binary(&self, binary: &Binary) -> Result<Value> {
        let left = self.expr(&binary.left)?;
        let right = self.expr(&binary.right)?;
        self.budget
            .take_steps(looking_at([&left, &right]))
            .map_err(|message| self.error(binary.operator_span, message))?;
        let result = value::binary(&left, binary.operator, &right).map_err(|error| {
            let span = if error.right {
                binary.right.span()
            } else {
                binary.left.span()
            };
            self.error(span, format!("{} {}", self.shown(span), error.message))
        })?;
        let made = match &result {
            Value::String(text) => text.len(),
            Value::Secret(secret) => secret.expose().len(),
            Value::OptionalSecret(secret) => secret.expose().len(),
            _ => 0,
        };
        self.budget
            .take_text(made)
            .map_err(|message| self.error(binary.operator_span, message))?;
        Ok(result)
    }

    /// An expression as a message quotes it: its first line, and not too much of that.
    fn shown(&self, span: Span) -> String {
        let text = self.evaluator.file.slice(span);
        let line = text.lines().next().unwrap_or_default();
        match line.char_indices().nth(QUOTED_CHARS_MAX) {
            Some((end, _)) => format!("{}...", &line[..end]),
            None if line.len() < text.len() => format!("{line}..."),
            None => line.to_owned(),
        }
    }

    fn error(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.evaluator.file, span, message)
    }

    fn error_with(&self, span: Span, message: String, help: Option<String>) -> Diagnostic {
        let diagnostic = self.error(span, message);
        match help {
            Some(help) => diagnostic.with_note(help),
            None => diagnostic,
        }
    }
}

/// How many steps it takes to look at everything in some values.
fn looking_at<'a>(values: impl IntoIterator<Item = &'a Value>) -> usize {
    values.into_iter().map(weight).sum::<usize>() / VALUES_PER_STEP
}

/// How many values there are in a value.
fn weight(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(weight).sum::<usize>() + 1,
        Value::Object(object) => object.values().map(weight).sum::<usize>() + 1,
        _ => 1,
    }
}

/// How many elements a function may have to work on.
fn elements(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.len(),
        Value::Object(object) => object.len(),
        _ => 1,
    }
}
