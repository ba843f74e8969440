//! The gateway's own account of every item, read from its metrics page, and whether it balances:
//! for each destination, signal and tenant, accepted = delivered + queued + dropped.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{Error, fetch};

/// The counter of items by component, signal, tenant, outcome and reason.
const ITEMS: &str = "corten_ledger_items_total";

/// The gauge of items that a destination still owes.
const QUEUED: &str = "corten_queue_items";

/// Whose account it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The component.
    pub component: String,
    /// The signal.
    pub signal: String,
    /// The tenant; empty for none.
    pub tenant: String,
}

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Items taken.
    pub accepted: u64,
    /// Items not taken, so owed to nobody.
    pub refused: u64,
    /// Items that the destination took.
    pub delivered: u64,
    /// Items given up, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Items still owed.
    pub queued: u64,
}

/// All accounts of a gateway at one moment.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<Holder, Account>,
    destinations: BTreeSet<String>,
}

impl Account {
    /// Whether everything that was accepted is somewhere.
    pub fn balances(&self) -> bool {
        self.accepted == self.delivered + self.queued + self.dropped()
    }

    /// Items given up, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.delivered += other.delivered;
        self.queued += other.queued;
        for (reason, items) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += items;
        }
    }
}

impl Ledger {
    /// Reads the metrics page of the gateway whose admin listener is at `address`.
    pub async fn read(address: &str) -> Result<Self, Error> {
        let (status, text) = fetch::get(address, "/metrics").await?;
        if status != 200 {
            return Err(Error::new(format!(
                "http://{address}/metrics answered {status}"
            )));
        }
        Self::parse(&text)
    }

    /// Reads the Prometheus or OpenMetrics text of a metrics page.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut ledger = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            if name != ITEMS && name != QUEUED {
                continue;
            }
            let broken = || Error::new(format!("cannot read the metric {line:?}"));
            let (labels, value) = sample(&line[name.len()..]).ok_or_else(broken)?;
            let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
            let holder = Holder {
                component: label("component"),
                signal: label("signal"),
                tenant: label("tenant"),
            };
            let outcome = label("outcome");
            if name == QUEUED || outcome == "delivered" {
                ledger.destinations.insert(holder.component.clone());
            }
            let account = ledger.accounts.entry(holder).or_default();
            match (name, outcome.as_str()) {
                (QUEUED, _) => account.queued += value,
                (_, "accepted") => account.accepted += value,
                (_, "refused") => account.refused += value,
                (_, "delivered") => account.delivered += value,
                // Kept, but not for delivery: the destination does not have it.
                (_, "dropped" | "dead_lettered") => {
                    *account.dropped.entry(label("reason")).or_default() += value
                }
                _ => return Err(broken()),
            }
        }
        Ok(ledger)
    }

    /// The components that deliver: those that have a queue or have delivered anything.
    pub fn destinations(&self) -> impl Iterator<Item = &str> {
        self.destinations.iter().map(String::as_str)
    }

    /// The accounts of one component, all signals and tenants together.
    pub fn of_component(&self, component: &str) -> Account {
        self.sum(|holder| holder.component == component)
    }

    /// The accounts of one component and signal, all tenants together.
    pub fn of_signal(&self, component: &str, signal: &str) -> Account {
        self.sum(|holder| holder.component == component && holder.signal == signal)
    }

    /// The destinations' accounts that do not balance.
    pub fn imbalances(&self) -> Vec<Imbalance> {
        self.accounts
            .iter()
            .filter(|(holder, account)| {
                self.destinations.contains(&holder.component) && !account.balances()
            })
            .map(|(holder, account)| Imbalance {
                holder: holder.clone(),
                account: account.clone(),
            })
            .collect()
    }

    fn sum(&self, wanted: impl Fn(&Holder) -> bool) -> Account {
        let mut sum = Account::default();
        for (holder, account) in &self.accounts {
            if wanted(holder) {
                sum.add(account);
            }
        }
        sum
    }
}

