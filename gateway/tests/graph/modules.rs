//! Custom components: what is in them, what they are given and what they offer.

use std::sync::Arc;

use corten::{batch::Consumer, graph::HealthState};

use crate::parts::*;

/// A custom component that hands on to a sink outside and has one inside.
const PIPELINE: &str = "
    declare \"pipe\" {
        argument \"note\" { }
        argument \"to\" { optional = true\n default = [] }
        test.sink \"in\" { note = argument.note.value }
        test.source \"s\" { forward_to = argument.to.value }
        export \"input\" { value = test.sink.in.input }
    }
";

#[tokio::test]
async fn what_is_in_a_custom_component_is_a_part_of_the_graph() {
    let engine = engine();
    let text = format!(
        "{PIPELINE}
        pipe \"m1\" {{ note = \"one\"\n to = [test.sink.m1.input] }}
        test.sink \"m1\" {{ }}
        test.source \"m1\" {{ forward_to = [pipe.m1.input] }}"
    );
    let loaded = load(&engine, &text).await;
    assert_eq!(
        names(&loaded.started),
        [
            "test.sink.m1",
            "pipe.m1/test.sink.in",
            "pipe.m1/test.source.s",
            "test.source.m1"
        ]
    );
    assert_eq!(seen("pipe.m1/test.sink.in").notes, ["one"]);
    let port = engine.port("pipe.m1/test.sink.in").await.unwrap();
    port.consume(batch(4)).await.unwrap();
    assert_eq!(seen("pipe.m1/test.sink.in").items, 4);

    // Nothing but the argument of one component inside has changed.
    let loaded = load(&engine, &text.replace("\"one\"", "\"two\"")).await;
    assert_eq!(names(&loaded.replaced), ["pipe.m1/test.sink.in"]);
    assert_eq!(loaded.kept, 3);
    assert_eq!(seen("pipe.m1/test.sink.in").notes, ["one", "two"]);
    port.consume(batch(1)).await.unwrap();

    let loaded = load(&engine, "test.sink \"m1\" { }").await;
    assert_eq!((loaded.kept, loaded.stopped.len()), (1, 3));
    engine.stop().await;
}

#[tokio::test]
async fn the_api_shows_what_is_in_a_custom_component_as_a_module_of_it() {
    let engine = engine();
    let text = format!(
        "{PIPELINE}
        pipe \"m2\" {{ note = \"one\"\n to = [test.sink.m2.input] }}
        test.sink \"m2\" {{ }}"
    );
    load(&engine, &text).await;
    let views = engine.view().await;
    let shown: Vec<_> = views
        .iter()
        .map(|view| (view.module_id(), view.local_id(), view.name.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("", "pipe.m2", "pipe"),
            ("pipe.m2", "test.sink.in", "test.sink"),
            ("pipe.m2", "test.source.s", "test.source"),
            ("", "test.sink.m2", "test.sink"),
        ]
    );
    assert_eq!(views[0].references_to, ["test.sink.m2"]);
    assert_eq!(views[3].referenced_by, ["pipe.m2"]);
    let modules: Vec<&str> = views[0].modules.iter().map(|id| &**id).collect();
    assert_eq!(modules, ["pipe.m2"]);
    assert_eq!(views[0].health.state, HealthState::Healthy);
    assert!(views[1].references_to.is_empty() && views[1].modules.is_empty());
    engine.stop().await;
}

#[tokio::test]
async fn a_value_finds_its_way_into_and_out_of_custom_components() {
    let engine = Arc::new(engine());
    let text = "
        declare \"outer\" {
            argument \"a\" { }
            declare \"inner\" {
                argument \"b\" { }
                argument \"c\" { optional = true\n default = \"!\" }
                export \"d\" { value = argument.b.value + argument.c.value }
            }
            inner \"x\" { b = argument.a.value + \"?\" }
            inner \"y\" { b = inner.x.d\n c = \".\" }
            export \"e\" { value = inner.y.d }
            test.sink \"fixed\" { }
        }
        test.text \"m3\" { value = \"old\" }
        outer \"m3\" { a = test.text.m3.value }
        test.sink \"m3\" { note = outer.m3.e }
    ";
    load(&engine, text).await;
    assert_eq!(seen("test.sink.m3").notes, ["old?!."]);
    let _following = Following::of(&engine);
    let value = "new".to_owned();
    seen("test.text.m3")
        .site
        .unwrap()
        .publish(&TextExports { value });
    until(|| seen("test.sink.m3").built == 2).await;
    assert_eq!(seen("test.sink.m3").notes, ["old?!.", "new?!."]);
    assert_eq!(seen("outer.m3/test.sink.fixed").built, 1);
    engine.stop().await;
    assert_eq!(seen("outer.m3/test.sink.fixed").stopped, 1);
}

