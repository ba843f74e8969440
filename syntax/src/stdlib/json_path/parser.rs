//! A path as text into steps.

use super::Step;
use super::filter::{Expression, Filter, Operator};
use crate::value::Value;

/// How deep the parentheses of a filter may nest.
const NESTING_MAX: usize = 32;

/// How many steps a path may have. Each may recurse at the same place.
const STEPS_MAX: usize = 100;

/// How many operators all filters of a path may have: each makes the tree one level higher.
const OPERATORS_MAX: usize = 200;

pub(super) fn parse(path: &str) -> Result<Vec<Step>, String> {
    let mut parser = Parser {
        path,
        at: 0,
        nesting: 0,
        operators: 0,
    };
    let steps = parser.steps()?;
    match parser.at == path.len() {
        true => Ok(steps),
        false => Err(parser.wrong()),
    }
}

struct Parser<'a> {
    path: &'a str,
    at: usize,
    nesting: usize,
    operators: usize,
}

impl Parser<'_> {
    fn steps(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        loop {
            let first = steps.is_empty();
            let descended = matches!(steps.last(), Some(Step::Descent));
            let step = match self.peek() {
                Some('$') if first => self.sign(Step::Root),
                Some('@') if first => self.sign(Step::Here),
                Some('*') => self.sign(Step::Wildcard),
                Some('.') => {
                    self.at += 1;
                    self.after_dot()?
                }
                Some('[') => {
                    self.at += 1;
                    self.bracket()?
                }
                Some(ch) if is_name(ch) && (first || descended) => self.name()?,
                _ => return Ok(steps),
            };
            steps.push(step);
            if steps.len() > STEPS_MAX {
                return Err(format!(
                    "is no JSON path: it has more than {STEPS_MAX} steps"
                ));
            }
        }
    }

    fn sign(&mut self, step: Step) -> Step {
        self.at += 1;
        step
    }

    fn after_dot(&mut self) -> Result<Step, String> {
        match self.peek() {
            Some('*') => Ok(self.sign(Step::Wildcard)),
            Some('.') => Ok(self.sign(Step::Descent)),
            _ => self.name(),
        }
    }

    fn name(&mut self) -> Result<Step, String> {
        let rest = &self.path[self.at..];
        let end = rest.find(|ch| !is_name(ch)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.wrong());
        }
        self.at += end;
        Ok(Step::Child(rest[..end].to_owned()))
    }

    fn bracket(&mut self) -> Result<Step, String> {
        self.blanks();
        let step = match self.peek() {
            Some('*') => self.sign(Step::Wildcard),
            Some('?') => {
                self.at += 1;
                Step::Filter(Box::new(self.filter()?))
            }
            Some(':') => self.slice(0)?,
            Some('\'' | '"') => self.union(Step::Child)?,
            Some('-' | '0'..='9') => {
                let start = self.at;
                let index = self.integer()?;
                self.blanks();
                if self.peek() == Some(':') {
                    self.slice(index)?
                } else {
                    self.at = start;
                    self.union(Step::Child)?
                }
            }
            _ => return Err(self.wrong()),
        };
        self.expect(']')?;
        Ok(step)
    }

    /// One or more names and indexes with commas between.
    fn union(&mut self, child: fn(String) -> Step) -> Result<Step, String> {
        let mut steps = Vec::new();
        loop {
            self.blanks();
            steps.push(match self.peek() {
                Some('\'' | '"') => child(self.quoted()?),
                _ => Step::Nth(self.integer()?),
            });
            self.blanks();
            if !self.eat(",") {
                break;
            }
        }
        Ok(match steps.len() {
            1 => steps.remove(0),
            _ => Step::Union(steps),
        })
    }

    /// What follows the start of a slice, from its colon on.
    fn slice(&mut self, start: i64) -> Result<Step, String> {
        let mut parts = [None, None];
        for part in &mut parts {
            self.blanks();
            if !self.eat(":") {
                break;
            }
            self.blanks();
            if matches!(self.peek(), Some('-' | '0'..='9')) {
                *part = Some(self.integer()?);
            }
        }
        let [end, step] = parts;
        Ok(Step::Slice {
            start,
            end,
            step: step.unwrap_or(1),
        })
    }

    fn integer(&mut self) -> Result<i64, String> {
        let rest = &self.path[self.at..];
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let sign = rest.len() - digits.len();
        let end = digits
            .find(|ch: char| !ch.is_ascii_digit())
            .unwrap_or(digits.len());
        let number = rest[..sign + end].parse().map_err(|_| self.wrong())?;
        self.at += sign + end;
        Ok(number)
    }

    fn quoted(&mut self) -> Result<String, String> {
        let quote = self.peek();
        self.at += 1;
        let mut text = String::new();
        while let Some(ch) = self.peek() {
            self.at += ch.len_utf8();
            if Some(ch) == quote {
                return Ok(text);
            }
            text.push(if ch == '\\' { self.escaped()? } else { ch });
        }
        Err(self.wrong())
    }

    fn escaped(&mut self) -> Result<char, String> {
        let ch = self.peek().ok_or_else(|| self.wrong())?;
        self.at += ch.len_utf8();
        Ok(match ch {
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            '"' | '\'' | '\\' => ch,
            'x' | 'u' | 'U' => {
                let length = if ch == 'x' { 2 } else { 4 };
                let digits = self
                    .path
                    .get(self.at..self.at + length)
                    .ok_or_else(|| self.wrong())?;
                let code = u32::from_str_radix(digits, 16).map_err(|_| self.wrong())?;
                self.at += length;
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(self.wrong()),
        })
    }

    fn filter(&mut self) -> Result<Filter, String> {
        let expression = self.binary(0)?;
        self.blanks();
        // Parentheses around the whole mean nothing.
        let mut inner = expression;
        while let Expression::Group(group) = inner {
            inner = *group;
        }
        Ok(Filter::new(inner))
    }

    /// Operators that bind at least as strongly as `weakest`, from left to right.
    fn binary(&mut self, weakest: u8) -> Result<Expression, String> {
        let mut left = self.operand()?;
        while let Some(operator) = self.operator(weakest) {
            self.operators += 1;
            if self.operators > OPERATORS_MAX {
                return Err(format!(
                    "is no JSON path: it has more than {OPERATORS_MAX} operators"
                ));
            }
            let right = self.binary(operator.strength() + 1)?;
            left = Expression::Binary(Box::new(left), operator, Box::new(right));
        }
        Ok(left)
    }

    fn operator(&mut self, weakest: u8) -> Option<Operator> {
        self.blanks();
        let rest = &self.path[self.at..];
        let known = Operator::ALL
            .iter()
            .find(|(text, _)| rest.starts_with(text));
        let (text, operator) = known.filter(|(_, operator)| operator.strength() >= weakest)?;
        self.at += text.len();
        Some(*operator)
    }

    fn operand(&mut self) -> Result<Expression, String> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(self.wrong());
        }
        self.blanks();
        let rest = &self.path[self.at..];
        let operand = match self.peek() {
            Some('!') => {
                self.at += 1;
                // It negates all that follows, not only the next operand.
                Expression::Not(Box::new(self.binary(0)?))
            }
            Some('-' | '0'..='9') => self.number()?,
            Some('\'' | '"') => Expression::Value(self.quoted()?.into()),
            Some('@' | '$') => Expression::Path(self.steps()?),
            Some('(') => {
                self.at += 1;
                let inner = self.binary(0)?;
                self.expect(')')?;
                Expression::Group(Box::new(inner))
            }
            Some('[') => self.list()?,
            Some('/') => self.regex()?,
            _ if self.eat("Nothing") => Expression::Nothing,
            _ if self.eat("true") => Expression::Value(Value::Bool(true)),
            _ if self.eat("false") => Expression::Value(Value::Bool(false)),
            _ if self.eat("null") => Expression::Value(Value::Null),
            _ => {
                let end = rest
                    .find(|ch: char| !ch.is_ascii_lowercase())
                    .unwrap_or(rest.len());
                self.call(&rest[..end])?
            }
        };
        self.nesting -= 1;
        Ok(operand)
    }

    fn number(&mut self) -> Result<Expression, String> {
        let rest = &self.path[self.at..];
        let part = |ch: char| ch.is_ascii_digit() || ch == '.';
        let mut end = rest.len() - rest.trim_start_matches('-').len();
        end += rest[end..].find(|ch| !part(ch)).unwrap_or(rest.len() - end);
        if rest[end..].starts_with(['e', 'E']) && !rest[end..].starts_with("empty") {
            let exponent = rest[end + 1..].trim_start_matches(['+', '-']);
            let digits = exponent
                .find(|ch: char| !ch.is_ascii_digit())
                .unwrap_or(exponent.len());
            end = rest.len() - exponent.len() + digits;
        }
        let text = &rest[..end];
        let number: Value = match text.parse::<i64>() {
            Ok(whole) => whole.into(),
            Err(_) => text.parse::<f64>().map_err(|_| self.wrong())?.into(),
        };
        self.at += end;
        Ok(Expression::Value(number))
    }

    fn list(&mut self) -> Result<Expression, String> {
        self.at += 1;
        let mut list = Vec::new();
        loop {
            self.blanks();
            if self.eat("]") {
                return Ok(Expression::List(list));
            }
            match self.operand()? {
                Expression::Value(value) => list.push(value),
                _ => return Err(self.wrong()),
            }
            self.blanks();
            if !self.eat(",") && self.peek() != Some(']') {
                return Err(self.wrong());
            }
        }
    }

    fn regex(&mut self) -> Result<Expression, String> {
        self.at += 1;
        let rest = &self.path[self.at..];
        let mut escaped = false;
        let end = rest.find(|ch| {
            let end = ch == '/' && !escaped;
            escaped = ch == '\\' && !escaped;
            end
        });
        let end = end.ok_or_else(|| self.wrong())?;
        self.at += end + 1;
        Expression::regex(&rest[..end])
    }

    fn call(&mut self, name: &str) -> Result<Expression, String> {
        let start = self.at;
        self.at += name.len();
        if !self.eat("(") {
            self.at = start;
            return Err(self.wrong());
        }
        let left = self.binary(0)?;
        self.blanks();
        let right = if self.eat(",") {
            Some(self.binary(0)?)
        } else {
            None
        };
        self.expect(')')?;
        let call = Expression::call(name, left, right);
        call.ok_or_else(|| {
            self.at = start;
            self.wrong()
        })
    }

    fn expect(&mut self, ch: char) -> Result<(), String> {
        self.blanks();
        match self.peek() == Some(ch) {
            true => self.at += ch.len_utf8(),
            false => return Err(self.wrong()),
        }
        Ok(())
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.path[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn blanks(&mut self) {
        let rest = &self.path[self.at..];
        self.at = self.path.len() - rest.trim_start_matches(' ').len();
    }

    fn peek(&self) -> Option<char> {
        self.path[self.at..].chars().next()
    }

    fn wrong(&self) -> String {
        let column = self.path[..self.at].chars().count() + 1;
        match self.at >= self.path.len() {
            true => "is no JSON path: it ends too early".to_owned(),
            false => format!("is no JSON path: it goes wrong at character {column}"),
        }
    }
}

/// What a name without quotes is made of; a minus is not.
fn is_name(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || "#%:;?^_{|}~".contains(ch) || !ch.is_ascii()
}
