//! What a process costs, as `/proc` tells it.

use std::{fs, time::Duration};

/// The unit of `/proc/<pid>/stat`: a hundredth of a second on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// The costs of a process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in user and kernel mode.
    pub cpu: Duration,
    /// Its largest resident memory in bytes.
    pub resident_peak: u64,
    /// Its resident memory in bytes, when last read.
    pub resident: u64,
    /// Bytes that it caused to be written to storage.
    pub written: u64,
}

impl Usage {
    /// Reads the costs of the process `pid`. What cannot be read, for the process has ended or
    /// the kernel does not tell, stays as it was.
    pub(crate) fn update(&mut self, pid: u32) {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
        if let Some(cpu) = read("stat").as_deref().and_then(cpu) {
            self.cpu = cpu.max(self.cpu);
        }
        if let Some(status) = read("status") {
            if let Some(peak) = field(&status, "VmHWM:") {
                self.resident_peak = self.resident_peak.max(peak * 1024);
            }
            if let Some(resident) = field(&status, "VmRSS:") {
                self.resident = resident * 1024;
            }
        }
        if let Some(written) = read("io").and_then(|io| field(&io, "write_bytes:")) {
            self.written = written.max(self.written);
        }
    }

    /// The costs of this life and the next together.
    pub(crate) fn followed_by(&self, next: &Self) -> Self {
        Self {
            cpu: self.cpu + next.cpu,
            resident_peak: self.resident_peak.max(next.resident_peak),
            resident: next.resident,
            written: self.written + next.written,
        }
    }
}

/// The state of the process `pid` as a letter, such as `R` for running and `T` for stopped; none
/// if there is no such process.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat[stat.rfind(')')? + 1..].trim_start().chars().next()
}

/// The sum of user and system time. The command's name comes before them, in parentheses and with
/// any characters, so fields count from the last parenthesis.
fn cpu(stat: &str) -> Option<Duration> {
    let fields = &stat[stat.rfind(')')? + 1..];
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user.checked_add(system)?)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 9 9 20 0 1 0 5 6 7 8";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!(cpu("42 (cut"), None);
        assert_eq!(
            field("VmPeak:  9 kB\nVmHWM:\t   123 kB\n", "VmHWM:"),
            Some(123)
        );
        assert_eq!(field("VmPeak:  9 kB\n", "VmHWM:"), None);
    }

    #[test]
    fn a_dead_process_keeps_its_last_costs() {
        let mut usage = Usage::default();
        usage.update(std::process::id());
        assert!(usage.resident > 0 && usage.resident_peak >= usage.resident);
        let before = usage;
        usage.update(u32::MAX);
        assert_eq!(usage, before);
    }
}
