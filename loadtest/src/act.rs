//! What is done to a system under test, and when.

use std::{fmt, str::FromStr, time::Duration};

use crate::{
    Error,
    backend::{Counts, Fault},
    client::Protocol,
    units,
};

/// One thing done to the system under test or to a backend behind it.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Kill it (SIGKILL) and start it again.
    Kill,
    /// Ask it to end (SIGTERM) and start it again.
    Restart,
    /// Stop its clock (SIGSTOP) for so long.
    Pause(Duration),
    /// Change how the backend of this protocol behaves.
    Fault(Protocol, Fault),
}

/// How often each thing was really done to the system under test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Times it was killed.
    pub kills: u64,
    /// Times it was asked to end and did so with success.
    pub restarts: u64,
    /// Times it was stopped and let go on.
    pub pauses: u64,
}

impl Act {
    /// Whether it really happened, by what was done and what the backends counted. Without that,
    /// passing the test means nothing.
    pub fn happened(&self, done: &Done, counts: &Counts) -> bool {
        let count = match self {
            Self::Kill => done.kills,
            Self::Restart => done.restarts,
            Self::Pause(_) => done.pauses,
            Self::Fault(_, fault) => match fault {
                Fault::Healthy => return true,
                Fault::Down | Fault::Reset => counts.connections_reset,
                Fault::RefuseConnections => counts.connections_refused,
                Fault::Hang => counts.hung,
                Fault::Slow(_) => counts.slowed,
                Fault::Refuse(_) => counts.refused,
                Fault::LoseResponse | Fault::ResetMidResponse => counts.responses_lost,
                Fault::PartialSuccess { .. } => counts.partial,
            },
        };
        count > 0
    }
}

impl fmt::Display for Act {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => out.write_str("kill"),
            Self::Restart => out.write_str("restart"),
            Self::Pause(time) => write!(out, "pause for {time:?}"),
            Self::Fault(protocol, fault) => write!(out, "the {protocol} backend {fault}"),
        }
    }
}

/// An act and the time since the start at which it is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// When.
    pub at: Duration,
    /// What.
    pub act: Act,
}

impl FromStr for Due {
    type Err = Error;

    /// Reads `5s=kill`, `5s=restart`, `5s=pause:2s` or `5s=http=down`, with a backend's protocol
    /// and [`Fault`] in the last form.
    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || {
            Error::new(format!(
                "unknown act {text:?}, expected a time and kill, restart, pause:<time> or a \
                 backend's protocol and fault, as in 5s=kill or 10s=http=503:2s"
            ))
        };
        let (at, act) = text.split_once('=').ok_or_else(unknown)?;
        let act = match act.split_once('=') {
            Some((protocol, fault)) => Act::Fault(protocol.parse()?, fault.parse()?),
            None => match act.split_once(':') {
                Some(("pause", time)) => Act::Pause(units::duration(time)?),
                None if act == "kill" => Act::Kill,
                None if act == "restart" => Act::Restart,
                _ => return Err(unknown()),
            },
        };
        Ok(Self {
            at: units::duration(at)?,
            act,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_read_from_words() {
        let down = Act::Fault(Protocol::Http, Fault::Down);
        let cases = [
            ("5s=kill", Some((5, Act::Kill))),
            ("1m=restart", Some((60, Act::Restart))),
            ("2s=pause:3s", Some((2, Act::Pause(Duration::from_secs(3))))),
            ("7s=http=down", Some((7, down))),
            ("7s=smtp=down", None),
            ("7s=http=sideways", None),
            ("kill", None),
            ("5s=kill:2s", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(at, act)| Due {
                at: Duration::from_secs(at),
                act,
            });
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    #[test]
    fn an_act_without_effect_did_not_happen() {
        let act = Act::Fault(Protocol::Grpc, "503".parse().unwrap());
        let nothing = Counts::default();
        assert!(!act.happened(&Done::default(), &nothing));
        assert!(act.happened(
            &Done::default(),
            &Counts {
                refused: 1,
                ..nothing
            }
        ));
        assert!(!Act::Kill.happened(
            &Done {
                restarts: 1,
                ..Done::default()
            },
            &nothing
        ));
    }
}
