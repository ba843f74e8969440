//! Configurations that follow one another.

use std::{sync::Arc, time::Duration};

use corten::{
    batch::Consumer,
    graph::{Fanout, HealthState},
};
use tokio::time::Instant;

use crate::parts::*;

#[tokio::test]
async fn a_reload_touches_only_what_changed() {
    let engine = engine();
    let first = "
        test.source \"r\" { forward_to = [test.sink.r1.input, test.sink.r2.input] }
        test.sink \"r1\" { note = \"one\" }
        test.sink \"r2\" { note = \"two\" }
    ";
    let loaded = load(&engine, first).await;
    assert_eq!(
        names(&loaded.started),
        ["test.sink.r1", "test.sink.r2", "test.source.r"]
    );
    until(|| seen("test.sink.r1").running == 1 && seen("test.sink.r2").running == 1).await;

    // The source names r1 and keeps its handle, though r1 is another instance now.
    let second = first.replace("\"one\"", "\"other\"");
    let loaded = load(&engine, &second).await;
    assert_eq!(
        (names(&loaded.replaced), loaded.kept),
        (vec!["test.sink.r1"], 2)
    );
    until(|| seen("test.sink.r1").running == 2).await;
    assert_eq!(
        seen("test.sink.r1").stopped,
        1,
        "the old instance stops before the new one runs"
    );
    assert_eq!(
        (seen("test.sink.r2").built, seen("test.source.r").built),
        (1, 1)
    );

    let third = "test.sink \"r2\" { note = \"two\" }";
    let loaded = load(&engine, third).await;
    assert_eq!((loaded.stopped.len(), loaded.kept), (2, 1));
    until(|| seen("test.sink.r1").stopped == 2).await;
    assert_eq!(seen("test.sink.r2").running, 1);
    engine.stop().await;
    assert_eq!(seen("test.sink.r2").stopped, 1);
}

#[tokio::test]
async fn a_bad_configuration_changes_nothing_and_says_all_that_is_wrong() {
    let engine = engine();
    load(&engine, "test.sink \"b\" { }").await;
    until(|| seen("test.sink.b").running == 1).await;
    let bad = "
        test.sink \"b\" { note = \"changed\" }
        test.sink \"b2\" { broken = true }
        test.sink \"b3\" { nonsense = 1 }
        test.source \"b\" { forward_to = [test.sink.absent.input] }
    ";
    let diagnostics = engine.load(&file(bad)).await.unwrap_err().render();
    for expected in [
        "it is broken",
        "nonsense",
        "component \"test.sink.absent.input\" does not exist or is out of scope",
    ] {
        assert!(
            diagnostics.contains(expected),
            "{expected:?} is not in:\n{diagnostics}"
        );
    }
    let views = engine.view().await;
    assert_eq!(views.len(), 1);
    assert_eq!(
        (seen("test.sink.b").running, seen("test.sink.b").stopped),
        (1, 0)
    );
    assert_eq!(views[0].health.state, HealthState::Healthy);
    engine.stop().await;
}

#[tokio::test]
async fn a_changed_export_reaches_those_who_use_it_and_nobody_else() {
    let engine = Arc::new(engine());
    let text = "
        test.text \"e\" { value = \"old\" }
        test.sink \"e1\" { note = test.text.e.value }
        test.sink \"e2\" { note = \"fixed\" }
        test.source \"e\" { forward_to = [test.sink.e1.input] }
    ";
    load(&engine, text).await;
    let following = tokio::spawn({
        let engine = engine.clone();
        async move { engine.follow().await }
    });
    let site = seen("test.text.e").site.unwrap();
    site.publish(&TextExports {
        value: "old".to_owned(),
    });
    site.publish(&TextExports {
        value: "new".to_owned(),
    });
    until(|| seen("test.sink.e1").built == 2).await;
    assert_eq!(
        (seen("test.sink.e2").built, seen("test.source.e").built),
        (1, 1)
    );
    following.abort();
    engine.stop().await;
}

#[tokio::test]
async fn what_a_replaced_instance_exports_is_ignored() {
    let engine = Arc::new(engine());
    let text = "
        test.text \"s\" { value = \"first\" }
        test.sink \"s\" { note = test.text.s.value }
    ";
    load(&engine, text).await;
    let replaced = seen("test.text.s").site.unwrap();
    load(&engine, &text.replace("first", "second")).await;
    let present = seen("test.text.s").site.unwrap();
    assert_eq!(seen("test.sink.s").built, 2);
    let following = tokio::spawn({
        let engine = engine.clone();
        async move { engine.follow().await }
    });
    // They are taken in order, so the first has had its effect when the second shows.
    for (site, value) in [(replaced, "stale"), (present, "third")] {
        let value = value.to_owned();
        site.publish(&TextExports { value });
    }
    until(|| seen("test.sink.s").built >= 3).await;
    let notes = seen("test.sink.s").notes;
    assert_eq!(notes, ["first", "second", "third"]);
    following.abort();
    engine.stop().await;
}

