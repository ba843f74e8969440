//! The cluster over real sockets: who is let in, who is not, and what strangers can do.

#![cfg(test)]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ring::{Cluster, Error, Key, KeyRing, Options, SealedUdp, Sealer, State, View};
use tokio::net::UdpSocket;

/// How long anything may take here that gossip has to bring about.
const PATIENCE: Duration = Duration::from_secs(30);

async fn free_address() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.local_addr().unwrap()
}

fn options(name: &str, listen: SocketAddr, join: &[SocketAddr]) -> Options {
    Options {
        cluster: "test".to_owned(),
        name: name.to_owned(),
        listen,
        advertise: None,
        join: join.iter().map(SocketAddr::to_string).collect(),
        peer: None,
        version: "1".to_owned(),
    }
}

async fn until(cluster: &Cluster, what: &str, is_so: impl Fn(&View) -> bool) -> Arc<View> {
    let mut views = cluster.views();
    let view = tokio::time::timeout(PATIENCE, views.wait_for(|view| is_so(view))).await;
    let view = view.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
    view.unwrap().clone()
}

fn names(view: &View) -> Vec<&str> {
    view.members().map(|member| &*member.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_find_each_other_agree_on_owners_and_leave() {
    let keys = KeyRing::of(&Key::generate());
    let transports = [SealedUdp::new(keys.clone()), SealedUdp::new(keys)];
    let (one, two) = (free_address().await, free_address().await);
    let (a, b) = tokio::join!(
        Cluster::join(options("a", one, &[two]), &transports[0]),
        Cluster::join(options("b", two, &[one]), &transports[1]),
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    until(&a, "a sees b", |view| names(view) == ["a", "b"]).await;
    a.set_state(State::Active).await;
    b.set_state(State::Active).await;
    let both = |view: &View| view.active().count() == 2;
    let seen = (
        until(&a, "both active", both).await,
        until(&b, "both active", both).await,
    );
    assert_eq!(seen.0.ring(), seen.1.ring());
    assert_eq!(seen.0.ring().members(), ["a", "b"]);
    b.leave().await;
    let alone = until(&a, "b has left", |view| view.active().count() == 1).await;
    assert!(!alone.is_minority());
    // All of it was sealed, and nothing was dropped.
    let counts = transports[0].counts();
    assert!(counts.received_bytes > 0 && counts.sent_bytes > 0);
    assert_eq!((counts.unauthenticated, counts.malformed), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_member_of_a_name_is_refused() {
    let transport = SealedUdp::new(KeyRing::of(&Key::generate()));
    let (one, two) = (free_address().await, free_address().await);
    let _a = Cluster::join(options("a", one, &[]), &transport)
        .await
        .unwrap();
    let refused = Cluster::join(options("a", two, &[one]), &transport).await;
    let name = "a".to_owned();
    assert_eq!(
        refused.unwrap_err(),
        Error::DuplicateName { name, other: one }
    );
    let taken = Cluster::join(options("b", one, &[]), &transport).await;
    assert!(matches!(taken, Err(Error::Listen(reason)) if reason.contains(&one.to_string())));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_another_key_stays_outside() {
    let (ours, theirs) = (
        SealedUdp::new(KeyRing::of(&Key::generate())),
        SealedUdp::new(KeyRing::of(&Key::generate())),
    );
    let (one, two) = (free_address().await, free_address().await);
    let (a, b) = tokio::join!(
        Cluster::join(options("a", one, &[two]), &ours),
        Cluster::join(options("b", two, &[one]), &theirs),
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(names(&a.views().borrow()), ["a"]);
    assert_eq!(names(&b.views().borrow()), ["b"]);
    assert!(
        ours.counts().unauthenticated > 0,
        "nothing came from outside"
    );
    assert!(
        theirs.counts().unauthenticated > 0,
        "nothing came from outside"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_echoes_change_nothing() {
    let keys = KeyRing::of(&Key::generate());
    let transport = SealedUdp::new(keys.clone());
    let address = free_address().await;
    let a = Cluster::join(options("a", address, &[]), &transport)
        .await
        .unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let sealed = Sealer::new()
        .seal(&keys, now.unwrap(), b"not gossip at all")
        .unwrap();
    let old = Sealer::new()
        .seal(&keys, Duration::from_secs(1), b"old")
        .unwrap();
    let hostile: Vec<Vec<u8>> = vec![
        vec![],
        vec![0; 65_507],
        vec![1; 55],
        // What chitchat itself would take for a message, and its costliest form.
        [&[0x37, 0x13, 0, 0][..], &[0xff; 60_000]].concat(),
        sealed[0].clone(),
        sealed[0].clone(),
        old[0].clone(),
    ];
    let expected = |counts: ring::Counts| {
        (
            counts.unauthenticated,
            counts.malformed,
            counts.replayed,
            counts.clock,
        ) == (4, 1, 1, 1)
    };
    for datagram in &hostile {
        stranger.send_to(datagram, address).await.unwrap();
    }
    let dropped = async {
        while !expected(transport.counts()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let dropped = tokio::time::timeout(PATIENCE, dropped).await;
    assert!(dropped.is_ok(), "{:?}", transport.counts());
    assert_eq!(names(&a.views().borrow()), ["a"]);
    // And nobody was answered.
    let mut buffer = [0; 64];
    let answer = stranger.try_recv(&mut buffer);
    assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}
