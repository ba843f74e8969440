//! Imports from web servers.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use corten::graph::{Engine, HealthState};

use crate::{
    parts::*,
    server::{Asked, serve},
};

fn module(note: &str) -> String {
    format!("declare \"pipe\" {{ test.sink \"s\" {{ note = \"{note}\" }} }}")
}

async fn becomes(engine: &Engine, id: &str, state: HealthState, words: &str) {
    let mut found = health(engine, id).await;
    for _ in 0..1000 {
        if found.0 == state && found.1.contains(words) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        found = health(engine, id).await;
    }
    panic!("{id} is {found:?} after five seconds, not {state:?} with {words:?}");
}

#[tokio::test]
async fn a_web_server_gives_modules_again_and_again() {
    let content = Arc::new(Mutex::new((200, module("one"))));
    let asked = Arc::new(AtomicU64::new(0));
    let (given, count) = (content.clone(), asked.clone());
    let address = serve(move |asked: &Asked| {
        count.fetch_add(1, Ordering::Relaxed);
        assert_eq!(asked.method, "PUT");
        assert_eq!(asked.path, "/modules/lib.alloy");
        assert_eq!(asked.header("x-team"), "a");
        assert_eq!(asked.header("authorization"), "Bearer token");
        assert_eq!(asked.body, b"which");
        let (status, text) = given.lock().unwrap().clone();
        (status, Vec::new(), text.into_bytes())
    });
    let text = format!(
        "import.http \"lib\" {{
            url            = \"http://{address}/modules/lib.alloy\"
            method         = \"PUT\"
            headers        = {{ \"X-Team\" = \"a\" }}
            body           = \"which\"
            poll_frequency = \"100ms\"
            poll_timeout   = \"99ms\"
            client {{
                bearer_token = \"token\"
            }}
        }}
        lib.pipe \"h1\" {{ }}"
    );
    let engine = Arc::new(engine());
    load(&engine, &text).await;
    let _following = Following::of(&engine);
    let (id, import) = ("lib.pipe.h1/test.sink.s", "import.http.lib");
    assert_eq!(seen(id).notes, ["one"]);
    *content.lock().unwrap() = (503, "away".to_owned());
    becomes(&engine, import, HealthState::Unhealthy, "answered 503").await;
    *content.lock().unwrap() = (200, "declare \"pipe\" {".to_owned());
    becomes(
        &engine,
        import,
        HealthState::Unhealthy,
        "/modules/lib.alloy:1",
    )
    .await;
    assert_eq!(seen(id).stopped, 0);
    *content.lock().unwrap() = (200, format!("\n{}\n\n", module("two")));
    until(|| seen(id).running == 2).await;
    becomes(&engine, import, HealthState::Healthy, "").await;
    assert_eq!(seen(id).notes, ["one", "two"]);
    assert!(asked.load(Ordering::Relaxed) >= 4);
    engine.stop().await;
}

#[tokio::test]
async fn a_web_server_that_is_away_keeps_the_configuration_from_running() {
    let address = serve(|_| (404, Vec::new(), Vec::new()));
    let engine = engine();
    let text =
        format!("import.http \"lib\" {{ url = \"http://{address}/x\" }}\nlib.pipe \"h2\" {{ }}");
    let found = refused(&engine, &text).await;
    assert!(
        found.contains("failed to import import.http.lib") && found.contains("404"),
        "{found}"
    );
    // A module from elsewhere has no business with the files of this machine.
    let content = "import.file \"f\" { filename = \"/etc/hostname\" }";
    let address = serve(move |_| (200, Vec::new(), content.into()));
    let text = format!("import.http \"lib\" {{ url = \"http://{address}/x\" }}");
    let found = refused(&engine, &text).await;
    assert!(
        found.contains("import.file cannot be used in a module"),
        "{found}"
    );
    // Checking fetches nothing, and takes what is used of it as it is.
    assert_eq!(check(&format!("{text}\nlib.pipe \"x\" {{ a = 1 }}")), "");
    for (text, expected) in [
        ("url = \"ftp://x\"", "must begin with http"),
        (
            "url = \"http://x\"\n poll_timeout = \"2m\"",
            "poll_timeout must be less",
        ),
        (
            "url = \"http://x\"\n method = \"a b\"",
            "method is no method",
        ),
        (
            "url = \"http://x\"\n headers = { \"a b\" = \"\" }",
            "no name of a header",
        ),
        (
            "url = \"http://x\"\n client { proxy_url = \"http://p\"\n proxy_from_environment = true }",
            "proxy_url",
        ),
    ] {
        let found = check(&format!("import.http \"lib\" {{\n {text} }}"));
        assert!(found.contains(expected), "{text}\n{found}");
    }
}

#[test]
fn a_repository_is_refused_once_and_by_name() {
    let text = "import.git \"lib\" {
            repository = \"https://localhost/a.git\"
            path       = \"a.alloy\"
            ssh_key {
                username = \"u\"
            }
        }
        lib.pipe \"x\" { }";
    let found = check(text);
    assert!(found.contains("fetches nothing from git"), "{found}");
    assert!(found.contains("test.alloy:2:26"), "{found}");
    assert_eq!(found.matches("error:").count(), 1, "{found}");
}
