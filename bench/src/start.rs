//! How long the product's own binary takes from its start until it is ready, and how much memory it then holds.
//!
//! The binary's whole time is told, and its CPU time beside it: the first is what a person waits, the second does not
//! depend on who else uses the machine.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::{cpu, report::Spread, targets::Process};

/// What is started how often.
#[derive(clap::Args, Clone)]
pub(crate) struct StartArgs {
    /// The product's binary; beside this one when left out.
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// How often each is started.
    #[arg(long, default_value_t = 9)]
    pub(crate) times: usize,
}

/// What came out, for one way to start.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) name: &'static str,
    /// Milliseconds from the start to "ready".
    pub(crate) ready_ms: Spread,
    /// Milliseconds of CPU until then.
    pub(crate) cpu_ms: Spread,
    /// MiB resident two seconds later.
    pub(crate) idle_mib: Spread,
}

/// After this a process that nobody asks anything is idle.
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// Starts everything in one process, and `web` alone: the one service that needs no server to be ready.
///
/// # Errors
/// When one does not start.
pub(crate) fn run(args: &StartArgs) -> anyhow::Result<Vec<Start>> {
    let binary = product(args.binary.as_deref())?;
    Ok(vec![
        measure("all in one (`up`)", args.times, |folder| {
            let mut command = Command::new(&binary);
            command.args(["up", "--listen", "127.0.0.1:0", "--ehr-listen", "127.0.0.1:0"]);
            command.arg("--data-dir").arg(folder.join("data"));
            Ok(command)
        })?,
        measure("one service (`serve web`)", args.times, |folder| web(&binary, folder))?,
    ])
}

/// The product's binary.
pub(crate) fn product(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    match given {
        Some(path) => Ok(path.to_owned()),
        None => Ok(std::env::current_exe()?.with_file_name("sallyport")),
    }
}

/// A configuration under which `serve web` is ready by itself: an identity, and peers that nobody asks yet.
fn web(binary: &Path, folder: &Path) -> anyhow::Result<Command> {
    let pki = folder.join("pki");
    let made = Command::new(binary).args(["pki", "dev", "--out"]).arg(&pki).output()?;
    ensure!(made.status.success(), "pki dev: {}", String::from_utf8_lossy(&made.stderr));
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let config = folder.join("web.toml");
    let text = format!(
        "[server]\npublic_url = \"https://app.example\"\n[sandbox_ehr]\nenabled = false\n[rpc]\n\
         listen = \"127.0.0.1:{port}\"\ncertificate = \"{0}/web.pem\"\nkey = \"{0}/web.key\"\n\
         authority = \"{0}/ca.pem\"\nfhir_gateway = [\"https://127.0.0.1:9\"]\n",
        pki.display()
    );
    fs::write(&config, text)?;
    let mut command = Command::new(binary);
    command.args(["serve", "web", "--config"]).arg(config).arg("--data-dir").arg(folder.join("data"));
    Ok(command)
}

fn measure(
    name: &'static str,
    times: usize,
    command: impl Fn(&Path) -> anyhow::Result<Command>,
) -> anyhow::Result<Start> {
    let (mut ready_ms, mut cpu_ms, mut idle_mib) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..times {
        let folder = tempfile::tempdir()?;
        let ready = folder.path().join("ready.json");
        let mut command = command(folder.path())?;
        command.arg("--ready-file").arg(&ready);
        command.stdout(fs::File::create(folder.path().join("out"))?);
        let begun = Instant::now();
        let process = Process::start(command, folder.path(), "start")?;
        process.until_ready(&ready)?;
        ready_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        let used = cpu::of_tree(process.pid()).context("it runs")?;
        cpu_ms.push(used.as_secs_f64() * 1e3);
        std::thread::sleep(IDLE_AFTER);
        idle_mib.push(cpu::resident_mib(process.pid())?);
    }
    let [ready_ms, cpu_ms, idle_mib] = [ready_ms, cpu_ms, idle_mib].map(Spread::of);
    Ok(Start { name, ready_ms, cpu_ms, idle_mib })
}
