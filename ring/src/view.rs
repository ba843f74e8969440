//! The cluster as one member sees it at one moment.

use std::collections::BTreeMap;

use chitchat::{ChitchatId, NodeState};

use crate::{Member, Ring, State};

/// Members that are looked at. Gossip carries all of them in one datagram, and the ring has
/// thousands of points for each; whoever needs more needs several clusters.
pub const MEMBERS_MAX: usize = 1000;

/// The cluster as one member sees it. Of several members with one name the one that was started
/// last counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    me: String,
    /// By name.
    members: BTreeMap<String, Member>,
    /// Members that were there and are not heard any more, and did not say that they leave.
    missing: Vec<String>,
    /// Names that several living members have.
    conflicts: Vec<String>,
    superseded: bool,
}

impl View {
    /// The view of the member `me` of those who are alive and those who are not heard any more.
    pub(crate) fn new<'a>(
        me: &ChitchatId,
        alive: impl IntoIterator<Item = (&'a ChitchatId, &'a NodeState)>,
        silent: impl IntoIterator<Item = (&'a ChitchatId, &'a NodeState)>,
    ) -> Self {
        let mut view = Self {
            me: me.node_id.to_string(),
            members: BTreeMap::new(),
            missing: Vec::new(),
            conflicts: Vec::new(),
            superseded: false,
        };
        let mut alive: Vec<_> = alive.into_iter().collect();
        // The order decides who is left out and who wins, so it must be the same everywhere.
        alive.sort_by_key(|(id, _)| *id);
        for (id, state) in alive.into_iter().take(MEMBERS_MAX) {
            view.superseded |= id.node_id == me.node_id && id.generation_id > me.generation_id;
            let member = Member::read(id, state);
            let name = member.name.clone();
            if view.members.insert(name.clone(), member).is_some() {
                view.conflicts.push(name);
            }
        }
        view.conflicts.dedup();
        for (id, state) in silent {
            let member = Member::read(id, state);
            let is_gone = member.state == State::Leaving || view.members.contains_key(&member.name);
            if !is_gone {
                view.missing.push(member.name);
            }
        }
        view.missing.sort();
        view.missing.dedup();
        view
    }

    /// The name of the member whose view it is.
    pub fn me(&self) -> &str {
        &self.me
    }

    /// Everybody who is alive, by name, also who joins or leaves.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// A member that is alive.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.get(name)
    }

    /// The members that own something.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.members()
            .filter(|member| member.state == State::Active)
    }

    /// The ring of those that own something.
    pub fn ring(&self) -> Ring {
        Ring::new(self.active().map(|member| member.name.clone()))
    }

    /// Members that are not heard any more, although they did not say that they leave.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Names that several living members have.
    pub fn conflicts(&self) -> &[String] {
        &self.conflicts
    }

    /// Whether another process was started with this member's name, and owns what it owned.
    pub fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// Whether this member sees half of the members or less of which it knows: there may be a larger
    /// part of the cluster that sees itself without it.
    pub fn is_minority(&self) -> bool {
        !self.missing.is_empty() && self.members.len() <= self.missing.len()
    }

    /// The hashes of configurations that active members run, if it is more than one.
    pub fn disagreeing_configurations(&self) -> Vec<&str> {
        let mut hashes: Vec<&str> = self.active().map(|member| &*member.configuration).collect();
        hashes.sort_unstable();
        hashes.dedup();
        if hashes.len() < 2 {
            hashes.clear();
        }
        hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::{CONFIGURATION, STATE};

    fn node(name: &str, generation: u64, state: State) -> (ChitchatId, NodeState) {
        let mut said = NodeState::for_test();
        said.set(STATE, state);
        said.set(CONFIGURATION, "same");
        let address = ([127, 0, 0, 1], 7000 + generation as u16).into();
        (ChitchatId::new(name.to_owned(), generation, address), said)
    }

    fn view(alive: &[(ChitchatId, NodeState)], silent: &[(ChitchatId, NodeState)]) -> View {
        let me = node("a", 1, State::Active).0;
        View::new(&me, pairs(alive), pairs(silent))
    }

    fn pairs(nodes: &[(ChitchatId, NodeState)]) -> impl Iterator<Item = (&ChitchatId, &NodeState)> {
        nodes.iter().map(|(id, state)| (id, state))
    }

    #[test]
    fn only_active_members_own_something() {
        let view = view(
            &[
                node("a", 1, State::Active),
                node("b", 1, State::Joining),
                node("c", 1, State::Leaving),
                node("d", 1, State::Active),
            ],
            &[],
        );
        assert_eq!(view.ring().members(), ["a", "d"]);
        assert_eq!(view.members().count(), 4);
        assert!(!view.is_minority() && !view.is_superseded());
        assert_eq!(view.disagreeing_configurations(), Vec::<&str>::new());
    }

    #[test]
    fn the_last_start_of_a_name_counts() {
        let restarted = view(
            &[
                node("a", 1, State::Active),
                node("b", 3, State::Active),
                node("b", 2, State::Active),
            ],
            &[],
        );
        assert_eq!(
            restarted.member("b").map(|member| member.generation),
            Some(3)
        );
        assert_eq!(restarted.conflicts(), ["b"]);
        assert!(!restarted.is_superseded());
        let me_too = view(
            &[node("a", 1, State::Active), node("a", 2, State::Active)],
            &[],
        );
        assert!(me_too.is_superseded());
    }

    #[test]
    fn a_minority_knows_that_it_is_one() {
        let alive = [node("a", 1, State::Active)];
        let gone = |names: &[&str], state| -> Vec<_> {
            names.iter().map(|name| node(name, 1, state)).collect()
        };
        assert!(!view(&alive, &[]).is_minority());
        assert!(view(&alive, &gone(&["b", "c"], State::Active)).is_minority());
        // With two members nobody can say which half is the cluster.
        assert!(view(&alive, &gone(&["b"], State::Active)).is_minority());
        assert!(!view(&alive, &gone(&["b", "c"], State::Leaving)).is_minority());
        // A member that has come back under another number is not missing.
        assert!(!view(&alive, &gone(&["a"], State::Active)).is_minority());
    }

    #[test]
    fn other_configurations_are_named() {
        let mut other = node("b", 1, State::Active);
        other.1.set(CONFIGURATION, "another");
        let view = view(&[node("a", 1, State::Active), other], &[]);
        assert_eq!(view.disagreeing_configurations(), ["another", "same"]);
    }
}
