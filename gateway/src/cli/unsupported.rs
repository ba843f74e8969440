//! Flags of `alloy run` that Corten does not honour. They are known, so that they can be refused by
//! name instead of being taken for a mistake.
//!
//! They are sifted out before the command line is parsed: none of them is part of it, and where a
//! flag asks for nothing but what Corten does anyway it is let pass.

use std::ffi::OsString;

/// A flag that Corten does not have.
pub(crate) struct Unsupported {
    /// Without the dashes. One that ends in a dot stands for all that begin with it.
    pub(crate) name: &'static str,
    /// For a flag that is on or off: the state in which Corten is, and which may be asked for.
    pub(crate) state: Option<bool>,
    /// Why, for a person.
    pub(crate) why: &'static str,
}

const fn refused(name: &'static str, why: &'static str) -> Unsupported {
    let state = None;
    Unsupported { name, state, why }
}

const fn only(state: bool, name: &'static str, why: &'static str) -> Unsupported {
    let state = Some(state);
    Unsupported { name, state, why }
}

const CLUSTERING: &str = "clustering is not part of this version";
const CONVERSION: &str = "other formats are not converted in this version";
const GRAPHQL: &str = "there is no GraphQL API in this version";

/// A flag stands before the prefix that would cover it.
const TABLE: &[Unsupported] = &[
    only(false, "cluster.enabled", CLUSTERING),
    only(false, "cluster.enable-tls", CLUSTERING),
    refused("cluster.", CLUSTERING),
    only(false, "config.bypass-conversion-errors", CONVERSION),
    refused("config.extra-args", CONVERSION),
    only(true, "disable-reporting", "Corten reports to nobody"),
    only(
        false,
        "feature.community-components.enabled",
        "no community components exist here",
    ),
    only(
        false,
        "feature.prometheus.direct-fanout.enabled",
        "fan-out is always direct here; remove the flag",
    ),
    refused(
        "feature.prometheus.",
        "there are no Prometheus components in this version",
    ),
    only(
        true,
        "server.http.disable-support-bundle",
        "there is no support bundle in this version",
    ),
    only(false, "server.http.enable-graphql", GRAPHQL),
    only(false, "server.http.enable-graphql-playground", GRAPHQL),
    only(
        false,
        "server.http.enable-pprof",
        "Go profiles do not exist in this program",
    ),
    refused(
        "server.http.memory-addr",
        "components reach each other without HTTP here; remove the flag",
    ),
    refused(
        "server.http.ui-path-prefix",
        "there is no user interface in this version",
    ),
    refused(
        "windows.",
        "this program does not run on Windows; remove the flag",
    ),
];

/// All of them, to be described.
pub(crate) fn flags() -> &'static [Unsupported] {
    TABLE
}

impl Unsupported {
    fn is(&self, flag: &str) -> bool {
        match self.name.ends_with('.') {
            true => flag.starts_with(self.name),
            false => flag == self.name,
        }
    }

    /// Whether the flag, with this value, asks for what is so anyway.
    fn asks_for_nothing(&self, value: Option<&str>) -> bool {
        let asked = match value {
            None => Some(true),
            Some("true" | "t" | "1" | "TRUE" | "True" | "T") => Some(true),
            Some("false" | "f" | "0" | "FALSE" | "False" | "F") => Some(false),
            Some(_) => None,
        };
        asked.is_some() && asked == self.state
    }
}

/// Takes those flags out that ask for nothing, up to a `--`.
///
/// # Errors
/// Which flag is not supported, and why.
pub(super) fn sift(arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    if arguments.get(1).is_none_or(|command| command != "run") {
        return Ok(arguments);
    }
    let mut kept = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let Some(flag) = text.strip_prefix("--") else {
            kept.push(argument);
            continue;
        };
        if flag.is_empty() {
            kept.push(argument);
            kept.extend(arguments);
            break;
        }
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        match TABLE.iter().find(|unsupported| unsupported.is(name)) {
            None => kept.push(argument),
            Some(unsupported) if unsupported.asks_for_nothing(value) => {}
            Some(Unsupported { why, .. }) => {
                return Err(format!("--{name} is not supported: {why}"));
            }
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(flags: &[&str]) -> Result<Vec<String>, String> {
        let arguments = ["corten", "run"].iter().chain(flags);
        let kept = sift(arguments.map(OsString::from).collect())?;
        let text = |argument: &OsString| argument.to_string_lossy().into_owned();
        Ok(kept.iter().skip(2).map(text).collect())
    }

    #[test]
    fn each_flag_of_alloy_is_refused_by_its_own_name() {
        for flag in [
            "cluster.advertise-address",
            "cluster.advertise-interfaces",
            "cluster.discover-peers",
            "cluster.enable-tls",
            "cluster.enabled",
            "cluster.join-addresses",
            "cluster.max-join-peers",
            "cluster.name",
            "cluster.node-name",
            "cluster.rejoin-interval",
            "cluster.tls-ca-path",
            "cluster.tls-cert-path",
            "cluster.tls-key-path",
            "cluster.tls-server-name",
            "cluster.wait-for-size",
            "cluster.wait-timeout",
            "config.bypass-conversion-errors",
            "config.extra-args",
            "feature.community-components.enabled",
            "feature.prometheus.direct-fanout.enabled",
            "server.http.enable-graphql",
            "server.http.enable-graphql-playground",
            "server.http.enable-pprof",
            "server.http.memory-addr",
            "server.http.ui-path-prefix",
            "windows.priority",
        ] {
            let flag = format!("--{flag}");
            let expected = format!("{flag} is not supported: ");
            let valued = format!("{flag}=x");
            for flags in [vec![flag.as_str()], vec![&valued], vec![&flag, "x"]] {
                let error = run(&flags).unwrap_err();
                assert!(error.starts_with(&expected), "{flags:?}: {error}");
            }
        }
        assert_eq!(
            run(&["--cluster.name=a"]).unwrap_err(),
            "--cluster.name is not supported: clustering is not part of this version"
        );
    }

    #[test]
    fn what_is_so_anyway_may_be_asked_for() {
        for flag in [
            "--cluster.enabled=false",
            "--server.http.enable-pprof=0",
            "--server.http.disable-support-bundle",
            "--server.http.disable-support-bundle=true",
        ] {
            assert_eq!(run(&[flag, "a.alloy"]).unwrap(), ["a.alloy"], "{flag}");
        }
        assert!(run(&["--server.http.disable-support-bundle=false"]).is_err());
    }

    #[test]
    fn all_else_is_left_alone() {
        for flags in [
            &["a.alloy", "--storage.path=/tmp", "--nonsense"][..],
            &["--", "--cluster.enabled"],
        ] {
            assert_eq!(run(flags).unwrap(), flags);
        }
        let other = ["corten", "fmt", "--cluster.name"].map(OsString::from);
        assert_eq!(sift(other.to_vec()).unwrap(), other);
    }
}
