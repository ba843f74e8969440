//! Clusters on a network that loses, delays and cuts, under a clock that jumps from event to event:
//! after every fault all members agree again on who owns what, and within ten seconds.

#![cfg(test)]

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chitchat::{
    ChitchatMessage, Deserializable, Serializable,
    transport::{Socket, Transport},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use ring::{Cluster, Options, State};
use tokio::{sync::mpsc, time::Instant};

/// How long members may take to agree after a fault has ended, and to notice one.
const AGREE_WITHIN: Duration = Duration::from_secs(10);

/// Histories in each run; `RING_SEEDS` asks for more.
const SEEDS: u64 = 12;

/// Faults in a history.
const FAULTS: usize = 3;

// === The network ===

#[derive(Clone)]
struct Network(Arc<Mutex<Links>>);

struct Links {
    inboxes: HashMap<SocketAddr, mpsc::UnboundedSender<Letter>>,
    /// Ways on which nothing arrives.
    cut: HashSet<(SocketAddr, SocketAddr)>,
    /// The share of datagrams that are lost.
    loss: f64,
    lost: u64,
    random: StdRng,
}

type Letter = (SocketAddr, Vec<u8>);

struct Wire {
    network: Network,
    address: SocketAddr,
    inbox: mpsc::UnboundedReceiver<Letter>,
}

impl Network {
    fn new(seed: u64) -> Self {
        let state = Links {
            inboxes: HashMap::new(),
            cut: HashSet::new(),
            loss: 0.0,
            lost: 0,
            random: StdRng::seed_from_u64(seed),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Links) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// Cuts the ways from all of these to all of those.
    fn cut(&self, from: &[SocketAddr], to: &[SocketAddr]) {
        let pairs = from
            .iter()
            .flat_map(|from| to.iter().map(|to| (*from, *to)));
        self.with(|state| state.cut.extend(pairs));
    }

    fn heal(&self) {
        self.with(|state| {
            state.cut.clear();
            state.loss = 0.0;
        });
    }
}

#[async_trait]
impl Transport for Network {
    async fn open(&self, address: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let (sender, inbox) = mpsc::unbounded_channel();
        self.with(|state| state.inboxes.insert(address, sender));
        let network = self.clone();
        Ok(Box::new(Wire {
            network,
            address,
            inbox,
        }))
    }
}

#[async_trait]
impl Socket for Wire {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        let letter = (self.address, message.serialize_to_vec());
        let way = (self.address, to);
        let arrives = self.network.with(|state| {
            let is_lost = state.random.random_bool(state.loss) || state.cut.contains(&way);
            state.lost += u64::from(is_lost);
            let inbox = state.inboxes.get(&to).filter(|_| !is_lost)?.clone();
            Some((inbox, state.random.random_range(1..30)))
        });
        if let Some((inbox, milliseconds)) = arrives {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                let _ = inbox.send(letter);
            });
        }
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        let (from, bytes) = match self.inbox.recv().await {
            Some(letter) => letter,
            None => std::future::pending().await,
        };
        Ok((from, ChitchatMessage::deserialize(&mut &*bytes)?))
    }
}

// === The members ===

struct Tier {
    network: Network,
    /// Those that run, by their numbers.
    members: BTreeMap<u16, Cluster>,
    size: u16,
}

impl Tier {
    async fn start(network: Network, size: u16) -> Self {
        let mut tier = Self {
            network,
            members: BTreeMap::new(),
            size,
        };
        let joins = (0..size).map(|number| join(&tier.network, number, size));
        for (number, cluster) in (0..).zip(futures::future::join_all(joins).await) {
            tier.members.insert(number, cluster);
        }
        tier
    }

    fn names(&self) -> Vec<String> {
        self.members.keys().map(|number| name(*number)).collect()
    }

    /// Whether everybody who runs sees as active just those who run.
    fn agrees(&self) -> bool {
        let expected = self.names();
        let sees = |cluster: &Cluster| cluster.views().borrow().ring().members() == expected;
        self.members.values().all(sees)
    }

