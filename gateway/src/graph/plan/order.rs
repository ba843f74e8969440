//! Puts nodes behind what they need, and finds cycles.

/// An order of nodes.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Each behind all that it needs, as far as there are no cycles.
    pub(super) order: Vec<usize>,
    /// Each cycle once.
    pub(super) cycles: Vec<Vec<usize>>,
}

impl Order {
    /// Sorts nodes by what each needs.
    pub(super) fn of(targets: &[Vec<usize>]) -> Self {
        let mut search = Search {
            targets,
            state: vec![State::New; targets.len()],
            found: Self::default(),
        };
        for start in 0..targets.len() {
            search.visit(start);
        }
        search.found
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// A depth-first search without recursion: a configuration may be deeper than the stack.
struct Search<'a> {
    targets: &'a [Vec<usize>],
    state: Vec<State>,
    found: Order,
}

impl Search<'_> {
    fn visit(&mut self, start: usize) {
        if self.state[start] != State::New {
            return;
        }
        let mut path = vec![(start, 0)];
        self.state[start] = State::Open;
        while let Some((at, next)) = path.last_mut() {
            let Some(&target) = self.targets[*at].get(*next) else {
                self.state[*at] = State::Done;
                self.found.order.push(*at);
                path.pop();
                continue;
            };
            *next += 1;
            match self.state[target] {
                State::Done => {}
                State::New => {
                    self.state[target] = State::Open;
                    path.push((target, 0));
                }
                State::Open => {
                    let from = path
                        .iter()
                        .position(|(node, _)| *node == target)
                        .unwrap_or(0);
                    let cycle = path[from..].iter().map(|(node, _)| *node).collect();
                    self.found.cycles.push(cycle);
                }
            }
        }
    }
}
