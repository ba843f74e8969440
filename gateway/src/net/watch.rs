//! Decides how long a connection stays: one that says nothing, has grown idle or old, or is left when
//! its server stops, is asked to go and then closed.

use std::time::Duration;

use tokio::time::Instant;

use super::{activity::Activity, server::Limits};

/// Time for requests in progress when the server stops; then their connections are closed.
const DRAIN: Duration = Duration::from_secs(5);

/// Time for the first request of a connection that was just made when the server stops: it may be
/// on its way, and to close then would refuse it.
pub(super) const FIRST_REQUEST: Duration = Duration::from_millis(200);

/// How often a stopping server looks whether that request has come.
const FIRST_REQUEST_POLL: Duration = Duration::from_millis(10);

/// How often a connection that may serve one request only is looked at after it. HTTP/1 ends by
/// itself then; HTTP/2 must be told.
const AFTER_ONE: Duration = Duration::from_millis(100);

/// The stand-in for "never".
pub(super) const FAR: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Stay,
    Leave,
    Close,
}

/// Decides how long a connection stays.
pub(super) struct Watch<'a> {
    limits: &'a Limits,
    activity: &'a Activity,
    /// When the connection has reached its age.
    old: Option<Instant>,
    /// Set once the connection was asked to go: when it is closed if it has not.
    deadline: Option<Instant>,
    asked: bool,
    stopping: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(limits: &'a Limits, activity: &'a Activity) -> Self {
        // Clients that connected together must not all come back together.
        let spread = rand::random_range(0.9..1.1);
        let old = limits.age.map(|age| activity.opened + age.mul_f64(spread));
        Self {
            limits,
            activity,
            old,
            deadline: None,
            asked: false,
            stopping: false,
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    pub(super) fn stop(&mut self) {
        self.stopping = true;
        self.deadline = Some(Instant::now() + DRAIN);
    }

    /// When to look again, if nothing else happens.
    pub(super) fn next(&self) -> Instant {
        let far = Instant::now() + FAR;
        if self.awaits_first(Instant::now()) {
            return Instant::now() + FIRST_REQUEST_POLL;
        }
        if let Some(deadline) = self.deadline {
            return deadline;
        }
        if self.asked {
            return far;
        }
        if !self.limits.keep_alive && self.activity.requests() > 0 {
            return Instant::now() + AFTER_ONE;
        }
        let silent = if self.activity.is_silent() {
            self.activity.opened + self.limits.header_timeout
        } else {
            match self.limits.idle_timeout {
                None => far,
                Some(idle) if self.activity.in_flight() > 0 => Instant::now() + idle,
                Some(idle) => self.activity.last() + idle,
            }
        };
        self.old.map_or(silent, |old| old.min(silent))
    }

    pub(super) fn verdict(&mut self) -> Verdict {
        let now = Instant::now();
        if let Some(deadline) = self.deadline {
            return match (now >= deadline, self.asked) {
                (true, _) => Verdict::Close,
                (false, _) if self.awaits_first(now) => Verdict::Stay,
                (false, true) => Verdict::Stay,
                (false, false) => self.leave(),
            };
        }
        if self.asked {
            return Verdict::Stay;
        }
        if self.activity.is_silent() && now >= self.activity.opened + self.limits.header_timeout {
            return Verdict::Close;
        }
        if !self.limits.keep_alive && self.activity.answered() > 0 {
            self.deadline = Some(now + DRAIN);
            return self.leave();
        }
        if self.old.is_some_and(|old| now >= old) {
            self.deadline = self.limits.age_grace.map(|grace| now + grace);
            return self.leave();
        }
        let idle = self
            .limits
            .idle_timeout
            .is_some_and(|idle| now >= self.activity.last() + idle);
        if idle && self.activity.in_flight() == 0 && !self.activity.is_silent() {
            self.deadline = Some(now + DRAIN);
            return self.leave();
        }
        Verdict::Stay
    }

    /// Whether the server stops, and the first request may still be on its way.
    fn awaits_first(&self, now: Instant) -> bool {
        let stopped = self.deadline.map(|deadline| deadline - DRAIN);
        let patience = stopped.is_some_and(|stopped| now < stopped + FIRST_REQUEST);
        self.stopping && !self.asked && self.activity.requests() == 0 && patience
    }

    fn leave(&mut self) -> Verdict {
        self.asked = true;
        Verdict::Leave
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A connection of this age that has answered this many requests at its beginning.
    fn connection(age: Duration, requests: u32) -> Arc<Activity> {
        let mut activity = Arc::new(Activity::new());
        for _ in 0..requests {
            drop(activity.begin());
        }
        Arc::get_mut(&mut activity)
            .expect("no request holds it")
            .opened -= age;
        activity
    }

    #[test]
    fn each_connection_has_its_time() {
        let limits = Limits {
            header_timeout: 10 * SECOND,
            idle_timeout: Some(60 * SECOND),
            age: Some(600 * SECOND),
            age_grace: Some(5 * SECOND),
            ..Limits::default()
        };
        for (age, requests, verdict) in [
            (9, 0, Verdict::Stay),
            (10, 0, Verdict::Close),
            (59, 1, Verdict::Stay),
            (61, 1, Verdict::Leave),
            (700, 1, Verdict::Leave),
        ] {
            let activity = connection(age * SECOND, requests);
            let mut watch = Watch::new(&limits, &activity);
            assert_eq!(watch.verdict(), verdict, "{age} s, {requests} requests");
            assert!(watch.next() <= Instant::now() + 61 * SECOND);
        }
        for (age, verdict) in [(11, Verdict::Stay), (61, Verdict::Leave)] {
            let activity = connection(age * SECOND, 0);
            activity.greet();
            let mut watch = Watch::new(&limits, &activity);
            assert_eq!(watch.verdict(), verdict, "{age} s after HTTP/2 began");
            assert!(watch.next() <= Instant::now() + 61 * SECOND);
        }
        let for_ever = Limits {
            idle_timeout: None,
            ..Limits::default()
        };
        let activity = connection(3600 * SECOND, 1);
        assert_eq!(Watch::new(&for_ever, &activity).verdict(), Verdict::Stay);
        let once = Limits {
            keep_alive: false,
            ..Limits::default()
        };
        let activity = connection(SECOND, 1);
        assert_eq!(Watch::new(&once, &activity).verdict(), Verdict::Leave);
    }

    #[test]
    fn a_request_in_progress_is_waited_for() {
        let limits = Limits {
            age: Some(600 * SECOND),
            ..Limits::default()
        };
        let activity = connection(500 * SECOND, 1);
        let _request = activity.begin();
        assert_eq!(Watch::new(&limits, &activity).verdict(), Verdict::Stay);
        // Old, and without a grace: asked to go, and never closed.
        let activity = connection(700 * SECOND, 1);
        let _request = activity.begin();
        let mut watch = Watch::new(&limits, &activity);
        assert_eq!(watch.verdict(), Verdict::Leave);
        assert_eq!(watch.verdict(), Verdict::Stay);
        // But not when the server stops.
        watch.stop();
        assert_eq!(watch.verdict(), Verdict::Stay);
        assert!(watch.next() <= Instant::now() + DRAIN);
        watch.deadline = Some(Instant::now());
        assert_eq!(watch.verdict(), Verdict::Close);
    }

    #[test]
    fn a_stop_asks_first_and_waits_for_new_connections() {
        let limits = Limits::default();
        for (requests, verdict) in [(0, Verdict::Stay), (1, Verdict::Leave)] {
            let activity = connection(SECOND, requests);
            let mut watch = Watch::new(&limits, &activity);
            watch.stop();
            assert_eq!((watch.is_stopping(), watch.verdict()), (true, verdict));
            assert_eq!(watch.verdict(), Verdict::Stay);
            watch.deadline = Some(Instant::now() + DRAIN - FIRST_REQUEST);
            let next = if requests == 0 {
                Verdict::Leave
            } else {
                Verdict::Stay
            };
            assert_eq!(watch.verdict(), next);
        }
        let activity = connection(SECOND, 0);
        let mut watch = Watch::new(&limits, &activity);
        watch.stop();
        assert_eq!(watch.verdict(), Verdict::Stay);
        let _request = activity.begin();
        assert_eq!(
            watch.verdict(),
            Verdict::Leave,
            "the first request is there"
        );
    }
}
