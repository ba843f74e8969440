//! The nearest known name for one that does not exist.

/// The longest name that gets a suggestion, in characters: the work grows with its length, and
/// nobody has mistyped a name of a thousand characters.
const NAME_CHARS_MAX: usize = 100;

/// A note that suggests the nearest of the known names, if one is near.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let nearest = nearest(name, known)?;
    Some(format!("help: did you mean {nearest:?}?"))
}

/// The nearest of the known names, if it is near: a third of the name may differ.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let reach = (length / 3).max(1);
    let near = known
        .into_iter()
        .filter(|other| length <= NAME_CHARS_MAX && other.chars().count().abs_diff(length) <= reach)
        .map(|other| (distance(name, other), other));
    let near = near.filter(|(distance, other)| *distance <= reach && *distance < other.len());
    near.min().map(|(_, other)| other)
}

/// The number of characters to insert, delete, replace or swap with the next.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut cost = (last[j] + usize::from(a[i] != b[j]))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let known = ["endpoint", "headers", "timeout", "tls"];
        let table = [
            ("endpiont", Some("endpoint")),
            ("header", Some("headers")),
            ("time_out", Some("timeout")),
            ("tsl", Some("tls")),
            ("compression", None),
            ("x", None),
        ];
        for (name, expected) in table {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
        let long = "x".repeat(1_000_000);
        assert_eq!(nearest(&long, [&long[1..]]), None);
    }
}
