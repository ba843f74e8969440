//! A target that can be asked: its URL, its times, and the labels that its series get.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use xxhash_rust::xxh64::xxh64;

use super::Arguments;
use crate::discovery::Target;

/// What stands in a query as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A target, ready to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) url: Uri,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    /// Without those that begin with two underscores, sorted.
    pub(super) labels: Arc<[(String, String)]>,
}

impl Resolved {
    /// A number that is the same on every node as long as labels and URL are.
    pub(super) fn hash(&self) -> u64 {
        let mut bytes = Vec::new();
        for (name, value) in self.labels.iter() {
            for part in [name, value] {
                bytes.extend_from_slice(part.as_bytes());
                bytes.push(0xff);
            }
        }
        bytes.extend_from_slice(self.url.to_string().as_bytes());
        xxh64(&bytes, 0)
    }
}

/// The targets of the arguments, each once, and what is wrong with others.
pub(super) fn resolve(arguments: &Arguments, component: &str) -> (Vec<Resolved>, Vec<String>) {
    let mut targets: Vec<Resolved> = Vec::with_capacity(arguments.targets.len());
    let mut faults = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for target in &arguments.targets {
        match one(arguments, component, target) {
            Ok(resolved) if seen.insert(resolved.hash()) => targets.push(resolved),
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
    }
    (targets, faults)
}

fn one(arguments: &Arguments, component: &str, target: &Target) -> Result<Resolved, String> {
    let get = |name: &str| target.get(name).filter(|value| !value.is_empty());
    let address = get("__address__").ok_or_else(|| format!("it has no __address__: {target:?}"))?;
    let wrong = |why: &str| format!("{address}: {why}");
    if address.contains('/') {
        return Err(wrong(
            "__address__ must be host:port, without scheme and path",
        ));
    }
    let duration = |name, default| match get(name) {
        None => Ok(default),
        Some(text) => syntax::parse_duration(text)
            .ok()
            .filter(|time: &Duration| !time.is_zero())
            .ok_or_else(|| wrong(&format!("{name} is no duration above zero"))),
    };
    let interval = duration("__scrape_interval__", arguments.scrape_interval)?;
    let timeout = duration("__scrape_timeout__", arguments.scrape_timeout)?;
    if timeout > interval {
        return Err(wrong("the scrape timeout is longer than the interval"));
    }
    let mut labels: BTreeMap<&str, &str> = target
        .iter()
        .filter(|(name, value)| !name.starts_with("__") && !value.is_empty())
        .collect();
    let job = match arguments.job_name.as_str() {
        "" => component,
        name => name,
    };
    labels.entry("job").or_insert(job);
    labels.entry("instance").or_insert(address);
    let scheme = get("__scheme__").unwrap_or(&arguments.scheme);
    let path = get("__metrics_path__").unwrap_or(&arguments.metrics_path);
    let query = query(arguments, target);
    let url = format!(
        "{scheme}://{address}{}{path}{query}",
        if path.starts_with('/') { "" } else { "/" }
    );
    let url: Uri = url.parse().map_err(|_| wrong("its URL is none"))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none_or(str::is_empty) {
        return Err(wrong("its URL is none of http or https"));
    }
    Ok(Resolved {
        url,
        interval,
        timeout,
        labels: labels
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    })
}

/// The parameters of the arguments; a label `__param_...` takes the place of the first value.
fn query(arguments: &Arguments, target: &Target) -> String {
    let mut params = arguments.params.clone();
    for (name, value) in target.iter() {
        if let Some(name) = name.strip_prefix("__param_") {
            let values = params.entry(name.to_owned()).or_default();
            match values.first_mut() {
                Some(first) => *first = value.to_owned(),
                None => values.push(value.to_owned()),
            }
        }
    }
    let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
    let pairs: Vec<String> = params
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", pairs.join("&")),
    }
}
