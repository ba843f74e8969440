//! `corten demo`: this very binary between a load and stand-in backends, with its ledger at the end.

use std::process::ExitCode;

use super::fail;
use crate::cli::DemoOptions;

/// Exits 0 only if everything that was acknowledged has arrived.
pub fn demo(options: DemoOptions) -> ExitCode {
    let gateway = match std::env::current_exe() {
        Ok(gateway) => gateway,
        Err(error) => return fail(format!("cannot find this program: {error}")),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("cannot start threads: {error}")),
    };
    let mut demo = loadtest::demo::Options::new(gateway);
    demo.duration = options.duration;
    demo.keep = options.keep;
    if let Some(rate) = options.rate {
        demo.rate = rate;
    }
    if let Some(seed) = options.seed {
        demo.seed = seed;
    }
    match runtime.block_on(loadtest::demo::run(&demo, &mut std::io::stdout())) {
        Ok(report) if report.passed() => ExitCode::SUCCESS,
        Ok(report) => fail(report.failures().join("\n")),
        Err(error) => fail(error),
    }
}
