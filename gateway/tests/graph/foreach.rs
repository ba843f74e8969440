//! `foreach`: its template once for each item.

use std::sync::Arc;

use corten::graph::{HealthState, Stability, standard_library};

use crate::parts::*;

const ITEMS: &str = "
    test.text \"NAME\" { value = \"a,b\" }
    test.sink \"NAME\" { }
    foreach \"NAME\" {
        collection = string.split(test.text.NAME.value, \",\")
        var        = \"each\"
        template {
            test.sink \"s\" { note = each }
            test.source \"s\" { forward_to = [test.sink.s.input, test.sink.NAME.input] }
        }
    }
";

#[tokio::test]
async fn each_item_has_components_of_its_own_that_stay_with_it() {
    let engine = Arc::new(experimental());
    let loaded = load(&engine, &ITEMS.replace("NAME", "f1")).await;
    assert_eq!(loaded.started.len(), 6);
    assert_eq!(seen("foreach.f1/foreach_a_1/test.sink.s").notes, ["a"]);
    assert_eq!(seen("foreach.f1/foreach_b_1/test.sink.s").notes, ["b"]);
    let views = engine.view().await;
    let foreach = views.iter().find(|view| &*view.id == "foreach.f1").unwrap();
    assert_eq!(foreach.modules.len(), 2);

    let _following = Following::of(&engine);
    let site = seen("test.text.f1").site.unwrap();
    let publish = |value: &str| {
        let value = value.to_owned();
        site.publish(&TextExports { value });
    };
    publish("b,c");
    until(|| seen("foreach.f1/foreach_c_1/test.sink.s").running == 1).await;
    until(|| seen("foreach.f1/foreach_a_1/test.sink.s").stopped == 1).await;
    let kept = seen("foreach.f1/foreach_b_1/test.sink.s");
    assert_eq!((kept.built, kept.stopped), (1, 0));
    assert_eq!(seen("test.sink.f1").built, 1);

    engine.stop().await;
}

#[tokio::test]
async fn a_list_of_which_nothing_can_be_made_leaves_what_is_there() {
    let engine = Arc::new(experimental());
    let text = "
        test.text \"f2\" { value = \"false\" }
        foreach \"f2\" {
            collection = [encoding.from_json(test.text.f2.value)]
            var        = \"each\"
            template {
                test.sink \"s\" { broken = each }
            }
        }
    ";
    load(&engine, text).await;
    let _following = Following::of(&engine);
    let site = seen("test.text.f2").site.unwrap();
    let publish = |value: &str| {
        let value = value.to_owned();
        site.publish(&TextExports { value });
    };
    publish("true");
    let ill = async || health(&engine, "foreach.f2").await;
    let mut found = ill().await;
    for _ in 0..1000 {
        if found.0 == HealthState::Unhealthy {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        found = ill().await;
    }
    assert!(found.1.contains("it is broken"), "{found:?}");
    assert_eq!(seen("foreach.f2/foreach_false_1/test.sink.s").stopped, 0);
    publish("false");
    for _ in 0..1000 {
        if ill().await.0 == HealthState::Healthy {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(ill().await.0, HealthState::Healthy);
    assert_eq!(seen("foreach.f2/foreach_false_1/test.sink.s").built, 1);
    engine.stop().await;
}

#[tokio::test]
async fn templates_nest_and_know_what_is_around_them() {
    let engine = experimental();
    let text = "
        declare \"pair\" {
            argument \"x\" { }
            declare \"echo\" {
                argument \"v\" { }
                test.sink \"s\" { note = argument.v.value }
            }
            foreach \"outer\" {
                collection = [1, 2]
                var        = \"a\"
                template {
                    foreach \"inner\" {
                        collection = [{ n = \"p\" }, { n = \"q\" }]
                        var        = \"b\"
                        id         = \"n\"
                        template {
                            echo \"e\" { v = argument.x.value + string.format(\"%d\", a) + b.n }
                        }
                    }
                }
            }
        }
        pair \"f3\" { x = \"x\" }
    ";
    load(&engine, text).await;
    for (item, inner, note) in [("1", "p", "x1p"), ("1", "q", "x1q"), ("2", "q", "x2q")] {
        let id = format!(
            "pair.f3/foreach.outer/foreach_{item}_1/foreach.inner/foreach_{inner}_1/echo.e/test.sink.s"
        );
        assert_eq!(seen(&id).notes, [note], "{id}");
    }
    engine.stop().await;
}

