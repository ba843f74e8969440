//! `corten wal dead-letters`: what destinations refused for good, in the log of a gateway that does
//! not run.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use super::fail;
use crate::{
    cli::{DeadLettersCommand, LetterOptions},
    delivery::{DeadLetters, Kept, Letter, Selection},
};

/// Lists, exports, replays or removes.
pub(super) fn dead_letters(command: &DeadLettersCommand) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("cannot start: {error}")),
    };
    match runtime.block_on(run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(reason),
    }
}

async fn run(command: &DeadLettersCommand) -> Result<(), String> {
    let (DeadLettersCommand::List(options)
    | DeadLettersCommand::Export(options)
    | DeadLettersCommand::Replay(options)
    | DeadLettersCommand::Remove(options)) = command;
    let selection = Selection {
        component: options.component.clone(),
        signal: options.signal,
        tenant: options.tenant.clone(),
        ids: options.ids.iter().cloned().collect(),
    };
    let changes = matches!(
        command,
        DeadLettersCommand::Replay(_) | DeadLettersCommand::Remove(_)
    );
    if changes && selection == Selection::default() && !options.all {
        return Err(
            "choose dead letters by --component, --signal, --tenant or --id, or say --all"
                .to_owned(),
        );
    }
    let log = open(options)?;
    let letters = DeadLetters::new(log.clone());
    let text = match command {
        DeadLettersCommand::List(_) => lines(&letters.list(&selection).await?, line),
        DeadLettersCommand::Export(_) => lines(&letters.list(&selection).await?, object),
        DeadLettersCommand::Replay(_) => {
            let moved = letters.replay(&selection).await?;
            let (letters, items) = (moved.letters, moved.items);
            format!("{letters} dead letters with {items} items wait for delivery again\n")
        }
        DeadLettersCommand::Remove(_) => {
            let moved = letters.remove(&selection).await?;
            let (letters, items) = (moved.letters, moved.items);
            format!("{letters} dead letters with {items} items are removed\n")
        }
    };
    log.close();
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// Opens a log that is there already.
fn open(options: &LetterOptions) -> Result<wal::Log, String> {
    let path = &options.storage;
    if !path.join("store").is_dir() {
        let path = path.display();
        return Err(format!(
            "there is no log in {path}; name its folder with --storage.path"
        ));
    }
    wal::Log::open(wal::Options::new(path)).map_err(|error| error.to_string())
}

fn lines(kept: &[Kept], show: fn(&str, &Letter) -> String) -> String {
    let mut text = String::new();
    for Kept { component, letters } in kept {
        for letter in letters {
            text.push_str(&show(component, letter));
            text.push('\n');
        }
    }
    text
}

/// A letter in a line, its parts with tabs between them.
fn line(component: &str, letter: &Letter) -> String {
    let (id, key) = (letter.id(), &letter.key);
    let refused_at = humantime::format_rfc3339_millis(letter.refused_at);
    let Letter {
        items,
        reason,
        words,
        ..
    } = letter;
    let (signal, tenant) = (key.signal.as_str(), &key.tenant);
    format!("{id}\t{refused_at}\t{component}\t{signal}\t{tenant}\t{items} items\t{reason}\t{words}")
}

fn object(component: &str, letter: &Letter) -> String {
    letter.to_json(component, true).to_string()
}
