//! `json_path`: JSONPath in the dialect that Alloy's users write.
//!
//! A path may begin with `$`, with a dot or with neither; names in brackets are quoted either way;
//! there are unions, slices with steps, descent, and filters. What a path does not find is simply
//! not in the list. The fields of an object come in the order of the text.

mod filter;
mod parser;

use super::{Call, json};
use crate::function::{Arguments, Budget, FunctionError};
use crate::value::Value;
use filter::Filter;

/// One step of a path.
#[derive(Debug)]
enum Step {
    /// `$`: the whole text.
    Root,
    /// `@`: where the path starts.
    Here,
    Child(String),
    /// Counted from the end if negative.
    Nth(i64),
    Wildcard,
    Descent,
    Union(Vec<Self>),
    Slice {
        start: i64,
        end: Option<i64>,
        step: i64,
    },
    Filter(Box<Filter>),
}

/// A path at work on a text.
struct Search<'a, 'b> {
    root: &'a Value,
    budget: &'b Budget,
}

type Found<'a> = Result<Vec<&'a Value>, String>;

pub(super) fn json_path(arguments: &Arguments<'_>) -> Call {
    let text: String = arguments.get(0)?;
    let path: String = arguments.get(1)?;
    let steps = parser::parse(&path).map_err(|error| FunctionError::argument(1, error))?;
    arguments.budget().take_steps(text.len() / 2)?;
    let root = json::parse(&text, json::Numbers::Exact);
    let root = root.map_err(|error| FunctionError::argument(0, error))?;
    let search = Search {
        root: &root,
        budget: arguments.budget(),
    };
    let found = search.get(&root, &steps)?;
    Ok(Value::array(found.into_iter().cloned()))
}

