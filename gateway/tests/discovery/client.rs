//! What the HTTP client sends, and to whom.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::graph::{Asked, Graph, Server, json, redirect, status, until, until_given};

const TARGETS: &str = r#"[{"targets": ["a:1"]}]"#;

/// Runs a `discovery.http` against a URL, with these arguments, until it has found something.
async fn find(label: &str, url: &str, arguments: &str) -> Graph {
    let graph = Graph::run(&format!(
        "discovery.http \"{label}\" {{\n url = \"{url}\"\n refresh_interval = \"20ms\"\n {arguments}\n}}\n\
         test.sink \"{label}\" {{\n targets = discovery.http.{label}.targets\n}}"
    ))
    .await;
    until_given(label, "__address__", &["a:1"]).await;
    graph
}

#[tokio::test]
async fn credentials_are_sent_as_the_block_says() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let file = secret.display();
    let basic = format!("Basic {}", STANDARD.encode("me:s3cret"));
    let table = [
        (
            "token",
            "bearer_token = \"s3cret\"".to_owned(),
            "Bearer s3cret",
        ),
        (
            "tokenfile",
            format!("bearer_token_file = \"{file}\""),
            "Bearer s3cret",
        ),
        (
            "basic",
            "basic_auth {\n username = \"me\"\n password = \"s3cret\"\n}".to_owned(),
            basic.as_str(),
        ),
        (
            "basicfile",
            format!("basic_auth {{\n username = \"me\"\n password_file = \"{file}\"\n}}"),
            basic.as_str(),
        ),
        (
            "authorization",
            "authorization {\n type = \"Token\"\n credentials = \"s3cret\"\n}".to_owned(),
            "Token s3cret",
        ),
        (
            "headers",
            "http_headers = {\"X-Scope-OrgID\" = [\"a\"]}".to_owned(),
            "",
        ),
    ];
    for (label, arguments, expected) in table {
        let server = Server::start(|_| json(TARGETS)).await;
        let _graph = find(label, &server.url, &arguments).await;
        let asked = &server.asked()[0];
        assert_eq!(asked.header("authorization"), expected, "{label}");
        let tenant = if label == "headers" { "a" } else { "" };
        assert_eq!(asked.header("x-scope-orgid"), tenant);
    }
}

#[tokio::test]
async fn a_changed_file_counts_at_once_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "one").unwrap();
    let server = Server::start(|_| json(TARGETS)).await;
    let arguments = format!("bearer_token_file = \"{}\"", secret.display());
    let graph = find("changed", &server.url, &arguments).await;
    std::fs::write(&secret, "two").unwrap();
    let is_new = |asked: &Asked| asked.header("authorization") == "Bearer two";
    until(async || server.asked().iter().any(is_new)).await;
    std::fs::remove_file(&secret).unwrap();
    until(async || !graph.health("discovery.http.changed").await.0).await;
    let (_, message) = graph.health("discovery.http.changed").await;
    assert!(
        message.contains("secret") && !message.contains("two"),
        "{message}"
    );
}

#[tokio::test]
async fn redirects_are_followed_without_credentials_for_others() {
    let other = Server::start(|_| json(TARGETS)).await;
    let place = format!("{}/elsewhere", other.url);
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/" => redirect("/here"),
        "/here" => redirect(&place),
        path => panic!("{path}"),
    })
    .await;
    let arguments = "bearer_token = \"s3cret\"\n http_headers = {\"X-Key\" = [\"k\"]}";
    let _graph = find("redirected", &server.url, arguments).await;
    let first = server.asked();
    assert_eq!(first[0].header("authorization"), "Bearer s3cret");
    assert_eq!(
        (first[1].path.as_str(), first[1].header("x-key")),
        ("/here", "k")
    );
    let last = &other.asked()[0];
    assert_eq!(
        (last.header("authorization"), last.header("x-key")),
        ("", "")
    );
    assert_eq!(last.path, "/elsewhere");
}

#[tokio::test]
async fn redirects_can_be_refused_and_have_an_end() {
    let server = Server::start(|_| redirect("/again")).await;
    for (label, arguments, words) in [
        ("endless", "", "redirects more than 10 times"),
        ("refused", "follow_redirects = false", "answered 302"),
    ] {
        let graph = Graph::run(&format!(
            "discovery.http \"{label}\" {{\n url = \"{}\"\n {arguments}\n}}",
            server.url
        ))
        .await;
        let id = format!("discovery.http.{label}");
        until(async || graph.health(&id).await.1.contains(words)).await;
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_when_it_is_refused() {
    // It takes name and secret only in the form, and its first token is worth nothing.
    let given = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = given.clone();
    let tokens = Server::start(move |asked| {
        if !asked.header("authorization").is_empty() {
            return status(401);
        }
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        json(format!(
            r#"{{"access_token": "t{number}", "token_type": "bearer", "expires_in": "3600"}}"#
        ))
    })
    .await;
    let server = Server::start(|asked| match asked.header("authorization") {
        "Bearer t1" => json(TARGETS),
        _ => status(401),
    })
    .await;
    let arguments = format!(
        "oauth2 {{\n client_id = \"me\"\n client_secret = \"s 3\"\n token_url = \"{}/token\"\n \
         scopes = [\"a\", \"b\"]\n endpoint_params = {{\"audience\" = \"x&y\"}}\n}}",
        tokens.url
    );
    let _graph = find("oauth", &server.url, &arguments).await;
    let enough = server.asked().len() + 3;
    until(async || server.asked().len() >= enough).await;
    let asked = tokens.asked();
    assert_eq!(asked.len(), 3, "by header, by form, and again: {asked:?}");
    assert_eq!(
        asked[2].body,
        "grant_type=client_credentials&scope=a%20b&audience=x%26y&client_id=me&client_secret=s%203"
    );
}

#[tokio::test]
async fn a_proxy_is_asked_but_for_what_is_excepted() {
    let server = Server::start(|_| json(TARGETS)).await;
    let proxy = Server::start(|_| json(TARGETS)).await;
    let through = format!("proxy_url = \"{}\"", proxy.url);
    let _graph = find("proxied", &format!("{}/x", server.url), &through).await;
    assert!(server.asked().is_empty());
    assert!(proxy.asked()[0].path.ends_with("/x"));
    let before = proxy.asked().len();
    let around = format!("{through}\n no_proxy = \"127.0.0.1\"");
    let _other = find("around", &server.url, &around).await;
    assert!(!server.asked().is_empty() && before > 0);
}
