//! CPU time of one warm read, for each target, in rounds that take turns: what else the machine does meanwhile hits all
//! of them alike, and ratios within a round are what is compared.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::{
    counters::Counters,
    cpu,
    report::Spread,
    roles::Serving,
    targets::{self, Express, LAUNCHES, Process, Target, With},
};

/// What is measured how often.
#[derive(clap::Args, Clone)]
pub(crate) struct ReadsArgs {
    /// Rounds; each target has its turn in each.
    #[arg(long, default_value_t = 11)]
    pub(crate) rounds: usize,
    /// Requests in one turn.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) requests: usize,
    /// Without nginx: the gateways beside each other alone.
    #[arg(long)]
    pub(crate) without_nginx: bool,
    /// Without Express, which needs Node, its packages and Redis.
    #[arg(long)]
    pub(crate) without_express: bool,
    /// The Express program.
    #[arg(long, default_value = "bench/express/server.mjs")]
    pub(crate) express: PathBuf,
}

/// What came out.
#[derive(Debug, Serialize)]
pub(crate) struct Reads {
    pub(crate) rounds: usize,
    pub(crate) requests: usize,
    /// Microseconds of CPU per request, by target.
    pub(crate) cost: Vec<(&'static str, Spread)>,
    /// Ratios within a round.
    pub(crate) ratios: Vec<(String, Spread)>,
    /// `fdatasync` calls per thousand requests, by gateway.
    pub(crate) syncs: Vec<(&'static str, Spread)>,
}

struct Measured {
    target: Target,
    micros: Vec<f64>,
    syncs: Vec<f64>,
}

/// Measures.
///
/// # Errors
/// When a target does not start, or one answer or one count is not what it must be.
pub(crate) async fn run(args: &ReadsArgs) -> anyhow::Result<Reads> {
    let folder = tempfile::tempdir()?;
    let (_ehr, ehr) = Process::role(&["ehr"], folder.path(), "ehr")?;
    let mut express = None;
    let mut measured: Vec<Measured> = Vec::new();
    if !args.without_nginx {
        let target = targets::nginx(&ehr, folder.path())?;
        measured.push(Measured { target, micros: Vec::new(), syncs: Vec::new() });
    }
    for target in gateways(&ehr, folder.path())? {
        measured.push(Measured { target, micros: Vec::new(), syncs: Vec::new() });
    }
    if !args.without_express {
        let Express { target, redis } = Express::start(&ehr, folder.path(), &args.express).await?;
        express = Some(redis);
        measured.push(Measured { target, micros: Vec::new(), syncs: Vec::new() });
    }
    let count = measured.len();
    for round in 0..args.rounds {
        for turn in 0..count {
            // Another order each time, so that nobody always follows the same neighbour.
            let next = measured.get_mut((turn + round) % count).context("a target")?;
            turn_of(next, args.requests).await.with_context(|| next.target.name.to_owned())?;
        }
    }
    drop(express);
    Ok(summary(args, &measured))
}

fn gateways(ehr: &Serving, folder: &std::path::Path) -> anyhow::Result<Vec<Target>> {
    Ok(vec![
        targets::gateway("gateway-1", ehr, "0.01", With::Itself, folder)?,
        targets::gateway("gateway-1-windows", ehr, "0.01", With::Windows, folder)?,
        targets::gateway("gateway-100", ehr, "1.0", With::Itself, folder)?,
        targets::gateway("gateway-1-audit", ehr, "0.01", With::Audit, folder)?,
    ])
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bounded run")]
async fn turn_of(measured: &mut Measured, requests: usize) -> anyhow::Result<()> {
    let target = &measured.target;
    let count = ((requests as f64 * target.share) as usize).max(200);
    // Sessions and tokens into the caches, connections to the EHR open.
    let started = Instant::now();
    target.load.send(LAUNCHES.min(count)).await?;
    // Not until those are relayed: by then the sessions would have to be asked for again.
    recorded(target).await?;
    let before = counters(target).await?;
    let begun = cpu::of_tree(target.process.pid())?;
    target.load.send(count).await?;
    settled(target).await?;
    let used = cpu::of_tree(target.process.pid())?.saturating_sub(begun);
    ensure!(!used.is_zero(), "too few requests: no CPU time was counted");
    measured.micros.push(used.as_secs_f64() * 1e6 / count as f64);
    if let (Some(before), Some(after)) = (before, counters(target).await?) {
        let added = after.since(before);
        added.check(count, started.elapsed(), target.windows)?;
        measured.syncs.push(added.syncs * 1_000.0 / count as f64);
    }
    Ok(())
}

async fn counters(target: &Target) -> anyhow::Result<Option<Counters>> {
    match target.metrics {
        Some(metrics) => Ok(Some(Counters::read(metrics).await?)),
        None => Ok(None),
    }
}

/// How often it is looked whether what the last answers left to do is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until each call so far has its outcome: written 50 ms after the last answer, on a busy machine later.
async fn recorded(target: &Target) -> anyhow::Result<()> {
    until(target, |counters| counters.records >= 2.0 * counters.calls)
        .await
        .context("outcomes are not written")
}

/// Waits until what the last answers left to do is done: outcomes written, records relayed where they are.
async fn settled(target: &Target) -> anyhow::Result<()> {
    recorded(target).await?;
    let relays = target.relays;
    until(target, |counters| !relays || counters.depth == 0.0).await.context("the records are not relayed")
}

/// Waits for the gateway's counters to say so. Everybody waits, so that all are measured with the same pause.
async fn until(target: &Target, is_so: impl Fn(&Counters) -> bool) -> anyhow::Result<()> {
    for _ in 0..600 {
        tokio::time::sleep(LOOK_EVERY).await;
        match counters(target).await? {
            Some(counters) if !is_so(&counters) => {}
            _ => return Ok(()),
        }
    }
    anyhow::bail!("not within a minute")
}

fn summary(args: &ReadsArgs, measured: &[Measured]) -> Reads {
    let micros = |name: &str| measured.iter().find(|m| m.target.name == name).map(|m| m.micros.as_slice());
    let mut ratios = Vec::new();
    let pairs = [
        ("gateway-1", "nginx"),
        ("gateway-100", "nginx"),
        ("gateway-1-windows", "gateway-1"),
        ("gateway-1-audit", "nginx"),
        ("express", "gateway-1"),
        ("express", "gateway-100"),
    ];
    for (above, below) in pairs {
        if let (Some(above_each), Some(below_each)) = (micros(above), micros(below)) {
            let each = above_each.iter().zip(below_each).map(|(a, b)| a / b).collect();
            ratios.push((format!("{above} / {below}"), Spread::of(each)));
        }
    }
    let spread = |m: &Measured| (m.target.name, Spread::of(m.micros.clone()));
    let with_syncs = measured.iter().filter(|m| !m.syncs.is_empty());
    Reads {
        rounds: args.rounds,
        requests: args.requests,
        cost: measured.iter().map(spread).collect(),
        ratios,
        syncs: with_syncs.map(|m| (m.target.name, Spread::of(m.syncs.clone()))).collect(),
    }
}
