//! Instructions of one warm read in user space, by valgrind: no noise, and no kernel. Two runs of different length are
//! subtracted, so that what starting costs is not in the figure.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::{
    roles::Serving,
    targets::{self, Process},
};

/// How much.
#[derive(clap::Args, Clone)]
pub(crate) struct InstructionsArgs {
    /// Requests of the shorter run; the longer has four times as many.
    #[arg(long, default_value_t = 1_500)]
    pub(crate) requests: usize,
    /// Where callgrind's files are kept, for callgrind_annotate.
    #[arg(long)]
    pub(crate) keep: Option<PathBuf>,
}

/// What came out: instructions per request.
#[derive(Debug, Serialize)]
pub(crate) struct Instructions {
    pub(crate) name: &'static str,
    pub(crate) per_request: u64,
}

/// Counts for nginx and for the gateway at both sampling ratios.
///
/// # Errors
/// When valgrind is not installed or a target does not serve under it.
pub(crate) async fn run(args: &InstructionsArgs) -> anyhow::Result<Vec<Instructions>> {
    let mut found = Vec::new();
    for name in ["nginx", "gateway-1", "gateway-100"] {
        let short = total(name, args.requests, args).await?;
        let long = total(name, args.requests * 4, args).await?;
        let per_request = long.saturating_sub(short) / (args.requests as u64 * 3);
        found.push(Instructions { name, per_request });
    }
    Ok(found)
}

async fn total(name: &'static str, requests: usize, args: &InstructionsArgs) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir()?;
    let (_ehr, ehr) = Process::role(&["ehr"], folder.path(), "ehr")?;
    let out = folder.path().join("callgrind");
    let (process, address) = under_valgrind(name, &ehr, folder.path(), &out)?;
    let load = targets::load(address, targets::our_requests(address)?);
    load.send(targets::LAUNCHES).await?;
    load.send(requests).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(process);
    let counted = fs::read_dir(folder.path())?.flatten().map(|entry| entry.path());
    let mut sum = 0;
    for file in counted.filter(|p| p.to_string_lossy().contains("callgrind")) {
        let text = fs::read_to_string(&file)?;
        let line = text.lines().find_map(|l| l.strip_prefix("totals: ").or(l.strip_prefix("summary: ")));
        sum += line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0);
        if let Some(keep) = &args.keep {
            fs::create_dir_all(keep)?;
            fs::copy(&file, keep.join(format!("callgrind.{name}.{requests}")))?;
        }
    }
    ensure!(sum > 0, "valgrind counted nothing");
    Ok(sum)
}

fn under_valgrind(
    name: &'static str,
    ehr: &Serving,
    folder: &Path,
    out: &Path,
) -> anyhow::Result<(Process, SocketAddr)> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "-q"]).arg(format!("--callgrind-out-file={}", out.display()));
    if name == "nginx" {
        let (nginx, address) = targets::nginx_command(ehr, folder)?;
        command.arg(nginx.get_program()).args(nginx.get_args());
        let mut process = Process::start(command, folder, name)?;
        process.listening(address)?;
        return Ok((process, address));
    }
    let sample = if name == "gateway-1" { "0.01" } else { "1.0" };
    command.arg(std::env::current_exe()?);
    command.args(targets::gateway_arguments(ehr, sample, targets::With::Itself, &folder.join("data"))?);
    let (process, serving) = Process::start_role(command, folder, name).context("under valgrind")?;
    Ok((process, serving.address))
}
