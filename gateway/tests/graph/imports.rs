//! Imports: modules of files and texts, and what happens when they change.

use std::{fs, path::Path, sync::Arc, time::Duration};

use corten::{
    batch::Consumer,
    graph::{Engine, HealthState},
};

use crate::parts::*;

/// A module of a custom component with a sink of this note.
fn module(note: &str) -> String {
    format!(
        "declare \"pipe\" {{
            test.sink \"s\" {{ note = \"{note}\" }}
            test.sink \"t\" {{ }}
            export \"input\" {{ value = test.sink.s.input }}
        }}"
    )
}

fn import(path: &Path) -> String {
    let path = path.display();
    format!(
        "import.file \"lib\" {{
            filename       = \"{path}\"
            poll_frequency = \"50ms\"
        }}"
    )
}

async fn becomes(engine: &Engine, id: &str, state: HealthState) -> String {
    for _ in 0..1000 {
        let (is, message) = health(engine, id).await;
        if is == state {
            return message;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{id} did not become {state:?} within five seconds");
}

#[tokio::test]
async fn a_changed_file_changes_what_is_made_of_it_while_traffic_flows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.alloy");
    fs::write(&path, module("one")).unwrap();
    let engine = Arc::new(engine());
    let text = format!(
        "{}\nlib.pipe \"i1\" {{ }}\ntest.sink \"i1\" {{ }}",
        import(&path)
    );
    load(&engine, &text).await;
    let _following = Following::of(&engine);
    let id = "lib.pipe.i1/test.sink.s";
    assert_eq!(seen(id).notes, ["one"]);
    let port = engine.port(id).await.unwrap();
    let traffic = tokio::spawn(async move {
        let mut taken = 0;
        loop {
            port.consume(batch(1)).await.unwrap();
            taken += 1;
            if seen(id).built == 2 && seen(id).running == 2 {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    fs::write(&path, module("two")).unwrap();
    let taken = traffic.await.unwrap();
    assert_eq!(
        seen(id).items,
        taken,
        "no batch was refused and none is missing"
    );
    assert_eq!(seen(id).notes, ["one", "two"]);
    assert_eq!(seen("lib.pipe.i1/test.sink.t").built, 1);
    assert_eq!(seen("test.sink.i1").built, 1);
    engine.stop().await;
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.alloy");
    fs::write(&path, module("one")).unwrap();
    let engine = Arc::new(engine());
    let text = format!("{}\nlib.pipe \"i2\" {{ }}", import(&path));
    load(&engine, &text).await;
    let _following = Following::of(&engine);
    let import = "import.file.lib";
    becomes(&engine, import, HealthState::Healthy).await;
    for (bad, reason) in [
        ("declare \"pipe\" {", "lib.alloy:1"),
        ("declare \"other\" { }", "component name \"lib.pipe\""),
        (
            "declare \"pipe\" { test.snk \"s\" { } }",
            "component name \"test.snk\"",
        ),
        (
            "declare \"pipe\" { test.sink \"s\" { broken = true } }",
            "it is broken",
        ),
        ("test.sink \"s\" { }", "only declare and import blocks"),
    ] {
        fs::write(&path, bad).unwrap();
        let mut message = becomes(&engine, import, HealthState::Unhealthy).await;
        for _ in 0..1000 {
            if message.contains(reason) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            message = health(&engine, import).await.1;
        }
        assert!(message.contains(reason), "{bad}\n{message}");
        let sink = seen("lib.pipe.i2/test.sink.s");
        assert_eq!((sink.notes.len(), sink.stopped), (1, 0), "{bad}");
    }
    // A reload meanwhile goes on with the last good module.
    let loaded = load(&engine, &text).await;
    assert_eq!(loaded.kept, 3);
    fs::remove_file(&path).unwrap();
    let gone = becomes(&engine, import, HealthState::Unhealthy).await;
    assert!(!gone.is_empty());
    fs::write(&path, module("three")).unwrap();
    until(|| seen("lib.pipe.i2/test.sink.s").running == 2).await;
    becomes(&engine, import, HealthState::Healthy).await;
    assert_eq!(seen("lib.pipe.i2/test.sink.s").notes, ["one", "three"]);
    engine.stop().await;
}

#[tokio::test]
async fn modules_import_modules_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("lib");
    fs::create_dir(&inside).unwrap();
    // A folder is one module: its files know each other.
    let a = "import.file \"deep\" { filename = file.path_join(module_path, \"deep\", \"x.alloy\") }
        declare \"a\" { argument \"n\" { }\n b \"b\" { n = argument.n.value } }";
    let b = "declare \"b\" { argument \"n\" { }\n deep.c \"c\" { n = argument.n.value } }";
    let c = "declare \"c\" { argument \"n\" { }\n test.sink \"s\" { note = argument.n.value + module_path } }";
    fs::write(inside.join("a.alloy"), a).unwrap();
    fs::write(inside.join("b.alloy"), b).unwrap();
    fs::create_dir(inside.join("deep")).unwrap();
    fs::write(inside.join("deep").join("x.alloy"), c).unwrap();
    let engine = Arc::new(engine());
    load(
        &engine,
        &format!("{}\nlib.a \"i3\" {{ n = \"at \" }}", import(&inside)),
    )
    .await;
    let id = "lib.a.i3/b.b/deep.c.c/test.sink.s";
    let expected = format!("at {}", inside.join("deep").display());
    assert_eq!(seen(id).notes, [expected]);
    let views = engine.view().await;
    assert!(
        views
            .iter()
            .any(|view| &*view.id == "import.file.lib/import.file.deep")
    );
    let _following = Following::of(&engine);
    fs::write(
        inside.join("deep").join("x.alloy"),
        c.replace("+ module_path", ""),
    )
    .unwrap();
    until(|| seen(id).running == 2).await;
    assert_eq!(seen(id).notes[1], "at ");
    engine.stop().await;
}

#[tokio::test]
async fn a_text_is_imported_and_follows_what_it_is_made_of() {
    let engine = Arc::new(engine());
    let text = format!(
        "test.text \"i4\" {{ value = {:?} }}
        import.string \"lib\" {{ content = test.text.i4.value }}
        lib.pipe \"i4\" {{ }}",
        module("one")
    );
    load(&engine, &text).await;
    let _following = Following::of(&engine);
    let site = seen("test.text.i4").site.unwrap();
    let publish = |value: String| site.publish(&TextExports { value });
    publish("declare \"pipe\" {".to_owned());
    let message = becomes(&engine, "import.string.lib", HealthState::Unhealthy).await;
    assert!(message.contains("import.string.lib:1"), "{message}");
    publish(module("two"));
    until(|| seen("lib.pipe.i4/test.sink.s").running == 2).await;
    becomes(&engine, "import.string.lib", HealthState::Healthy).await;
    assert_eq!(seen("lib.pipe.i4/test.sink.s").notes, ["one", "two"]);
    engine.stop().await;
}

#[tokio::test]
async fn a_module_that_cannot_be_read_keeps_the_configuration_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.alloy");
    let engine = engine();
    let text = format!(
        "{}\nlib.pipe \"i5\" {{ }}\ntest.snk \"x\" {{ }}",
        import(&path)
    );
    let found = refused(&engine, &text).await;
    assert!(
        found.contains("failed to import import.file.lib: cannot read"),
        "{found}"
    );
    assert!(
        found.contains("component name \"test.snk\""),
        "all is said at once: {found}"
    );
    assert!(engine.view().await.is_empty());
}

#[tokio::test]
async fn modules_that_import_themselves_and_too_many_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("self.alloy");
    let own = format!("import.file \"own\" {{ filename = {:?} }}", path.display());
    fs::write(&path, own).unwrap();
    let found = refused(&engine(), &import(&path)).await;
    assert!(
        found.contains("more than 16 modules import each other"),
        "{found}"
    );
    // The same through an instance.
    let own = format!(
        "declare \"a\" {{ import.file \"own\" {{ filename = {:?} }}\n own.a \"x\" {{ }} }}",
        path.display()
    );
    fs::write(&path, own).unwrap();
    let text = format!("{}\nlib.a \"x\" {{ }}", import(&path));
    let found = refused(&engine(), &text).await;
    assert!(
        found.contains("more than 16 modules import each other"),
        "{found}"
    );
    let found = check(&text);
    assert!(
        found.contains("more than 16 modules import each other"),
        "{found}"
    );

    let many = folder.path().join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..257 {
        fs::write(many.join(format!("{number}.alloy")), "").unwrap();
    }
    let found = refused(&engine(), &import(&many)).await;
    assert!(
        found.contains("more than 256 files are imported"),
        "{found}"
    );
    fs::remove_file(many.join("0.alloy")).unwrap();
    load(&engine(), &import(&many)).await;

    let large = folder.path().join("large.alloy");
    fs::write(&large, " ".repeat(syntax::FILE_BYTES_MAX + 1)).unwrap();
    let found = refused(&engine(), &import(&large)).await;
    assert!(found.contains("large.alloy"), "{found}");
}

#[test]
fn imports_are_checked_where_they_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.alloy");
    fs::write(
        &path,
        "declare \"good\" { argument \"x\" { } }
        declare \"bad\" { test.snk \"s\" { } }",
    )
    .unwrap();
    let import = import(&path);
    for (text, expected, is_error) in [
        (
            "lib.good \"x\" { x = 1 }",
            "nothing uses this custom component",
            false,
        ),
        ("lib.bad \"x\" { }", "component name \"test.snk\"", true),
        (
            "lib.good \"x\" { }",
            "missing required attribute \"x\" in block \"lib.good\"",
            true,
        ),
        ("lib.god \"x\" { }", "did you mean \"good\"", true),
        ("good \"x\" { }", "component name \"good\"", true),
        (
            "test.sink \"x\" { note = import.file.lib.content }",
            "does not exist",
            true,
        ),
        (
            "import.string \"lib\" { content = \"\" }",
            "namespace \"lib\" is already imported",
            true,
        ),
        (
            "import.string \"b\" { content = \"declare\" }",
            "import.string.b:1",
            true,
        ),
        (
            "import.string { content = \"\" }",
            "import.string block must have a label",
            true,
        ),
    ] {
        let text = format!("{import}\n{text}");
        let found = corten::graph::Engine::check(
            TABLE,
            corten::graph::Stability::GenerallyAvailable,
            &corten::graph::standard_library(),
            &file(&text),
        );
        let rendered = found.render();
        assert!(rendered.contains(expected), "{text}\n{rendered}");
        assert_eq!(found.has_errors(), is_error, "{text}\n{rendered}");
    }
}
