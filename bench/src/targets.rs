//! Processes that are measured: started here, told apart by their own handles, ended by them.

mod express;
mod nginx;

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

pub(crate) use express::Express;
pub(crate) use nginx::{nginx, nginx_command};

use crate::{
    cpu,
    load::{Load, get},
    roles::Serving,
    sessions::Launch,
};

/// How often somebody looks whether it is ready.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Nothing that is started here takes longer, not even on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(60);

/// A gateway without an audit service waits a while for its last records to be taken; under valgrind longer.
const END_WITHIN: Duration = Duration::from_secs(40);

/// How many launches are open: more than any cache line, fewer than any cache.
pub(crate) const LAUNCHES: usize = 1_000;

/// Connections that are kept busy.
const CONNECTIONS: usize = 32;

/// A process of ours; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where its standard error went.
    pub(crate) log: PathBuf,
}

impl Process {
    /// Starts a command, its words into a file of `folder`.
    ///
    /// # Errors
    /// When the program is not there.
    pub(crate) fn start(mut command: Command, folder: &Path, name: &str) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("{program} cannot be started: is it installed?"))?;
        Ok(Self { child, log })
    }

    /// Starts this program in one of its roles and waits until it serves.
    ///
    /// # Errors
    /// When it ends before that.
    pub(crate) fn role(arguments: &[&str], folder: &Path, name: &str) -> anyhow::Result<(Self, Serving)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::start_role(command, folder, name)
    }

    /// Starts a command that ends in one of this program's roles.
    ///
    /// # Errors
    /// When it ends before it serves.
    pub(crate) fn start_role(
        mut command: Command,
        folder: &Path,
        name: &str,
    ) -> anyhow::Result<(Self, Serving)> {
        command.stdout(Stdio::piped());
        Self::start(command, folder, name)?.announced()
    }

    /// Waits for the line that says where it serves.
    fn announced(mut self) -> anyhow::Result<(Self, Serving)> {
        let output = self.child.stdout.take().context("its output is read")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let serving = serde_json::from_str(&line).with_context(|| {
            format!("it ended: {}", std::fs::read_to_string(&self.log).unwrap_or_default())
        })?;
        Ok((self, serving))
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the product has written its ready file.
    ///
    /// # Errors
    /// When it ends before that, or does not come to it.
    pub(crate) fn until_ready(&self, ready: &Path) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !ready.exists() {
            ensure!(begun.elapsed() < START_WITHIN && cpu::of_tree(self.pid()).is_ok(), {
                std::fs::read_to_string(&self.log).unwrap_or_default()
            });
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Waits until it listens on a port that was free a moment ago.
    ///
    /// # Errors
    /// When it ends, or does not come to listen.
    pub(crate) fn listening(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                bail!("it ended with {status}: {log}");
            }
            ensure!(begun.elapsed() < START_WITHIN, "it does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        ensure!(self.child.try_wait()?.is_none(), "another process listens on its port");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first, so that a server's own children end with it.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let begun = Instant::now();
        while asked.is_ok() && begun.elapsed() < END_WITHIN {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

/// A free port of this machine.
fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// One thing to measure.
pub(crate) struct Target {
    /// As the table names it.
    pub(crate) name: &'static str,
    /// Whose CPU time is counted, with its children.
    pub(crate) process: Process,
    /// What it is asked.
    pub(crate) load: Load,
    /// How many requests of a round, as a share of the whole: a slow peer needs fewer for the same precision.
    pub(crate) share: f64,
    /// Where its metrics are; the gateway's alone.
    pub(crate) metrics: Option<SocketAddr>,
    /// Whether its records go on to an audit service: their way belongs to a round.
    pub(crate) relays: bool,
    /// How many windows of its EHR it counts.
    pub(crate) windows: u32,
}

/// The EHR's fixed answers hold this.
const HOLDS: &str = "Synthetic problem 6";

/// Load of those requests.
pub(crate) fn load(address: SocketAddr, requests: Vec<Vec<u8>>) -> Load {
    Load { address, requests: Arc::new(requests), connections: CONNECTIONS, holds: HOLDS }
}

/// The requests of a page of ours, one per launch.
///
/// # Errors
/// None in practice: launches are numbered.
pub(crate) fn our_requests(address: SocketAddr) -> anyhow::Result<Vec<Vec<u8>>> {
    (0..LAUNCHES)
        .map(|number| {
            let launch = Launch::numbered(number).context("a launch")?;
            let cookie = launch.cookie();
            Ok(get(address, &launch.path(), &[("sec-fetch-site", "same-origin"), ("cookie", &cookie)]))
        })
        .collect()
}

/// What a gateway is measured with beside its own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    /// Nothing.
    Itself,
    /// The audit service in its process.
    Audit,
    /// Windows of its EHR that do not bind.
    Windows,
}

/// The gateway at a sampling ratio.
///
/// # Errors
/// When it does not start.
pub(crate) fn gateway(
    name: &'static str,
    ehr: &Serving,
    sample: &str,
    with: With,
    folder: &Path,
) -> anyhow::Result<Target> {
    let arguments = gateway_arguments(ehr, sample, with, &folder.join(name))?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (process, serving) = Process::role(&arguments, folder, name)?;
    let load = load(serving.address, our_requests(serving.address)?);
    Ok(Target {
        name,
        process,
        load,
        share: 1.0,
        metrics: serving.beside,
        relays: with == With::Audit,
        windows: if with == With::Windows { 2 } else { 0 },
    })
}

/// What the gateway's role is told.
///
/// # Errors
/// When the EHR takes no spans.
pub(crate) fn gateway_arguments(
    ehr: &Serving,
    sample: &str,
    with: With,
    data: &Path,
) -> anyhow::Result<Vec<String>> {
    let spans = ehr.beside.context("the EHR takes spans")?.to_string();
    let given =
        ["gateway", "--ehr", &ehr.address.to_string(), "--spans", &spans, "--sample", sample, "--data"];
    let mut arguments: Vec<String> = given.map(str::to_owned).to_vec();
    arguments.push(data.to_string_lossy().into_owned());
    match with {
        With::Itself => {}
        With::Audit => arguments.push("--with-audit".to_owned()),
        With::Windows => arguments.push("--with-windows".to_owned()),
    }
    Ok(arguments)
}
