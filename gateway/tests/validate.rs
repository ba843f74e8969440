//! What a check finds in a configuration that nobody runs, with the real components.

use corten::{app, graph::Stability};
use syntax::{Severity, SourceFile};

/// The findings, a line each: `line severity message`.
fn check(text: &str) -> Vec<String> {
    let files = [SourceFile::new("t.alloy", text)];
    let found = app::check(Stability::GenerallyAvailable, &files);
    let line = |found: &syntax::Diagnostic| {
        let line = found.file.line_of(found.span.start);
        let message = std::iter::once(&found.message).chain(&found.notes);
        let message = message.cloned().collect::<Vec<_>>().join("; ");
        format!("{line} {} {message}", found.severity)
    };
    found.iter().map(line).collect()
}

/// Each finding must contain what is expected at its place, and there must be no other.
fn expect(text: &str, expected: &[&str]) {
    let found = check(text);
    assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        let words: Vec<&str> = expected.splitn(3, ' ').collect();
        let [line, severity, message] = words[..] else {
            panic!("{expected:?} is not a line, a severity and a message");
        };
        let is_there = found.starts_with(&format!("{line} {severity} ")) && found.contains(message);
        assert!(is_there, "{expected:?} is not {found:?} in\n{text}");
    }
}

const OUT: &str = "otelcol.exporter.debug \"out\" { }\n";

#[test]
fn what_only_alloy_has_is_named_once_and_the_rest_is_checked() {
    let text = "\
otelcol.exporter.datadog \"d\" { x = [otelcol.exporter.debug.y.input, otelcol.exporter.debug.f.input] }
otelcol.receiver.otlp \"in\" {
	grpc { }

	output {
		logs    = [otelcol.exporter.datadog.d.input, otelcol.exporter.nothing.x.input]
		metrics = [otelcol.exporter.datadog.d.input]
		traces  = [string.format(\"%s\", otelcol.exporter.datadog.d.input)]
	}
}
otelcol.exporter.datadgo \"e\" { }
otelcol.exporter.debug \"f\" { verbos = 1 }
";
    expect(
        text,
        &[
            "1 error otelcol.exporter.datadog is a component of Alloy that Corten does not have yet",
            "1 error component \"otelcol.exporter.debug.y.input\" does not exist",
            "6 error component \"otelcol.exporter.nothing.x.input\" does not exist",
            "11 error did you mean \"otelcol.exporter.datadog\"?",
            "12 error unknown attribute \"verbos\"",
        ],
    );
    assert!(check(text)[0].contains("its stability is community"));
}

#[test]
fn what_was_refused_is_no_second_error_where_it_is_used() {
    for refused in [
        "otelcol.exporter.otlp \"x\" { }",
        "otelcol.exporter.otlp \"x\" {\n\tclient { endpoint = \"tempo\" }\n}",
        "otelcol.exporter.otlp \"x\" {\n\tclient { endpoint = 1 + \"a\" }\n}",
    ] {
        let text = format!(
            "{refused}\notelcol.processor.batch \"b\" {{\n\toutput {{ \
             logs = [otelcol.exporter.otlp.x.input] }}\n}}\n"
        );
        assert_eq!(check(&text).len(), 1, "{text}\n{:#?}", check(&text));
    }
}

#[test]
fn handles_of_the_wrong_kind_are_found_also_when_nothing_could_be_built() {
    let wrong = "capsule(otelcol.Consumer), got capsule(otelcol.Handler)";
    for credentials in [
        // Built.
        "client_auth {\n\t\tusername = \"a\"\n\t\tpassword = \"b\"\n\t}",
        // Not built, since the file is not there.
        "htpasswd {\n\t\tfile = \"/nonexistent/users\"\n\t\tinline = \"\"\n\t}",
    ] {
        let text = format!(
            "otelcol.auth.basic \"a\" {{\n\t{credentials}\n}}\n{OUT}otelcol.processor.batch \"b\" \
             {{\n\toutput {{\n\t\tlogs = [otelcol.exporter.debug.out.input, \
             otelcol.auth.basic.a.handler]\n\t}}\n}}\n"
        );
        let found = check(&text);
        let errors = found
            .iter()
            .filter(|found| found.split(' ').nth(1) == Some("error"));
        let errors: Vec<_> = errors.collect();
        assert_eq!(errors.len(), 1, "{found:#?}");
        assert!(errors[0].contains("logs[1] should be") && errors[0].contains(wrong));
    }
    expect(
        "otelcol.processor.batch \"b\" {\n\toutput {\n\t\tlogs = [\"out\"]\n\t}\n}\n",
        &["3 error should be capsule(otelcol.Consumer), got string"],
    );
}

#[test]
fn a_file_that_is_elsewhere_is_a_warning_and_what_needs_it_is_not_checked() {
    let text = "\
local.file \"secret\" { filename = \"/nonexistent/secret\" }
otelcol.auth.bearer \"b\" { token = local.file.secret.content }
otelcol.exporter.otlp \"x\" {
	client {
		endpoint = \"tempo:4317\"
		auth     = otelcol.auth.bearer.b.handler

		tls {
			ca_file = \"/nonexistent/ca.crt\"
		}
	}
}
";
    expect(
        text,
        &[
            "1 warning cannot read /nonexistent/secret on this machine",
            "9 warning cannot read /nonexistent/ca.crt on this machine",
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "\u{1}").unwrap();
    let there = text.replace("/nonexistent/secret", path.to_str().unwrap());
    let found = check(&there);
    assert!(
        found[0].starts_with("2 error failed to build otelcol.auth.bearer.b"),
        "{found:#?}"
    );
}

#[test]
fn what_building_finds_is_found() {
    expect(
        "otelcol.exporter.otlp \"x\" {\n\tclient { endpoint = \"tempo\" }\n}\n",
        &["1 error lacks the host or the port"],
    );
    let cycle = "local.file \"a\" { filename = local.file.b.content }\n\
                 local.file \"b\" { filename = local.file.a.content }\n";
    expect(
        cycle,
        &["1 error cycle: local.file.a, local.file.b, local.file.a"],
    );
}

#[test]
fn old_names_are_a_warning() {
    let text = "local.file \"a\" {\n\tfilename = env(\"PATH\") + \"/nonexistent\"\n}\n";
    let found = check(text);
    assert!(
        found.len() == 2 && found[0].contains("2 warning \"env\""),
        "{found:#?}"
    );
    let files = [SourceFile::new("t", text)];
    let found = app::check(Stability::GenerallyAvailable, &files);
    assert!(
        found
            .iter()
            .all(|found| found.severity == Severity::Warning)
    );
}

#[test]
fn a_variable_that_is_not_set_is_a_warning_and_what_needs_it_is_not_checked() {
    let text = "\
otelcol.exporter.otlp \"x\" {
	client {
		endpoint = coalesce(sys.env(\"CORTEN_TEST_ABSENT\"), \"tempo\")
	}

	timeout = sys.env(\"PATH\")
}
";
    expect(
        text,
        &[
            "3 warning the variable CORTEN_TEST_ABSENT is not set on this machine",
            "6 error timeout",
        ],
    );
}

#[test]
fn of_a_module_that_is_elsewhere_nothing_is_known() {
    let text = "\
import.file \"lib\" { filename = \"/nonexistent/lib.alloy\" }
lib.backend \"x\" { url = 1 }
otelcol.receiver.otlp \"in\" {
	grpc { }

	output {
		logs = [lib.backend.x.input]
	}
}
";
    expect(text, &["1 warning cannot read /nonexistent/lib.alloy"]);
}