#[tokio::test]
async fn sources_stop_before_what_is_in_the_custom_component_behind_them() {
    let engine = engine();
    let text = "
        declare \"pipe\" {
            argument \"to\" { }
            test.sink \"in\" { }
            test.source \"s\" { forward_to = argument.to.value }
            export \"input\" { value = test.sink.in.input }
        }
        test.source \"m4\" { forward_to = [pipe.m4.input] }
        pipe \"m4\" { to = [test.sink.m4.input] }
        test.sink \"m4\" { }
    ";
    load(&engine, text).await;
    let sinks = ["pipe.m4/test.sink.in", "test.sink.m4"];
    until(|| sinks.iter().all(|sink| seen(sink).running == 1)).await;
    engine.stop().await;
    let told = sinks.map(|sink| seen(sink).told_at.unwrap());
    assert!(seen("test.source.m4").stopped_at.unwrap() <= told[0]);
    assert!(seen("pipe.m4/test.source.s").stopped_at.unwrap() <= told[1]);
}

#[tokio::test]
async fn a_configuration_beside_the_first_lives_and_dies_alone() {
    let engine = engine();
    let beside = engine.beside("remote");
    load(&engine, "test.sink \"m5\" { }").await;
    load(&beside, "test.sink \"m5\" { }").await;
    let both = ["test.sink.m5", "remote/test.sink.m5"];
    until(|| both.iter().all(|sink| seen(sink).running == 1)).await;
    for bad in [
        "test.sink \"m5\" { broken = true }",
        "test.sink \"m5\" {",
        "test.source \"m5\" { forward_to = [test.sink.m6.input] }",
    ] {
        refused(&beside, bad).await;
    }
    assert!(both.iter().all(|sink| seen(sink).stopped == 0));
    assert!(beside.port(both[1]).await.is_some());
    assert!(engine.port(both[1]).await.is_none());
    assert_eq!(beside.view().await[0].module_id(), "remote");
    beside.stop().await;
    assert_eq!(both.map(|sink| seen(sink).stopped), [0, 1]);
    load(&beside, "test.sink \"m5\" { }").await;
    until(|| seen(both[1]).running == 2).await;
    engine.stop().await;
    beside.stop().await;
}