#[tokio::test]
async fn sources_stop_first_and_all_others_at_once() {
    let engine = engine();
    let text = "
        test.source \"t\" { forward_to = [test.sink.t1.input, test.sink.t2.input] }
        test.sink \"t1\" { linger = \"400ms\" }
        test.sink \"t2\" { linger = \"400ms\" }
        test.sink \"t3\" { linger = \"400ms\" }
    ";
    load(&engine, text).await;
    let sinks = ["test.sink.t1", "test.sink.t2", "test.sink.t3"];
    until(|| sinks.iter().all(|sink| seen(sink).running == 1)).await;
    let started = Instant::now();
    engine.stop().await;
    let took = started.elapsed();
    assert!(took < Duration::from_millis(800), "{took:?}");
    let source = seen("test.source.t").stopped_at;
    let told = sinks.map(|sink| seen(sink).told_at);
    assert!(source.is_some() && told.iter().all(Option::is_some));
    assert!(source <= told[0] && source <= told[1] && told[2] < source);
}

#[tokio::test]
async fn a_component_that_a_reload_takes_out_has_the_same_time_to_stop() {
    let engine = engine().stopping_within(Duration::from_millis(300));
    let text = "
        test.sink \"u1\" { linger = \"100ms\" }
        test.sink \"u2\" { linger = \"1h\" }
        test.sink \"u3\" { note = \"old\" linger = \"1h\" }
    ";
    let text = text.replace("\" linger", "\"\nlinger");
    load(&engine, &text).await;
    until(|| {
        ["u1", "u2", "u3"]
            .iter()
            .all(|id| seen(&format!("test.sink.{id}")).running == 1)
    })
    .await;
    load(&engine, "test.sink \"u3\" { note = \"new\" }").await;
    // The successor runs when its predecessor was abandoned.
    until(|| seen("test.sink.u3").running == 2).await;
    let stop = tokio::time::timeout(Duration::from_secs(5), engine.stop());
    stop.await
        .expect("nobody is waited for longer than allowed");
    let stopped = ["u1", "u2", "u3"].map(|id| seen(&format!("test.sink.{id}")).stopped);
    assert_eq!(stopped, [1, 0, 1]);
}

#[tokio::test]
async fn a_fan_out_is_all_or_nothing_and_a_removed_component_sends_its_clients_away() {
    let engine = engine();
    let text = "
        test.source \"f\" { forward_to = [test.sink.f1.input, test.sink.f2.input] }
        test.sink \"f1\" { }
        test.sink \"f2\" { refuse = true }
    ";
    load(&engine, text).await;
    let ports = ["test.sink.f1", "test.sink.f2"];
    let both = engine
        .port(ports[0])
        .await
        .into_iter()
        .chain(engine.port(ports[1]).await);
    let fanout = Fanout::new(both);
    let refusal = fanout.consume(batch(3)).await.unwrap_err();
    assert_eq!((refusal.reason, refusal.is_retryable()), ("full", true));
    let port = engine.port("test.sink.f1").await.unwrap();
    let mut tap = port.tap();
    port.consume(batch(5)).await.unwrap();
    assert_eq!(tap.recv().await.unwrap().items(), 5);
    load(&engine, "test.sink \"f2\" { }").await;
    until(|| seen("test.sink.f1").stopped == 1).await;
    tokio::task::yield_now().await;
    until(|| futures_now(port.consume(batch(1))).is_some_and(|taken| taken.is_err())).await;
    engine.stop().await;
}

/// The result of a future that does not have to wait.
fn futures_now<T>(future: impl Future<Output = T>) -> Option<T> {
    futures::FutureExt::now_or_never(future)
}

#[test]
fn what_can_be_said_without_running_is_said() {
    for (text, expected) in [
        ("test.sink \"x\" { }", ""),
        (
            "test.snk \"x\" { }",
            "cannot find the definition of component name \"test.snk\"",
        ),
        ("test.sink { }", "component \"test.sink\" must have a label"),
        ("test.young \"x\" { }", "use --stability.level=experimental"),
        ("a = 1", "must be inside a block"),
        (
            "test.sink \"x\" { }\ntest.sink \"x\" { }",
            "already declared at test.alloy:1",
        ),
        (
            "test.text \"x\" { }",
            "missing required attribute \"value\"",
        ),
        (
            "test.text \"x\" { value = test.text.x.value }",
            "cannot reference self: test.text.x",
        ),
        (
            "test.text \"x\" { value = test.text.y.value }\n\
             test.text \"y\" { value = test.text.x.value }",
            "cycle: test.text.x, test.text.y, test.text.x",
        ),
        (
            "test.text \"x\" { value = test.txt.y.value }",
            "does not exist or is out of scope",
        ),
        (
            "test.source \"x\" { forward_to = [test.sink.y.output] }\ntest.sink \"y\" { }",
            "output",
        ),
        ("test.sink \"x\" { note = 1 refuse = 2 }", "expected"),
    ] {
        let found = check(text);
        assert!(found.contains(expected), "{text}\n{found}");
        assert_eq!(found.is_empty(), expected.is_empty(), "{text}\n{found}");
    }
}