#[tokio::test]
async fn metrics_of_items_are_shown_only_if_asked_for() {
    let text = |shown: bool| {
        format!(
            "foreach \"f4\" {{
                collection     = [1]
                var            = \"each\"
                enable_metrics = {shown}
                template {{
                    test.sink \"s\" {{ }}
                }}
            }}"
        )
    };
    let services = services();
    let engine = corten::graph::Engine::new(TABLE, Stability::Experimental, services.clone());
    let shown = || {
        services
            .metrics()
            .encode()
            .unwrap()
            .contains("foreach.f4/foreach_1_1/test.sink.s")
    };
    load(&engine, &text(false)).await;
    assert!(!shown());
    let loaded = load(&engine, &text(true)).await;
    assert_eq!(
        names(&loaded.replaced),
        ["foreach.f4/foreach_1_1/test.sink.s"]
    );
    assert!(shown());
    engine.stop().await;
}

#[test]
fn what_is_wrong_with_a_foreach_is_said() {
    let check = |text: &str| {
        let library = standard_library();
        let found =
            corten::graph::Engine::check(TABLE, Stability::Experimental, &library, &file(text));
        found.render()
    };
    let list = "collection = [1]\n var = \"each\"";
    for (text, expected) in [
        (format!("foreach \"x\" {{ {list}\n template {{ }} }}"), ""),
        (
            format!("foreach {{ {list}\n template {{ }} }}"),
            "foreach block must have a label",
        ),
        (
            format!("foreach \"x\" {{ {list} }}"),
            "missing required block \"template\"",
        ),
        (
            format!("foreach \"x\" {{ {list}\n template {{ }}\n template {{ }} }}"),
            "block \"template\" may only be given once",
        ),
        (
            "foreach \"x\" { template { } }".to_owned(),
            "missing required attribute \"collection\"",
        ),
        (
            "foreach \"x\" { collection = 1\n var = \"v\"\n template { } }".to_owned(),
            "should be array",
        ),
        (
            format!("foreach \"x\" {{ {list}\n a = 1\n template {{ }} }}"),
            "unknown attribute \"a\"",
        ),
        (
            format!(
                "foreach \"x\" {{ {list}\n template {{ test.sink \"s\" {{ note = eech }} }} }}"
            ),
            "component \"eech\" does not exist",
        ),
        (
            format!("foreach \"x\" {{ {list}\n template {{ argument \"a\" {{ }} }} }}"),
            "only allowed inside a declare block",
        ),
        // Of a list that is not known yet, too.
        (
            "test.text \"t\" { value = \"\" }\n\
             foreach \"x\" { collection = string.split(test.text.t.value, \",\")\n var = \"v\"\n\
             template { test.sink \"s\" { nonsense = v } } }"
                .to_owned(),
            "nonsense",
        ),
        (
            format!(
                "foreach \"x\" {{ {list}\n template {{ test.text \"in\" {{ value = \"\" }} }} }}\n\
                 test.sink \"s\" {{ note = test.text.in.value }}"
            ),
            "component \"test.text.in.value\" does not exist or is out of scope",
        ),
    ] {
        let found = check(&text);
        assert!(found.contains(expected), "{text}\n{found}");
        assert_eq!(found.is_empty(), expected.is_empty(), "{text}\n{found}");
    }
    let found = crate::parts::check(&format!("foreach \"x\" {{ {list}\n template {{ }} }}"));
    assert!(
        found.contains("use --stability.level=experimental"),
        "{found}"
    );
}