#[test]
fn what_is_wrong_with_custom_components_is_said() {
    for (text, expected) in [
        ("declare \"a\" { }\na \"x\" { }", ""),
        ("declare { }", "declare block must have a label"),
        ("declare \"declare\" { }", "declare is no name"),
        (
            "declare \"a\" { }\ndeclare \"a\" { }",
            "already declared at test.alloy:1",
        ),
        ("declare \"a\" { x = 1 }", "must be inside a block"),
        (
            "declare \"a\" { }\na { }",
            "component \"a\" must have a label",
        ),
        ("argument \"x\" { }", "only allowed inside a declare block"),
        (
            "export \"x\" { value = 1 }",
            "only allowed inside a declare block",
        ),
        (
            "declare \"a\" { argument { } }",
            "argument block must have a label",
        ),
        (
            "declare \"a\" { export \"x\" { } }",
            "missing required attribute \"value\"",
        ),
        (
            "declare \"a\" { argument \"x\" { dflt = 1 } }",
            "unknown attribute \"dflt\"",
        ),
        (
            "declare \"a\" { argument \"x\" { }\n argument \"x\" { } }",
            "already declared",
        ),
        // What is not used is checked too.
        (
            "declare \"a\" { test.snk \"x\" { } }",
            "component name \"test.snk\"",
        ),
        (
            "declare \"a\" { test.sink \"x\" { nonsense = 1 } }",
            "nonsense",
        ),
        (
            "declare \"a\" { declare \"b\" { test.snk \"x\" { } } }",
            "component name \"test.snk\"",
        ),
        (
            "declare \"a\" { argument \"x\" { comment = \"the x\" } }\na \"y\" { }",
            "missing required attribute \"x\" in block \"a\"",
        ),
        (
            "declare \"a\" { argument \"x\" { comment = \"the x\" } }\na \"y\" { }",
            "it is an argument at test.alloy:1: the x",
        ),
        (
            "declare \"a\" { argument \"size\" { } }\na \"y\" { size = 1\n sise = 2 }",
            "unknown attribute \"sise\" in block \"a\"",
        ),
        (
            "declare \"a\" { argument \"size\" { } }\na \"y\" { size = 1\n sise = 2 }",
            "did you mean \"size\"",
        ),
        (
            "declare \"a\" { }\na \"y\" { b { } }",
            "has no blocks inside",
        ),
        ("declare \"ab\" { }\nac \"y\" { }", "component name \"ac\""),
        (
            "declare \"a\" { export \"x\" { value = 1 } }\na \"y\" { }\n\
             test.text \"z\" { value = a.y.w }",
            "field \"w\" does not exist",
        ),
        // A custom component sees nothing of what is outside but other custom components.
        (
            "test.text \"z\" { value = \"\" }\n\
             declare \"a\" { export \"x\" { value = test.text.z.value } }",
            "component \"test.text.z.value\" does not exist or is out of scope",
        ),
        (
            "declare \"a\" { }\ndeclare \"b\" { a \"x\" { } }\nb \"y\" { }",
            "",
        ),
        (
            "declare \"a\" { declare \"b\" { } }\nb \"x\" { }",
            "component name \"b\"",
        ),
        (
            "declare \"a\" { export \"p\" { value = module_path } }\na \"x\" { }",
            "",
        ),
        // Types are known where they are given.
        (
            "declare \"a\" { argument \"t\" { }\n test.source \"s\" { forward_to = argument.t.value } }\n\
             a \"x\" { t = 5 }",
            "forward_to should be array",
        ),
        // In circles.
        (
            "declare \"a\" { a \"x\" { } }",
            "cannot reference self: declare.a",
        ),
        (
            "declare \"a\" { b \"x\" { } }\ndeclare \"b\" { a \"x\" { } }\na \"y\" { }",
            "cycle: declare.a, declare.b, declare.a",
        ),
        (
            "declare \"a\" { declare \"b\" { a \"x\" { } }\n b \"x\" { } }\na \"y\" { }",
            "cannot reference self: declare.a",
        ),
        (
            "declare \"a\" { argument \"x\" { }\n export \"y\" { value = argument.x.value } }\n\
             a \"p\" { x = a.q.y }\na \"q\" { x = a.p.y }",
            "cycle: a.p, a.q, a.p",
        ),
        (
            "declare \"a\" { test.text \"x\" { value = test.text.y.value }\n\
             test.text \"y\" { value = test.text.x.value } }",
            "cycle: test.text.x, test.text.y, test.text.x",
        ),
    ] {
        let found = check(text);
        assert!(found.contains(expected), "{text}\n{found}");
        assert_eq!(found.is_empty(), expected.is_empty(), "{text}\n{found}");
    }
}

#[tokio::test]
async fn what_is_wrong_inside_keeps_the_whole_configuration_from_running() {
    let engine = engine();
    let text = format!("{PIPELINE}\npipe \"m7\" {{ note = \"fine\" }}");
    load(&engine, &text).await;
    let bad = text.replace("note = argument.note.value", "broken = true");
    let found = refused(&engine, &bad).await;
    assert!(
        found.contains("failed to build pipe.m7/test.sink.in: it is broken"),
        "{found}"
    );
    assert!(found.contains("test.alloy:6"), "{found}");
    let found = refused(&engine, &text.replace("note = \"fine\"", "")).await;
    assert!(
        found.contains("missing required attribute \"note\""),
        "{found}"
    );
    // What nobody uses is not looked at, as with Alloy.
    let unused = format!("{text}\ndeclare \"other\" {{ test.snk \"x\" {{ }} }}");
    assert_eq!(load(&engine, &unused).await.kept, 2);
    engine.stop().await;
}

#[tokio::test]
async fn custom_components_cannot_grow_without_bound() {
    let engine = engine();
    // Each level has ten of the next: ten thousand million components.
    let mut text = String::from("declare \"d10\" { test.sink \"s\" { } }\n");
    for level in 0..10 {
        let inner = (0..10).map(|label| format!("d{} \"i{label}\" {{ }}\n", level + 1));
        text += &format!("declare \"d{level}\" {{ {} }}\n", inner.collect::<String>());
    }
    let found = refused(&engine, &format!("{text}d0 \"x\" {{ }}")).await;
    assert!(
        found.contains("more than 65536 components, arguments and exports"),
        "{found}"
    );

    let deep =
        (0..40).map(|level| format!("declare \"d{level}\" {{ d{} \"x\" {{ }} }}\n", level + 1));
    let deep = format!(
        "{}declare \"d40\" {{ }}\nd0 \"x\" {{ }}",
        deep.collect::<String>()
    );
    let found = refused(&engine, &deep).await;
    assert!(
        found.contains("more than 32 custom components are inside of each other"),
        "{found}"
    );
}
