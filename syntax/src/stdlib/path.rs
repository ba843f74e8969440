//! Functions over paths of files. They look at the text only, never at a disk.

use crate::function::Function;
use crate::value::Value;

pub(super) fn namespace() -> Value {
    let join = Function::with_arity("file.path_join", 0, None, |arguments| {
        let parts = (0..arguments.values().len()).map(|index| arguments.get::<String>(index));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        arguments.text(join(&parts))
    });
    super::namespace([("path_join", join)])
}

/// Joins the parts that are not empty with slashes and resolves `.`, `..` and double slashes.
fn join(parts: &[String]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    let path = parts.join("/");
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match kept.last() {
                Some(last) if *last != ".." => drop(kept.pop()),
                // There is nothing above the root.
                None if rooted => {}
                _ => kept.push(".."),
            },
            part => kept.push(part),
        }
    }
    match (rooted, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn paths_are_joined_and_cleaned() {
        let table: &[(&[&str], &str)] = &[
            (&[], ""),
            (&["", ""], ""),
            (&["a", "b"], "a/b"),
            (&["a/", "/b"], "a/b"),
            (&["/a", "../b"], "/b"),
            (&["a", "../../b"], "../b"),
            (&["/", ".."], "/"),
            (&["a", ".."], "."),
            (&["", "a", "./b", ""], "a/b"),
        ];
        for (parts, expected) in table {
            let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            assert_eq!(join(&parts), *expected, "{parts:?}");
        }
    }
}
