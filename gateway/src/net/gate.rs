//! The gate of the admin server: how its connections are encrypted, and who may ask for what.
//!
//! Until the first configuration runs nobody knows what it will demand, so only probes are let
//! through. From then on whoever holds the gate decides; when the last holder goes, it stands open.
//! A reload makes the next holder before it lets go of the one before, so there is no moment in
//! between without a lock.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwapOption;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::tls::{Encryption, ServerTls};

/// What is let through before the first configuration runs: where the probes of an orchestrator go.
const PROBES: [&str; 2] = ["/-/ready", "/-/healthy"];

/// The gate. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    encryption: Encryption,
    lock: ArcSwapOption<Lock>,
    /// Whether a configuration runs.
    configured: AtomicBool,
    holders: Mutex<Holders>,
}

#[derive(Debug, Default)]
struct Holders {
    count: usize,
    /// Nobody changes anything any more: the process is about to end.
    sealed: bool,
}

/// What the gate makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Pass,
    /// No configuration runs yet.
    NotConfigured,
    /// It does not say who sent it, or says something wrong.
    Unauthenticated,
}

impl Gate {
    /// How connections are encrypted, for the server behind the gate.
    pub fn encryption(&self) -> Encryption {
        self.shared.encryption.clone()
    }

    /// Takes hold of the gate; it stays as it is until the holder says otherwise.
    pub fn hold(&self) -> Hold {
        self.shared.holders().count += 1;
        Hold {
            shared: self.shared.clone(),
        }
    }

    /// A configuration runs: what it demands has been said.
    pub fn configured(&self) {
        self.shared.configured.store(true, Ordering::Relaxed);
    }

    /// Leaves the gate as it is until the process ends, though its holders go.
    pub fn seal(&self) {
        self.shared.holders().sealed = true;
    }

    /// Whether a request for this path, as it stands in the request, may pass.
    pub fn check(&self, path: &str, headers: &HeaderMap) -> Verdict {
        if !self.shared.configured.load(Ordering::Relaxed) {
            return match PROBES.contains(&path) {
                true => Verdict::Pass,
                false => Verdict::NotConfigured,
            };
        }
        match &*self.shared.lock.load() {
            Some(lock) if lock.covers(path) && !lock.opens_for(headers) => Verdict::Unauthenticated,
            _ => Verdict::Pass,
        }
    }
}

/// A right to say how the gate is.
#[derive(Debug)]
pub struct Hold {
    shared: Arc<Shared>,
}

impl Hold {
    /// Encrypts and locks so from now on.
    pub fn apply(&self, tls: Option<Arc<ServerTls>>, lock: Option<Arc<Lock>>) {
        let holders = self.shared.holders();
        if !holders.sealed {
            self.shared.set(tls, lock);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut holders = self.shared.holders();
        holders.count -= 1;
        if holders.count == 0 && !holders.sealed {
            self.shared.set(None, None);
        }
    }
}

impl Shared {
    fn set(&self, tls: Option<Arc<ServerTls>>, lock: Option<Arc<Lock>>) {
        self.encryption.set(tls);
        self.lock.store(lock);
    }

    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user name and a password, and the paths for which they are demanded.
#[derive(Debug)]
pub struct Lock {
    username: [u8; 32],
    password: [u8; 32],
    paths: Vec<String>,
    covers_paths: bool,
}

impl Lock {
    /// Demands them for paths that begin with one of these, or for all others where `covers_paths`
    /// is false.
    pub fn new(username: &str, password: &str, paths: Vec<String>, covers_paths: bool) -> Self {
        // Sums, so that the time of a comparison says nothing of the length.
        Self {
            username: Sha256::digest(username).into(),
            password: Sha256::digest(password).into(),
            paths,
            covers_paths,
        }
    }

    fn covers(&self, path: &str) -> bool {
        // Routes take what is escaped for what it stands for, so a filter must, too.
        let path = percent_decode_str(path).decode_utf8_lossy();
        let begins = self.paths.iter().any(|start| path.starts_with(start));
        begins == self.covers_paths
    }

