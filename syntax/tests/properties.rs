//! What holds for every text: nothing panics, spans are inside, and printing keeps the words.

use std::sync::Arc;

use proptest::prelude::*;
use syntax::stdlib::{Library, System};
use syntax::{
    Evaluator, SourceFile, TokenKind, Value, eval::EmptyScope, lex, parse, parse_expression, print,
};

/// The words of a text that the printer must keep: all but the commas and line ends, which it may
/// add, and the comments.
fn words(text: &str) -> (Vec<String>, Vec<String>) {
    let source = SourceFile::new("t", text);
    let (lexed, diagnostics) = lex(&source);
    assert!(diagnostics.is_empty(), "{text}\n{}", diagnostics.render());
    let kept = lexed.tokens.iter().filter(|token| {
        !matches!(
            token.kind,
            TokenKind::Comma | TokenKind::Terminator | TokenKind::End
        )
    });
    let kept: Vec<_> = kept.collect();
    let word = |(index, token): (usize, &&syntax::Token)| {
        let text = source.slice(token.span);
        let next = kept.get(index + 1).map(|token| token.kind);
        // A key is what is between its quotes, of either kind.
        let key = token.kind == TokenKind::String && next == Some(TokenKind::Assign);
        if key {
            text[1..text.len() - 1].to_owned()
        } else {
            text.to_owned()
        }
    };
    let words = kept.iter().enumerate().map(word).collect();
    let comments = lexed.comments.into_iter().flat_map(|group| group.comments);
    (words, comments.map(|comment| comment.text).collect())
}

fn gap() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => Just(String::new()),
        4 => Just(" ".to_owned()),
        1 => Just("\t".to_owned()),
        1 => Just(" /* c */ ".to_owned()),
    ]
}

/// White space where a line may end.
fn lines() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(String::new()),
        4 => Just("\n".to_owned()),
        2 => Just("\n\n\n".to_owned()),
        1 => Just(" // c\n".to_owned()),
        1 => Just("\n  // c\n\t/* d\n e */\n".to_owned()),
    ]
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "[0-9]{1,3}(\\.[0-9]{1,2})?",
        "\"[ a-z\t]{0,6}\"",
        "`[ a-z\t\n]{0,12}`",
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("\"\\u00e9\\n\"".to_owned()),
    ]
}

fn list(
    open: &'static str,
    close: &'static str,
    element: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let elements = proptest::collection::vec((lines(), element, gap()), 0..4);
    (elements, lines()).prop_map(move |(elements, last)| {
        let mut text = open.to_owned();
        for (index, (before, element, after)) in elements.iter().enumerate() {
            let comma = if index + 1 < elements.len() || last.contains('\n') {
                ","
            } else {
                ""
            };
            text += &format!("{before}{element}{after}{comma}");
        }
        text + &last + close
    })
}

fn expression() -> impl Strategy<Value = String> {
    literal().prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof!["[a-z]{1,9}", "\"[a-z-]{1,9}\"", "`[a-z\"]{1,3}`"];
        let field = (key, gap(), gap(), inner.clone())
            .prop_map(|(key, before, after, value)| format!("{key}{before}={after}{value}"));
        let operator = prop_oneof![Just("+"), Just("=="), Just("&&"), Just("^"), Just("%")];
        prop_oneof![
            list("[", "]", inner.clone()),
            list("{", "}", field),
            list("call(", ")", inner.clone()),
            (inner.clone(), gap(), operator, lines(), inner.clone())
                .prop_map(|(a, g, op, l, b)| format!("{a}{g} {op} {l}{b}")),
            (gap(), inner.clone(), gap()).prop_map(|(a, e, b)| format!("({a}{e}{b})")),
            inner.prop_map(|e| format!("-({e})[0].name")),
        ]
    })
}

fn body() -> impl Strategy<Value = String> {
    let attribute = (gap(), "[a-z]{1,9}", gap(), gap(), expression(), gap())
        .prop_map(|(indent, name, a, b, value, c)| format!("{indent}{name}{a}={b}{value}{c}"))
        .boxed();
    let statements = |statement: BoxedStrategy<String>| {
        let line_end = prop_oneof![
            Just("\n"),
            Just("\n\n"),
            Just(" // c\n"),
            Just("\n// c\n\n")
        ];
        proptest::collection::vec((statement, line_end), 0..5)
            .prop_map(|all| all.into_iter().map(|(s, end)| s + end).collect::<String>())
    };
    statements(attribute.clone().boxed()).prop_recursive(3, 16, 4, move |inner| {
        let label = prop_oneof![Just(String::new()), Just(" \"label\" ".to_owned())];
        let block = ("[a-z]{1,4}(\\.[a-z]{1,4})?", label, lines(), inner)
            .prop_map(|(name, label, first, body)| format!("{name}{label}{{{first}{body}}}"));
        statements(prop_oneof![attribute.clone(), block].boxed())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let source = SourceFile::from_bytes("t", &bytes);
        let (_, diagnostics) = parse(&source);
        for diagnostic in &diagnostics {
            prop_assert!(source.text().get(diagnostic.span.start as usize..diagnostic.span.end as usize).is_some());
        }
        diagnostics.render();
    }

    #[test]
    fn any_words_are_parsed_or_refused(words in proptest::collection::vec(
        prop_oneof![literal(), Just("\n".to_owned()), "[-+*/%^!=<>&|(){}\\[\\].,]", gap(), lines()], 0..60)
    ) {
        let source = SourceFile::new("t", words.join(" "));
        let (file, diagnostics) = parse(&source);
        diagnostics.render();
        if !diagnostics.has_errors() {
            let (words, comments) = self::words(source.text());
            let printed = print(&file);
            prop_assert_eq!(self::words(&printed), (words, comments), "{}", printed);
        }
    }

    #[test]
    fn printing_keeps_words_and_comments_and_settles(text in body()) {
        let (file, diagnostics) = parse(&SourceFile::new("t", text.clone()));
        prop_assert!(diagnostics.is_empty(), "{}\n{}", text, diagnostics.render());
        let printed = print(&file);
        prop_assert_eq!(words(&printed), words(&text), "{}\nbecame\n{}", text, printed);
        let (again, diagnostics) = parse(&SourceFile::new("t", printed.clone()));
        prop_assert!(diagnostics.is_empty(), "{}\n{}", printed, diagnostics.render());
        let twice = print(&again);
        prop_assert_eq!(&words(&twice).0, &words(&printed).0);
        // A value that the first run joins from two lines is aligned by the second, as in Alloy.
        if !text.contains("/*") && !text.contains("//") {
            let (again, _) = parse(&SourceFile::new("t", twice.clone()));
            prop_assert_eq!(&print(&again), &twice, "{}", text);
        }
    }

    #[test]
    fn any_expression_evaluates_or_says_why_not(text in expression()) {
        let source = SourceFile::new("t", text);
        let (expr, diagnostics) = parse_expression(&source);
        prop_assert!(diagnostics.is_empty(), "{}\n{}", source.text(), diagnostics.render());
        let library = Library::new(Arc::new(System), "1");
        match Evaluator::new(&source, &EmptyScope, &library).evaluate(&expr) {
            Ok(value) => prop_assert!(value.equals(&value) || matches!(value, Value::Function(_) | Value::Number(_))),
            Err(diagnostic) => prop_assert!(diagnostic.span.end as usize <= source.text().len()),
        }
    }
}