/// An account that does not balance.
#[derive(Clone, Debug)]
pub struct Imbalance {
    /// Whose it is.
    pub holder: Holder,
    /// What it says.
    pub account: Account,
}

impl fmt::Display for Imbalance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (holder, account) = (&self.holder, &self.account);
        write!(
            out,
            "{} {} tenant {:?}: accepted {} is not delivered {} + queued {} + dropped {}",
            holder.component,
            holder.signal,
            holder.tenant,
            account.accepted,
            account.delivered,
            account.queued,
            account.dropped()
        )
    }
}

/// The labels and the value of a sample, from behind its name.
fn sample(text: &str) -> Option<(BTreeMap<String, String>, u64)> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            inner = inner.trim_start_matches([',', ' ']);
            if let Some(behind) = inner.strip_prefix('}') {
                rest = behind;
                break;
            }
            let (name, value) = inner.split_once("=\"")?;
            let (value, behind) = quoted(value)?;
            labels.insert(name.into(), value);
            inner = behind;
        }
    }
    let value: f64 = rest.split_ascii_whitespace().next()?.parse().ok()?;
    (value >= 0.0 && value.fract() == 0.0).then_some((labels, value as u64))
}

/// A label's value up to its closing quote, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"# TYPE corten_ledger_items counter
corten_ledger_items_total{component="otelcol.receiver.otlp.in",signal="logs",tenant="a",outcome="accepted",reason=""} 30
corten_ledger_items_total{component="otelcol.exporter.otlp.x",signal="logs",tenant="a",outcome="accepted",reason=""} 30
corten_ledger_items_total{component="otelcol.exporter.otlp.x",signal="logs",tenant="a",outcome="delivered",reason=""} 20
corten_ledger_items_total{component="otelcol.exporter.otlp.x",signal="logs",tenant="a",outcome="dropped",reason="http 400"} 3
corten_ledger_items_total{component="otelcol.exporter.otlp.x",signal="logs",tenant="a",outcome="refused",reason="queue full"} 9
corten_queue_items{component="otelcol.exporter.otlp.x",signal="logs",tenant="a"} 7
corten_queue_items{component="otelcol.exporter.otlp.x",signal="logs",tenant="odd \"name\"\n{}"} 0 1700000000000
corten_queue_items_other{component="?"} nonsense
# EOF
"#;

    #[test]
    fn a_balanced_page_balances() {
        let ledger = Ledger::parse(PAGE).unwrap();
        let destinations: Vec<_> = ledger.destinations().collect();
        assert_eq!(destinations, ["otelcol.exporter.otlp.x"]);
        assert!(ledger.imbalances().is_empty());
        let account = ledger.of_signal("otelcol.exporter.otlp.x", "logs");
        assert_eq!(
            (account.accepted, account.delivered, account.queued),
            (30, 20, 7)
        );
        assert_eq!((account.refused, account.dropped()), (9, 3));
        assert!(
            ledger
                .accounts
                .keys()
                .any(|holder| holder.tenant == "odd \"name\"\n{}")
        );
    }

    #[test]
    fn one_item_too_few_is_an_imbalance() {
        let page = PAGE.replace(
            "\"delivered\",reason=\"\"} 20",
            "\"delivered\",reason=\"\"} 19",
        );
        let imbalances = Ledger::parse(&page).unwrap().imbalances();
        assert_eq!(imbalances.len(), 1);
        let text = imbalances[0].to_string();
        assert!(
            text.contains("accepted 30 is not delivered 19 + queued 7 + dropped 3"),
            "{text}"
        );
    }

    #[test]
    fn a_broken_page_is_an_error_and_not_an_empty_ledger() {
        for line in [
            "corten_queue_items{component=\"x\"} -1",
            "corten_queue_items{component=\"x} 1",
            "corten_queue_items{component=\"x\"} 1.5",
            "corten_ledger_items_total{component=\"x\",outcome=\"eaten\"} 1",
        ] {
            assert!(Ledger::parse(line).is_err(), "{line}");
        }
    }
}
