//! Power cuts: a file system of its own is shut down under a process that commits. What was synced
//! stays, what was not is gone.
//!
//! Needs root, loop devices and perl, and says so when it cannot run. `WAL_POWER_CUTS` sets the
//! number of cuts, `WAL_POWER_SEED` the moments at which they come.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::kill::{Tally, Victim};

/// On any file of it: FS_IOC_SHUTDOWN without a flush of the journal: the file system stops where it stands.
const SHUT_DOWN: &str =
    r#"$how = pack("I", 2); open(F, "<", $ARGV[0]) && ioctl(F, 0x8004587D, $how) or die $!"#;

/// A file system on a loop device.
struct Device {
    image: PathBuf,
    mount: PathBuf,
}

/// Whether the command succeeds.
fn run(program: &str, arguments: &[&Path]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

impl Device {
    fn new(folder: &Path) -> Option<Self> {
        let (image, mount) = (folder.join("image"), folder.join("mount"));
        File::create(&image).unwrap().set_len(1 << 30).unwrap();
        fs::create_dir(&mount).unwrap();
        let device = Self { image, mount };
        let made = run("mkfs.ext4", &[Path::new("-q"), &device.image]);
        (made && run("perl", &[Path::new("-e1")]) && device.mount()).then_some(device)
    }

    fn mount(&self) -> bool {
        run(
            "mount",
            &[Path::new("-o"), Path::new("loop"), &self.image, &self.mount],
        )
    }

    fn cut_power(file: &Path) {
        let cut = run("perl", &[Path::new("-e"), Path::new(SHUT_DOWN), file]);
        assert!(cut, "the file system cannot be shut down");
    }

    fn umount(&self) {
        // A process that was just killed may hold it for a moment.
        for _ in 0..100 {
            if run("umount", &[&self.mount]) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the file system is still in use");
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        run("umount", &[Path::new("-l"), &self.mount]);
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_to_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let Some(device) = Device::new(folder.path()) else {
        println!("cannot mount a loop device; power cuts are not tested");
        return;
    };
    let log = device.mount.join("log");
    let (cuts, mut seed) = (setting("WAL_POWER_CUTS", 3), setting("WAL_POWER_SEED", 1));
    println!("{cuts} power cuts from seed {seed}");
    let mut tally = Tally::default();
    for cut in 0..cuts {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let victim = Victim::start(&log);
        std::thread::sleep(Duration::from_millis(200 + (seed >> 33) % 600));
        let unsynced = device.mount.join(format!("unsynced-{cut}"));
        fs::write(&unsynced, b"gone").unwrap();
        // Only what was heard before the cut is owed: a sync may succeed while power fails.
        let acknowledged = victim.acknowledged();
        Device::cut_power(&unsynced);
        tally.add(acknowledged, victim.kill());
        device.umount();
        assert!(device.mount(), "the file system does not come back");
        assert!(
            fs::read(&unsynced).unwrap_or_default().is_empty(),
            "the power was not cut"
        );
    }
    tally.check(&log).await;
}
