//! A member's place in the cluster: joins, tells the others what it does, sees who they are, and
//! leaves.

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chitchat::{
    Chitchat, ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, spawn_chitchat,
    transport::Transport,
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Load, State, View,
    member::{CONFIGURATION, LOAD, PEER, STATE, VERSION},
};

/// How often a member gossips with three others: fast enough that everybody knows of a change
/// within two seconds at a thousand members, at about a kilobyte a second for each of ten.
const GOSSIP_INTERVAL: Duration = Duration::from_millis(500);

/// How long the start watches out for another living member with the same name. To be seen alive
/// takes a member some gossip.
const NAME_WATCH: Duration = Duration::from_secs(3);

/// How often views are made, at most: the load of members changes all the time.
const VIEW_INTERVAL: Duration = Duration::from_millis(250);

/// How long a member that leaves goes on gossiping, so that everybody knows it before it is silent.
pub const LEAVE_NOTICE: Duration = Duration::from_secs(2);

/// After how many mean intervals between its heartbeats a silent member is missing: with the interval
/// of gossip about six seconds. Fewer take members for dead on a network that loses a third of all
/// datagrams.
const PHI_THRESHOLD: f64 = 12.0;

/// Intervals between heartbeats that the failure detector remembers.
const SAMPLES: usize = 1000;

/// The longest interval between heartbeats that counts as one. A longer one was a fault, and would
/// make the detector patient with the next.
const HEARTBEAT_INTERVAL_MAX: Duration = Duration::from_secs(2);

/// How long a member that is not heard any more is remembered, so that a minority knows that it is
/// one, and a node that was away for a while is missed.
const MISSING_FOR: Duration = Duration::from_secs(6 * 3600);

/// How long a deleted value is remembered by the gossip.
const DELETED_FOR: Duration = Duration::from_secs(3600);

/// How a member joins.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of the cluster: members of another one are refused.
    pub cluster: String,
    /// The member's own name, which must not change across restarts and which no other has.
    pub name: String,
    /// Where it listens for gossip.
    pub listen: SocketAddr,
    /// Where the others reach it, if that is another address.
    pub advertise: Option<SocketAddr>,
    /// Addresses of members, with ports; names are looked up again every minute.
    pub join: Vec<String>,
    /// Where it takes data from its peers.
    pub peer: Option<SocketAddr>,
    /// The version of the program.
    pub version: String,
}

/// Why a member cannot join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The address for gossip cannot be used.
    Listen(String),
    /// A living member has the same name.
    DuplicateName {
        /// The name.
        name: String,
        /// The other's address.
        other: SocketAddr,
    },
}

/// A member that has joined. Dropping it makes it silent; [`Cluster::leave`] says goodbye.
pub struct Cluster {
    chitchat: Arc<ChitchatHandle>,
    views: watch::Receiver<Arc<View>>,
    follower: JoinHandle<()>,
}

// === impl Cluster ===

