//! The page of the command line, made of what parses it.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

use super::{MARK, prose};
use crate::cli;

/// The page.
pub(super) fn page() -> String {
    let mut program = cli::command();
    program.build();
    let mut out = String::from("# The command line\n");
    if let Some(about) = program.get_about() {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(out, "\n{about}");
    }
    let commands = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    for command in program.get_subcommands().filter(commands) {
        subcommand(&mut out, command);
    }
    refused(&mut out);
    let _ = write!(out, "\n{MARK}");
    out
}

fn subcommand(out: &mut String, command: &Command) {
    let name = command.get_name();
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = writeln!(out, "\n## corten {name}\n\n{about}.");
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = writeln!(out, "\n```text\n{usage}\n```\n");
    out.push_str("| argument | what it does | default |\n|---|---|---|\n");
    let shown = |argument: &&Arg| !argument.is_hide_set() && argument.get_id() != "help";
    for argument in command.get_arguments().filter(shown) {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} |",
            written(argument),
            help(argument),
            default(argument)
        );
    }
    if let Some(more) = command.get_after_long_help() {
        let _ = writeln!(out, "\n{}", more.to_string().trim_end());
    }
}

/// An argument as it is typed.
fn written(argument: &Arg) -> String {
    let mut text = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => {
            let name = argument.get_id().as_str().to_uppercase();
            return if argument.is_required_set() {
                name
            } else {
                format!("[{name}]")
            };
        }
    };
    if matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
        let names = argument.get_value_names().unwrap_or_default();
        let name = names.first().map_or_else(
            || argument.get_id().as_str().to_uppercase(),
            ToString::to_string,
        );
        let _ = write!(text, "=<{name}>");
    }
    text
}

/// What an argument does, with the words that it can be.
fn help(argument: &Arg) -> String {
    let text = argument.get_long_help().or_else(|| argument.get_help());
    let mut text = prose::cell(&text.map(ToString::to_string).unwrap_or_default());
    if !text.ends_with('.') {
        text.push('.');
    }
    if argument.get_action().takes_values() {
        let words: Vec<String> = argument
            .get_possible_values()
            .iter()
            .map(|word| match word.get_help() {
                Some(help) => format!("`{}` ({help})", word.get_name()),
                None => format!("`{}`", word.get_name()),
            })
            .collect();
        if !words.is_empty() {
            let _ = write!(text, " One of {}.", words.join(", "));
        }
    }
    text.replace('|', "\\|").replace("\\\\|", "\\|")
}

fn default(argument: &Arg) -> String {
    if !argument.get_action().takes_values() {
        return String::new();
    }
    let values = argument.get_default_values().iter();
    let values: Vec<_> = values
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    values.join(", ")
}

/// The flags of Alloy that are not honoured.
fn refused(out: &mut String) {
    out.push_str(
        "\n## Flags of `alloy run` that `corten run` refuses\n\nThey are refused by name. Where a flag \
         asks for what is so anyway it is let pass.\n\n| flag | why | let pass |\n|---|---|---|\n",
    );
    for flag in cli::unsupported_flags() {
        let name = match flag.name.strip_suffix('.') {
            Some(prefix) => format!("--{prefix}.*"),
            None => format!("--{}", flag.name),
        };
        let passes = flag
            .state
            .map(|state| format!("`{state}`"))
            .unwrap_or_default();
        let _ = writeln!(out, "| `{name}` | {} | {passes} |", flag.why);
    }
}
