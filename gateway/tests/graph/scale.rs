//! A configuration of 500 components of which one changes.

use std::fmt::Write;

use tokio::time::Instant;

use crate::parts::*;

/// 100 components, and 100 custom ones with four in each.
fn configuration(changed: &str) -> String {
    let mut text = String::from(
        "declare \"four\" {
            argument \"note\" { optional = true\n default = \"\" }
            test.text \"t\" { value = argument.note.value }
            test.sink \"a\" { note = test.text.t.value }
            test.sink \"b\" { }
            test.source \"c\" { forward_to = [test.sink.a.input, test.sink.b.input] }
            export \"input\" { value = test.sink.b.input }
        }\n",
    );
    for number in 0..100 {
        let _ = writeln!(
            text,
            "test.source \"scale{number}\" {{ forward_to = [four.scale{number}.input] }}\n\
             four \"scale{number}\" {{ note = \"{number}\" }}"
        );
    }
    text.replace("note = \"42\"", &format!("note = \"{changed}\""))
}

#[tokio::test]
async fn of_500_components_only_what_changed_is_restarted() {
    let engine = engine();
    let began = Instant::now();
    let loaded = load(&engine, &configuration("42")).await;
    let first = began.elapsed();
    assert_eq!((loaded.started.len(), loaded.kept), (500, 0));

    let began = Instant::now();
    let loaded = load(&engine, &configuration("other")).await;
    let one = began.elapsed();
    let changed = ["four.scale42/test.text.t", "four.scale42/test.sink.a"];
    assert_eq!(names(&loaded.replaced), changed);
    assert_eq!(
        (loaded.started.len(), loaded.stopped.len(), loaded.kept),
        (0, 0, 498)
    );

    let began = Instant::now();
    let loaded = load(&engine, &configuration("other")).await;
    let same = began.elapsed();
    assert_eq!((loaded.replaced.len(), loaded.kept), (0, 500));
    until(|| seen("four.scale42/test.sink.a").running == 2).await;
    assert_eq!(seen("four.scale42/test.sink.b").built, 1);
    println!("500 components: first load {first:?}, one changed {one:?}, nothing changed {same:?}");
    engine.stop().await;
}
