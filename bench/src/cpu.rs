//! CPU time and memory of other processes, as the kernel counts them.
//!
//! CPU time is what is compared: on a machine that others use too, time on the clock says nothing.

use std::{fs, time::Duration};

use anyhow::Context;

/// Ticks of `/proc/PID/stat` in one second (`USER_HZ`, the same on every Linux that Rust runs on).
const TICKS_PER_SECOND: u64 = 100;

/// User and system time that a process and its children have used so far.
///
/// # Errors
/// When the process is gone.
pub(crate) fn of_tree(pid: u32) -> anyhow::Result<Duration> {
    let mut ticks = 0;
    for pid in tree(pid) {
        ticks += ticks_of(pid).with_context(|| format!("process {pid} is gone"))?;
    }
    Ok(Duration::from_millis(ticks * (1_000 / TICKS_PER_SECOND)))
}

/// A process and what it started.
fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    found
}

fn ticks_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may hold anything: state is the first field, utime the twelfth, stime the next.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory in MiB.
///
/// # Errors
/// When the process is gone.
pub(crate) fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    status_mib(pid, "VmRSS:")
}

/// The most that was ever resident, in MiB.
///
/// # Errors
/// When the process is gone.
pub(crate) fn peak_mib(pid: u32) -> anyhow::Result<f64> {
    status_mib(pid, "VmHWM:")
}

fn status_mib(pid: u32, field: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1_024.0)
}

/// What the machine is, for whoever reads the figures later.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or_default();
    format!("{} cores, {}, load average {load}", cores, model.trim_start_matches([' ', '\t', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spent_here_is_counted() {
        let before = of_tree(std::process::id()).unwrap();
        let mut sum = 0_u64;
        while of_tree(std::process::id()).unwrap() < before + Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(resident_mib(std::process::id()).unwrap() > 1.0);
    }
}