    fn opens_for(&self, headers: &HeaderMap) -> bool {
        let Some((username, password)) = credentials(headers) else {
            return false;
        };
        let username = equal(&self.username, &Sha256::digest(username).into());
        let password = equal(&self.password, &Sha256::digest(password).into());
        username & password
    }
}

/// The user name and the password of a request.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

/// Takes the same time whatever the sums are.
fn equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let pairs = one.iter().zip(other);
    pairs.fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn asks_as(user: &str) -> HeaderMap {
        let value = format!("Basic {}", BASE64_STANDARD.encode(user));
        let value = HeaderValue::from_str(&value).unwrap();
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }

    fn lock(paths: &[&str], covers_paths: bool) -> Option<Arc<Lock>> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Some(Arc::new(Lock::new("ann", "secret", paths, covers_paths)))
    }

    #[test]
    fn only_probes_pass_before_there_is_a_configuration() {
        let gate = Gate::default();
        let nobody = HeaderMap::new();
        assert_eq!(gate.check("/-/ready", &nobody), Verdict::Pass);
        assert_eq!(gate.check("/-/healthy", &nobody), Verdict::Pass);
        assert_eq!(gate.check("/metrics", &nobody), Verdict::NotConfigured);
        assert_eq!(gate.check("/-/reload", &nobody), Verdict::NotConfigured);
        gate.configured();
        assert_eq!(gate.check("/metrics", &nobody), Verdict::Pass);
    }

    #[test]
    fn a_filter_says_for_which_paths_a_user_is_demanded() {
        let gate = Gate::default();
        gate.configured();
        let hold = gate.hold();
        let cases: [(&[&str], bool, &str, bool); 8] = [
            (&["/metrics"], true, "/metrics", true),
            (&["/metrics"], true, "/-/ready", false),
            (&["/metrics"], true, "/%6Detrics", true),
            (
                &["/api/v0/web/components/a b"],
                true,
                "/api/v0/web/components/a%20b",
                true,
            ),
            (&["/metrics"], false, "/metrics", false),
            (&["/metrics"], false, "/-/reload", true),
            (&[], false, "/metrics", true),
            // As with Alloy: a filter that names no path demands nothing.
            (&[], true, "/metrics", false),
        ];
        for (paths, covers, path, locked) in cases {
            hold.apply(None, lock(paths, covers));
            let expected = if locked {
                Verdict::Unauthenticated
            } else {
                Verdict::Pass
            };
            let found = gate.check(path, &HeaderMap::new());
            assert_eq!(found, expected, "{paths:?} {covers} {path}");
            assert_eq!(gate.check(path, &asks_as("ann:secret")), Verdict::Pass);
        }
    }

    #[test]
    fn who_is_not_who_they_must_be_does_not_pass() {
        let gate = Gate::default();
        gate.configured();
        let hold = gate.hold();
        hold.apply(None, lock(&[], false));
        for user in ["ann:wrong", "bob:secret", "ann", "", ":", "ann:secret:more"] {
            let found = gate.check("/metrics", &asks_as(user));
            assert_eq!(found, Verdict::Unauthenticated, "{user:?}");
        }
        let mut bearer = HeaderMap::new();
        bearer.insert(AUTHORIZATION, HeaderValue::from_static("Bearer ann:secret"));
        assert_eq!(gate.check("/metrics", &bearer), Verdict::Unauthenticated);
    }

    #[test]
    fn a_reload_leaves_no_moment_without_a_lock() {
        let gate = Gate::default();
        gate.configured();
        let is_locked = || gate.check("/metrics", &HeaderMap::new()) == Verdict::Unauthenticated;
        let first = gate.hold();
        first.apply(None, lock(&[], false));
        // A configuration that turned out to be bad.
        drop(gate.hold());
        assert!(is_locked());
        let second = gate.hold();
        drop(first);
        assert!(is_locked());
        second.apply(None, lock(&["/metrics"], true));
        assert!(is_locked());
        drop(second);
        assert!(!is_locked());
        let last = gate.hold();
        last.apply(None, lock(&[], false));
        gate.seal();
        drop(last);
        assert!(is_locked());
    }
}