    /// How long it takes until everybody agrees.
    async fn agreement(&self, what: &str) -> Duration {
        let began = Instant::now();
        while !self.agrees() {
            assert!(began.elapsed() <= AGREE_WITHIN, "no agreement after {what}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        began.elapsed()
    }
}

fn name(number: u16) -> String {
    format!("corten-{number}")
}

fn address(number: u16) -> SocketAddr {
    ([10, 0, 0, 1], 7000 + number).into()
}

async fn join(network: &Network, number: u16, size: u16) -> Cluster {
    let options = Options {
        cluster: "simulated".to_owned(),
        name: name(number),
        listen: address(number),
        advertise: None,
        join: (0..size.min(3))
            .map(|seed| address(seed).to_string())
            .collect(),
        peer: None,
        version: "1".to_owned(),
    };
    let cluster = Cluster::join(options, network).await.unwrap();
    cluster.set_state(State::Active).await;
    cluster
}

// === The histories ===

#[tokio::test(start_paused = true)]
async fn members_agree_after_every_fault() {
    let seeds = std::env::var("RING_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let mut slowest = Duration::ZERO;
    for seed in 0..seeds.unwrap_or(SEEDS) {
        println!("seed {seed}");
        slowest = slowest.max(history(seed).await);
    }
    println!("slowest agreement: {slowest:?}");
}

async fn history(seed: u64) -> Duration {
    let mut random = StdRng::seed_from_u64(seed);
    let network = Network::new(seed);
    let mut tier = Tier::start(network.clone(), random.random_range(3..8)).await;
    let mut slowest = tier.agreement("the start").await;
    for _ in 0..FAULTS {
        let kind = random.random_range(0..4);
        let numbers: Vec<u16> = tier.members.keys().copied().collect();
        let addresses: Vec<SocketAddr> = numbers.iter().map(|number| address(*number)).collect();
        let split = random.random_range(1..addresses.len().max(2));
        let (one, other) = addresses.split_at(split.min(addresses.len()));
        let lost = network.with(|state| state.lost);
        let what = match kind {
            0 => {
                network.cut(one, other);
                network.cut(other, one);
                "a partition"
            }
            1 => {
                network.cut(one, other);
                "a partition in one direction"
            }
            2 => {
                network.with(|state| state.loss = 0.3);
                "losses"
            }
            _ => {
                let killed = *numbers.choose(&mut random).unwrap();
                drop(tier.members.remove(&killed));
                network.with(|state| state.inboxes.remove(&address(killed)));
                slowest = slowest.max(tier.agreement("a kill").await);
                let back = join(&network, killed, tier.size).await;
                tier.members.insert(killed, back);
                "a restart"
            }
        };
        let lasts = Duration::from_millis(random.random_range(1_000..30_000));
        if kind < 3 {
            tokio::time::sleep(lasts).await;
            assert!(
                network.with(|state| state.lost) > lost,
                "{what} lost nothing"
            );
            network.heal();
        }
        slowest = slowest.max(tier.agreement(what).await);
    }
    slowest
}

#[tokio::test(start_paused = true)]
async fn the_smaller_side_of_a_partition_knows_that_it_is_one() {
    let network = Network::new(1);
    let tier = Tier::start(network.clone(), 5).await;
    tier.agreement("the start").await;
    let addresses: Vec<SocketAddr> = (0..5).map(address).collect();
    let (few, many) = addresses.split_at(2);
    network.cut(few, many);
    network.cut(many, few);
    tokio::time::sleep(AGREE_WITHIN * 2).await;
    let minorities: Vec<bool> = tier
        .members
        .values()
        .map(|cluster| cluster.views().borrow().is_minority())
        .collect();
    assert_eq!(minorities, [true, true, false, false, false]);
    network.heal();
    tier.agreement("the partition").await;
    let is_minority = |cluster: &Cluster| cluster.views().borrow().is_minority();
    assert!(!tier.members.values().any(is_minority));
}
