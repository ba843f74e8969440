//! A test from beginning to end: traffic, acts by the clock, drain, a last probe, and the count.

use std::{io::Write, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    Error, Signal,
    act::{Act, Due},
    client::Protocol,
    error::Context,
    ledger::Ledger,
    report::{Report, Row},
    stage::Stage,
    traffic::Traffic,
};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long the system may take to agree with itself once everything has arrived: it counts a
/// delivery when the answer is on disk, which is after the backend counted it.
const SETTLE: Duration = Duration::from_secs(10);

/// What happens in a test.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What is sent.
    pub traffic: Traffic,
    /// How long it is sent.
    pub duration: Duration,
    /// What is done meanwhile, in the order of its time.
    pub script: Vec<Due>,
    /// How long what was acknowledged may take to arrive afterwards.
    pub drain: Duration,
    /// The system's component for each destination, if it keeps Corten's ledger.
    pub ledger: Vec<(Protocol, String)>,
    /// Whether the system is left running at the end.
    pub keep: bool,
}

impl Scenario {
    /// Plays it, telling `progress` a line each second. It is an error if it could not be played
    /// or was interrupted (ctrl-c); whether the system passed is in the report.
    pub async fn play(
        &self,
        stage: &mut Stage,
        progress: &mut (dyn Write + Send),
    ) -> Result<Report, Error> {
        tokio::select! {
            report = self.play_on(stage, progress) => report,
            _ = tokio::signal::ctrl_c() => Err(Error::new("interrupted")),
        }
    }

    async fn play_on(
        &self,
        stage: &mut Stage,
        progress: &mut (dyn Write + Send),
    ) -> Result<Report, Error> {
        let mut clock = Clock::start();
        stage.start_load(&self.traffic);
        for due in &self.script {
            clock
                .run_until(clock.start + due.at, stage, progress, |_| false)
                .await?;
            let told = stage.perform(&due.act).await?;
            say(
                progress,
                &format!("{:>4}s  -- {told}", clock.start.elapsed().as_secs()),
            )?;
        }
        clock
            .run_until(clock.start + self.duration, stage, progress, |_| false)
            .await?;
        stage.stop_load().await?;
        let told = "the load has ended, what was acknowledged drains";
        say(
            progress,
            &format!("{:>4}s  -- {told}", clock.start.elapsed().as_secs()),
        )?;

        let end = Instant::now() + self.drain;
        clock
            .run_until(end, stage, progress, |stage| stage.outstanding() == 0)
            .await?;
        let alive = stage.probe(&self.traffic).await?;
        let ledger = if self.ledger.is_empty() {
            None
        } else {
            Some(settle(stage).await?)
        };
        say(progress, &line(stage, clock.start))?;
        let ended = if self.keep {
            None
        } else {
            Some(stage.end().await?)
        };
        let ended = ended.map(|status| (status.success(), status.to_string()));
        let report = self.report(stage, ledger.as_ref());
        Ok(Report {
            alive,
            ended,
            took: clock.start.elapsed(),
            ..report
        })
    }

    fn report(&self, stage: &Stage, ledger: Option<&Ledger>) -> Report {
        let verdicts = stage.verdicts();
        let mut rows = Vec::new();
        for signal in Signal::ALL
            .iter()
            .filter(|signal| self.traffic.signals.contains(signal))
        {
            for verdict in &verdicts {
                rows.push(Row {
                    signal: *signal,
                    destination: verdict.destination.clone(),
                    sent: stage.gauge(*signal).sent(),
                    refusal: stage.gauge(*signal).refusal().map(String::from),
                    tally: verdict.of_signal(*signal),
                    account: self
                        .component(&verdict.destination)
                        .and_then(|component| Some(ledger?.of_signal(component, signal.as_str()))),
                });
            }
        }
        Report {
            rows,
            verdicts,
            imbalances: ledger.map(Ledger::imbalances).unwrap_or_default(),
            planned: self
                .script
                .iter()
                .map(|due| due.act.clone())
                .collect::<Vec<Act>>(),
            done: stage.done(),
            counts: stage.counts(),
            outage: stage.outage(),
            usage: stage.usage(),
            ..Report::default()
        }
    }

    fn component(&self, destination: &str) -> Option<&str> {
        let found = self
            .ledger
            .iter()
            .find(|(protocol, _)| protocol.as_str() == destination);
        found.map(|(_, component)| component.as_str())
    }
}

struct Clock {
    start: Instant,
    next_line: Instant,
}

impl Clock {
    fn start() -> Self {
        let start = Instant::now();
        Self {
            start,
            next_line: start + Duration::from_secs(1),
        }
    }

    /// Lets time pass until `end` or until `enough`, with a line of progress each second.
    async fn run_until(
        &mut self,
        end: Instant,
        stage: &mut Stage,
        progress: &mut (dyn Write + Send),
        enough: impl Fn(&Stage) -> bool,
    ) -> Result<(), Error> {
        while Instant::now() < end && !enough(stage) {
            sleep(TICK.min(end - Instant::now())).await;
            stage.check_alive()?;
            if Instant::now() >= self.next_line {
                say(progress, &line(stage, self.start))?;
                self.next_line = Instant::now() + Duration::from_secs(1);
            }
        }
        Ok(())
    }
}

/// The system's ledger, once its queues are empty and it balances, or as it is in the end.
async fn settle(stage: &Stage) -> Result<Ledger, Error> {
    let deadline = Instant::now() + SETTLE;
    let admin = stage.wiring().admin.to_string();
    loop {
        let ledger = Ledger::read(&admin).await?;
        let queued = |component| ledger.of_component(component).queued;
        let queued: u64 = ledger.destinations().map(queued).sum();
        if (queued == 0 && ledger.imbalances().is_empty()) || Instant::now() >= deadline {
            return Ok(ledger);
        }
        sleep(TICK).await;
    }
}

fn line(stage: &Stage, start: Instant) -> String {
    let sent = stage.sent();
    let mut text = format!(
        "{:>4}s  sent {:>9}  acknowledged {:>9}",
        start.elapsed().as_secs(),
        sent.items,
        sent.acked
    );
    for verdict in stage.verdicts() {
        let total = verdict.total();
        text.push_str(&format!(
            "  {} {:>9} (owed {})",
            verdict.destination, total.delivered, total.missing
        ));
    }
    text
}

pub(crate) fn say(progress: &mut (dyn Write + Send), text: &str) -> Result<(), Error> {
    let written = writeln!(progress, "{text}").and_then(|()| progress.flush());
    written.context(|| "report progress".into())
}