impl<'a> Search<'a, '_> {
    /// All that a path finds from a place on.
    fn get(&self, from: &'a Value, steps: &[Step]) -> Found<'a> {
        let mut found = Vec::new();
        if !steps.is_empty() {
            self.step(from, steps, &mut found)?;
        }
        Ok(found)
    }

    fn step(
        &self,
        at: &'a Value,
        steps: &[Step],
        found: &mut Vec<&'a Value>,
    ) -> Result<(), String> {
        self.budget.take_steps(1)?;
        let Some((step, rest)) = steps.split_first() else {
            found.push(at);
            return Ok(());
        };
        match step {
            Step::Root => self.step(self.root, rest, found),
            Step::Here => self.step(at, rest, found),
            Step::Descent if rest.is_empty() => {
                self.everything(at, found)?;
                found.push(at);
                Ok(())
            }
            Step::Descent => {
                // What is inside comes first.
                for child in children(at).filter(|child| is_container(child)) {
                    self.step(child, steps, found)?;
                }
                self.step(at, rest, found)
            }
            step => {
                for next in self.matches(at, step)? {
                    if rest.is_empty() || is_container(next) {
                        self.step(next, rest, found)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// All that is inside, level by level of each branch.
    fn everything(&self, at: &'a Value, found: &mut Vec<&'a Value>) -> Result<(), String> {
        for child in children(at) {
            self.budget.take_steps(1)?;
            found.push(child);
        }
        for child in children(at) {
            self.everything(child, found)?;
        }
        Ok(())
    }

    /// What a single step leads to.
    fn matches(&self, at: &'a Value, step: &Step) -> Found<'a> {
        Ok(match step {
            Step::Child(name) => match at {
                Value::Object(fields) => fields.get(name).into_iter().collect(),
                _ => Vec::new(),
            },
            Step::Nth(index) => {
                let list = list(at);
                nth(list.len(), *index)
                    .and_then(|index| list.get(index))
                    .into_iter()
                    .collect()
            }
            Step::Wildcard => children(at).collect(),
            Step::Union(steps) => {
                let parts = steps.iter().map(|step| self.matches(at, step));
                parts.collect::<Result<Vec<_>, _>>()?.concat()
            }
            Step::Slice { start, end, step } => {
                let list = list(at);
                slice(list.len(), *start, *end, *step)
                    .map(|index| &list[index])
                    .collect()
            }
            Step::Filter(filter) => {
                let mut matching = Vec::new();
                for child in children(at) {
                    if filter.matches(self, child)? {
                        matching.push(child);
                    }
                }
                matching
            }
            Step::Root | Step::Here | Step::Descent => Vec::new(),
        })
    }
}

fn children<'a>(at: &'a Value) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
    match at {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// The elements of a list, and of anything else none.
fn list(at: &Value) -> &[Value] {
    match at {
        Value::Array(list) => list,
        _ => &[],
    }
}

fn is_container(at: &Value) -> bool {
    matches!(at, Value::Array(_) | Value::Object(_))
}

fn nth(length: usize, index: i64) -> Option<usize> {
    let index = if index < 0 {
        index.checked_add(length as i64)?
    } else {
        index
    };
    usize::try_from(index).ok()
}

/// The indexes of a slice of a list.
fn slice(
    length: usize,
    start: i64,
    end: Option<i64>,
    step: i64,
) -> Box<dyn Iterator<Item = usize>> {
    let length = length as i64;
    let from_end = |index: i64| {
        if index < 0 {
            index.saturating_add(length)
        } else {
            index
        }
    };
    let start = from_end(start).max(0);
    if start >= length || step == 0 {
        return Box::new(std::iter::empty());
    }
    let end = end.map_or(length, from_end).min(length);
    let stride = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    match step > 0 {
        true => Box::new((start..end).map(|index| index as usize).step_by(stride)),
        false => {
            let end = end.max(-1);
            Box::new(
                (end + 1..=start)
                    .rev()
                    .map(|index| index as usize)
                    .step_by(stride),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Limits;

    const SHOP: &str = r#"{
        "store": {
            "book": [
                {"title": "A", "price": 8, "tags": ["x", "y"], "isbn": "1"},
                {"title": "B", "price": 12.5, "tags": [], "old": null},
                {"title": "C", "price": 9, "author": {"name": "n"}}
            ],
            "color": "red"
        },
        "max": 10
    }"#;

    fn found(path: &str) -> Result<String, String> {
        let steps = parser::parse(path)?;
        let root = json::parse(SHOP, json::Numbers::Exact)?;
        let budget = Budget::new(Limits::default());
        let search = Search {
            root: &root,
            budget: &budget,
        };
        let found = search.get(&root, &steps)?;
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        Ok(shown.join(" "))
    }

    #[test]
    fn paths_find_what_they_name() {
        let table = [
            ("$.store.color", r#""red""#),
            (".store.color", r#""red""#),
            ("store.color", r#""red""#),
            ("@.store['color']", r#""red""#),
            (r#"$["store"]["color"]"#, r#""red""#),
            ("$.nothing", ""),
            ("$.store.color.x", ""),
            ("$.store.book[0].title", r#""A""#),
            ("$.store.book[-1].title", r#""C""#),
            ("$.store.book[9]", ""),
            ("$.store.book[*].title", r#""A" "B" "C""#),
            ("$.store.book[0,2].title", r#""A" "C""#),
            ("$['max','none']", "10"),
            ("$.store.book[1:].title", r#""B" "C""#),
            ("$.store.book[:2].title", r#""A" "B""#),
            ("$.store.book[0:3:2].title", r#""A" "C""#),
            ("$.store.book[2:0:-1].title", r#""C" "B""#),
            ("$.store.book[-2:].title", r#""B" "C""#),
            ("$..title", r#""A" "B" "C""#),
            ("$..name", r#""n""#),
            ("$..['price']", "8 12.5 9"),
            (
                "$..[0]",
                r#""x" { title = "A", price = 8, tags = ["x", "y"], isbn = "1" }"#,
            ),
            ("$.store.*[*].tags[*]", r#""x" "y""#),
        ];
        for (path, expected) in table {
            assert_eq!(found(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn filters_choose() {
        let table = [
            ("[?(@.price < 10)]", "A C"),
            ("[?@.price<10]", "A C"),
            ("[?(@.price >= 9 && @.price <= 12.5)]", "B C"),
            ("[?(@.title == 'B')]", "B"),
            ("[?(@.title != \"B\")]", "A C"),
            ("[?(@.isbn)]", "A"),
            ("[?(!@.isbn)]", "B C"),
            ("[?(@.old == null)]", "B"),
            ("[?(@.old exists false)]", "A C"),
            ("[?(@.isbn has true)]", "A"),
            ("[?(@.isbn == Nothing)]", "B C"),
            ("[?(@.title in ['A', 'C'])]", "A C"),
            ("[?(@.tags empty true)]", "B"),
            ("[?(@.title =~ /^[AB]$/)]", "A B"),
            ("[?(@.title ~= 'C')]", "C"),
            ("[?length(@.tags) == 2]", "A"),
            ("[?count(@.tags[*]) == 0]", "B C"),
            ("[?match(@.title, '[BC]')]", "B C"),
            ("[?search(@.title, 'A')]", "A"),
            ("[?(@.price * 2 - 6 == 10 || @.title == 'C')]", "A C"),
            ("[?(@.price > $.max)]", "B"),
            ("[?(@.tags[*] == 'y')]", "A"),
            ("[?((@.price > 8) && (@.price < 10))]", "C"),
            ("[?(@.author.name == 'n')]", "C"),
        ];
        for (filter, expected) in table {
            let titles = found(&format!("$.store.book{filter}.title"));
            let titles = titles.map(|titles| titles.replace('"', ""));
            assert_eq!(titles.as_deref(), Ok(expected), "{filter}");
        }
    }

    #[test]
    fn a_path_that_is_none_is_refused_where_it_goes_wrong() {
        let deep = format!("$[?({}1)]", "(".repeat(1000));
        let high = format!("$[?(1{})]", " + 1".repeat(100_000));
        let long = "$..".repeat(100_000);
        let wrong = [
            "$.",
            "$[",
            "$[x]",
            "$['a'",
            "a-b",
            "$[?(@.a ==)]",
            "$[?(@.a ? 1)]",
            "$[1:",
        ];
        for path in wrong.into_iter().chain([deep.as_str(), &high, &long]) {
            let error = found(path).expect_err(path);
            assert!(error.contains("is no JSON path"), "{error}");
        }
    }
}
