//! What members say of themselves, and how it stands in the gossip.

use std::{fmt, net::SocketAddr, str::FromStr};

use chitchat::{ChitchatId, NodeState};

/// A member of the cluster, as it has said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name, which no other member has.
    pub name: String,
    /// Which start of the process it is; a later one has a higher number.
    pub generation: u64,
    /// Where it gossips.
    pub gossip: SocketAddr,
    /// Where it takes what belongs to it from its peers; none before it says so.
    pub peer: Option<SocketAddr>,
    /// What it is doing.
    pub state: State,
    /// The version of its program.
    pub version: String,
    /// The hash of its configuration.
    pub configuration: String,
    /// How loaded it is.
    pub load: Load,
}

/// What a member is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It is there and owns nothing yet.
    #[default]
    Joining,
    /// It owns its share.
    Active,
    /// It owns nothing any more, and hands over what it has.
    Leaving,
}

/// How loaded a member is, measured by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Bytes that it still owes to destinations.
    pub owed_bytes: u64,
    /// Share of its memory budget in use, in percent.
    pub memory_percent: u8,
}

pub(crate) const STATE: &str = "state";
pub(crate) const PEER: &str = "peer";
pub(crate) const VERSION: &str = "version";
pub(crate) const CONFIGURATION: &str = "configuration";
pub(crate) const LOAD: &str = "load";

/// The longest value that is read; what a member says of itself is much shorter.
const VALUE_BYTES_MAX: usize = 256;

// === impl Member ===

impl Member {
    /// Reads what is gossiped of a member. What cannot be read counts as not said: it may come from a
    /// newer version.
    pub(crate) fn read(id: &ChitchatId, state: &NodeState) -> Self {
        let value = |key| {
            state
                .get(key)
                .filter(|value| value.len() <= VALUE_BYTES_MAX)
        };
        let text = |key| value(key).unwrap_or_default().to_owned();
        fn parsed<T: FromStr>(value: Option<&str>) -> Option<T> {
            value?.parse().ok()
        }
        Self {
            name: id.node_id.to_string(),
            generation: id.generation_id,
            gossip: id.gossip_advertise_addr,
            peer: parsed(value(PEER)),
            state: parsed(value(STATE)).unwrap_or_default(),
            version: text(VERSION),
            configuration: text(CONFIGURATION),
            load: parsed(value(LOAD)).unwrap_or_default(),
        }
    }
}

// === impl State ===

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Joining => "joining",
            Self::Active => "active",
            Self::Leaving => "leaving",
        })
    }
}

impl FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "joining" => Ok(Self::Joining),
            "active" => Ok(Self::Active),
            "leaving" => Ok(Self::Leaving),
            _ => Err(()),
        }
    }
}

// === impl Load ===

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.owed_bytes, self.memory_percent)
    }
}

impl FromStr for Load {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (owed, memory) = text.split_once(' ').ok_or(())?;
        Ok(Self {
            owed_bytes: owed.parse().map_err(drop)?,
            memory_percent: memory.parse().map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_what_is_not_understood_is_left_out() {
        let id = ChitchatId::new("a".to_owned(), 7, ([127, 0, 0, 1], 7946).into());
        let mut state = NodeState::for_test();
        let nothing = Member::read(&id, &state);
        assert_eq!((nothing.state, nothing.peer), (State::Joining, None));
        let load = Load {
            owed_bytes: 12,
            memory_percent: 40,
        };
        state.set(STATE, State::Active);
        state.set(PEER, "127.0.0.1:4320");
        state.set(LOAD, load);
        state.set(VERSION, "x".repeat(VALUE_BYTES_MAX + 1));
        let member = Member::read(&id, &state);
        assert_eq!((member.name.as_str(), member.generation), ("a", 7));
        assert_eq!((member.state, member.load), (State::Active, load));
        assert_eq!(member.peer, Some(([127, 0, 0, 1], 4320).into()));
        assert_eq!(member.version, "");
        state.set(STATE, "sleeping");
        state.set(LOAD, "much");
        let member = Member::read(&id, &state);
        assert_eq!(
            (member.state, member.load),
            (State::Joining, Load::default())
        );
    }

    #[test]
    fn states_are_written_as_they_are_read() {
        for state in [State::Joining, State::Active, State::Leaving] {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
    }
}