impl Cluster {
    /// Joins. Takes as long as it needs to see whether the name is taken, three seconds; the member
    /// is [`State::Joining`] until it says otherwise.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn join(options: Options, transport: &dyn Transport) -> Result<Self, Error> {
        let config = config(&options);
        let me = config.chitchat_id.clone();
        let mut said = vec![
            (STATE.to_owned(), State::Joining.to_string()),
            (VERSION.to_owned(), options.version),
        ];
        said.extend(options.peer.map(|peer| (PEER.to_owned(), peer.to_string())));
        let chitchat = spawn_chitchat(config, said, transport)
            .await
            .map_err(|error| Error::Listen(format!("{error:#}")))?;
        if let Some(other) = namesake(&chitchat, &me).await {
            let _ = chitchat.shutdown().await;
            return Err(Error::DuplicateName {
                name: me.node_id.to_string(),
                other,
            });
        }
        let chitchat = Arc::new(chitchat);
        let view = chitchat.with_chitchat(view).await;
        let (sender, views) = watch::channel(Arc::new(view));
        let follower = tokio::spawn(follow(chitchat.clone(), sender));
        Ok(Self {
            chitchat,
            views,
            follower,
        })
    }

    /// The cluster as this member sees it, now and later.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// Tells the others what this member does.
    pub async fn set_state(&self, state: State) {
        self.say(STATE, state.to_string()).await;
    }

    /// Tells the others which configuration this member runs.
    pub async fn set_configuration(&self, hash: &str) {
        self.say(CONFIGURATION, hash.to_owned()).await;
    }

    /// Tells the others how loaded this member is.
    pub async fn set_load(&self, load: Load) {
        self.say(LOAD, load.to_string()).await;
    }

    async fn say(&self, key: &str, value: String) {
        // Setting what is set already is no news and is not gossiped.
        self.chitchat
            .with_chitchat(|chitchat| chitchat.self_node_state().set(key, &value))
            .await;
    }

    /// Says that it leaves, sees to it that the others hear it, and ends. Takes [`LEAVE_NOTICE`].
    pub async fn leave(self) {
        self.set_state(State::Leaving).await;
        tokio::time::sleep(LEAVE_NOTICE).await;
        let _ = self.chitchat.initiate_shutdown();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.follower.abort();
        let _ = self.chitchat.initiate_shutdown();
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Cluster({:?})", self.chitchat.chitchat_id())
    }
}

/// Makes views, for as long as somebody looks.
async fn follow(chitchat: Arc<ChitchatHandle>, views: watch::Sender<Arc<View>>) {
    let mut ticks = tokio::time::interval(VIEW_INTERVAL);
    loop {
        ticks.tick().await;
        let view = chitchat.with_chitchat(view).await;
        if views.is_closed() {
            return;
        }
        views.send_if_modified(|present| {
            let is_new = **present != view;
            if is_new {
                *present = Arc::new(view);
            }
            is_new
        });
    }
}

fn view(chitchat: &mut Chitchat) -> View {
    let states = chitchat.node_states();
    let alive = chitchat
        .live_nodes()
        .filter_map(|id| states.get_key_value(id));
    let silent = chitchat
        .dead_nodes()
        .filter_map(|id| states.get_key_value(id));
    View::new(chitchat.self_chitchat_id(), alive, silent)
}

/// The address of a living member with our name. One that has ended is not seen alive: that takes
/// heartbeats that go on.
async fn namesake(chitchat: &ChitchatHandle, me: &ChitchatId) -> Option<SocketAddr> {
    let live = chitchat
        .with_chitchat(|chitchat| chitchat.live_nodes_watcher())
        .await;
    let seen = async {
        let mut live = live;
        loop {
            let other = live
                .borrow_and_update()
                .keys()
                .find(|id| id.node_id == me.node_id && *id != me)
                .map(|id| id.gossip_advertise_addr);
            if other.is_some() || live.changed().await.is_err() {
                return other;
            }
        }
    };
    tokio::time::timeout(NAME_WATCH, seen).await.ok().flatten()
}

fn config(options: &Options) -> ChitchatConfig {
    let advertise = options.advertise.unwrap_or(options.listen);
    ChitchatConfig {
        chitchat_id: ChitchatId::new(options.name.clone(), generation(), advertise),
        cluster_id: options.cluster.clone(),
        gossip_interval: GOSSIP_INTERVAL,
        listen_addr: options.listen,
        seed_nodes: options.join.clone(),
        failure_detector_config: FailureDetectorConfig::new(
            PHI_THRESHOLD,
            SAMPLES,
            HEARTBEAT_INTERVAL_MAX,
            GOSSIP_INTERVAL,
            MISSING_FOR,
        ),
        marked_for_deletion_grace_period: DELETED_FOR,
        catchup_callback: None,
        extra_liveness_predicate: None,
    }
}

/// A number that is higher at every start: the time, for a process cannot start twice in a
/// nanosecond.
fn generation() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(reason) => formatter.write_str(reason),
            Self::DuplicateName { name, other } => write!(
                formatter,
                "the cluster has a member {name:?} already, at {other}: give each node a name of \
                 its own, or wait until the other is gone"
            ),
        }
    }
}

impl std::error::Error for Error {}
