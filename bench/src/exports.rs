//! What an export costs: files fetched through the gateway, parsed line by line, hashed, sealed, checkpointed and written, by the
//! product's own binary with everything in one process, so that the CPU of every part is counted.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use sallyport::{operator, ready::Ready};
use sallyport_model::ServiceName;
use sallyport_proto::jobs::v1::{
    ControlRequest, ExportEffect, GetRunRequest, Run, StartRequest, jobs_client::JobsClient,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    cpu,
    report::Spread,
    roles::{Serving, bulk},
    start::product,
    targets::Process,
};

/// What is exported how often.
#[derive(clap::Args, Clone)]
pub(crate) struct ExportsArgs {
    /// The product's binary; beside this one when left out.
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// How many rounds of each.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Files of the small export; a file has about 20 MB.
    #[arg(long, default_value_t = 5)]
    pub(crate) files: usize,
    /// How many times larger the large one is.
    #[arg(long, default_value_t = 10)]
    pub(crate) times: usize,
}

/// What came out of one way to export.
#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    pub(crate) name: String,
    /// Of the files as the EHR sends them.
    pub(crate) megabytes: f64,
    /// Megabytes for each second of CPU, user and system, of the whole process.
    pub(crate) mb_per_core_second: Spread,
    /// As a share of a pass over the same bytes that only finds where each line's JSON ends, in the same round.
    pub(crate) of_raw_pass: Spread,
    /// MiB resident at the most.
    pub(crate) peak_mib: Spread,
    /// Of the sealed files, for each megabyte that was sent.
    pub(crate) stored: f64,
}

/// No export takes longer, not even on a busy machine.
const WITHIN: Duration = Duration::from_secs(900);

const LOOK_EVERY: Duration = Duration::from_millis(50);

const MEGA: f64 = 1e6;

/// Exports a small and a large amount, with and without compression.
///
/// # Errors
/// When an export does not come to its end, or kept another number of resources than the EHR has.
pub(crate) async fn run(args: &ExportsArgs) -> anyhow::Result<Vec<Exported>> {
    let binary = product(args.binary.as_deref())?;
    let mut found = Vec::new();
    for (files, compress) in [(args.files, false), (args.files * args.times, false), (args.files, true)] {
        let (mut speed, mut share, mut peak, mut stored) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        #[expect(clippy::cast_precision_loss, reason = "a figure, not a sum")]
        let megabytes = (files * bulk::file_bytes()) as f64 / MEGA;
        for _ in 0..args.rounds {
            let raw = raw_pass()?;
            let one = one(&binary, files, compress).await?;
            speed.push(megabytes / one.cpu.as_secs_f64());
            share.push(megabytes / one.cpu.as_secs_f64() / raw);
            peak.push(one.peak_mib);
            stored = one.stored / megabytes;
        }
        let [mb_per_core_second, of_raw_pass, peak_mib] = [speed, share, peak].map(Spread::of);
        let way = if compress { "compressed" } else { "not compressed" };
        let name = format!("{megabytes:.0} MB, {way}");
        found.push(Exported { name, megabytes, mb_per_core_second, of_raw_pass, peak_mib, stored });
    }
    Ok(found)
}

/// One export.
struct One {
    cpu: Duration,
    peak_mib: f64,
    /// Megabytes of the sealed files.
    stored: f64,
}

async fn one(binary: &Path, files: usize, compress: bool) -> anyhow::Result<One> {
    let folder = tempfile::tempdir()?;
    let (_ehr, serving) = Process::role(&["bulk", "--files", &files.to_string()], folder.path(), "ehr")?;
    let (process, ready) = start(binary, folder.path(), &serving, compress)?;
    let mut jobs = JobsClient::new(operator::reach(&ready.place(), ServiceName::JobWorker).await?);
    let before = cpu::of_tree(process.pid())?;
    let begun = Instant::now();
    let request = StartRequest {
        tenant: "bench".to_owned(),
        job: "export".to_owned(),
        by: "the bench".to_owned(),
        reason: "the bench".to_owned(),
        ..StartRequest::default()
    };
    let run_id = jobs.start(request).await?.into_inner().run_id;
    let run = loop {
        let run = jobs.get_run(GetRunRequest { run_id: run_id.clone() }).await?.into_inner();
        if run.state != "running" {
            break run;
        }
        ensure!(begun.elapsed() < WITHIN, "it is not over: {run:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let cpu = cpu::of_tree(process.pid())?.saturating_sub(before);
    let peak_mib = cpu::peak_mib(process.pid())?;
    let log = || fs::read_to_string(&process.log).unwrap_or_default();
    let (by, reason) = ("the bench".to_owned(), "the bench".to_owned());
    let request = ControlRequest { run_id, by, reason };
    let export = jobs.reconcile_run(request).await?.into_inner().export.unwrap_or_default();
    whole(&run, &export, files)
        .with_context(|| log().lines().rev().take(5).collect::<Vec<_>>().join("\n"))?;
    Ok(One { cpu, peak_mib, stored: size(&folder.path().join("data/exports"))? })
}

fn whole(run: &Run, export: &ExportEffect, files: usize) -> anyhow::Result<()> {
    let (files, resources) = (i64::try_from(files)?, i64::try_from(files * bulk::LINES)?);
    let quarantined = run.progress.as_ref().map_or(0, |progress| progress.quarantined);
    ensure!(
        run.state == "done" && quarantined == 0 && export.files == files && export.resources == resources,
        "{resources} resources in {files} files expected: {export:?} {run:?}"
    );
    Ok(())
}

fn start(binary: &Path, folder: &Path, ehr: &Serving, compress: bool) -> anyhow::Result<(Process, Ready)> {
    let tenants = folder.join("data/tenants");
    fs::create_dir_all(&tenants)?;
    let tenant = TENANT.replace("{ehr}", &format!("http://{}", ehr.address));
    fs::write(tenants.join("bench.toml"), tenant.replace("{compress}", &compress.to_string()))?;
    let (config, ready) = (folder.join("config.toml"), folder.join("ready.json"));
    fs::write(&config, "[sandbox_ehr]\nenabled = false\n")?;
    let mut command = Command::new(binary);
    command.args(["up", "--listen", "127.0.0.1:0", "--config"]).arg(&config);
    command.arg("--data-dir").arg(folder.join("data")).arg("--ready-file").arg(&ready);
    command.stdout(fs::File::create(folder.join("out"))?);
    let process = Process::start(command, folder, "up")?;
    process.until_ready(&ready)?;
    Ok((process, Ready::read(&ready)?))
}

/// How often the pass goes over one file's bytes: CPU is counted in ticks of 10 ms.
const PASSES: u32 = 20;

/// Megabytes for each second of CPU of a pass that finds where the JSON of each line ends, and nothing more.
fn raw_pass() -> anyhow::Result<f64> {
    let text = bulk::line().repeat(bulk::LINES);
    let (before, mut bytes) = (cpu::of_tree(std::process::id())?, 0);
    for _ in 0..PASSES {
        for line in text.lines() {
            bytes += serde_json::from_str::<&RawValue>(line)?.get().len();
        }
    }
    let took = cpu::of_tree(std::process::id())?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "a figure, not a sum")]
    let megabytes = std::hint::black_box(bytes) as f64 / MEGA;
    Ok(megabytes / took.as_secs_f64())
}

/// Megabytes of the files below a folder.
fn size(folder: &Path) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        #[expect(clippy::cast_precision_loss, reason = "a figure, not a sum")]
        let own = metadata.len() as f64 / MEGA;
        sum += if metadata.is_dir() { size(&entry.path())? } else { own };
    }
    Ok(sum)
}

const TENANT: &str = r#"[tenant]
id = "bench"
name = "Bench Hospital"
environment = "sandbox"
time_zone = "America/New_York"

[[endpoint]]
id = "main"
name = "Files"
vendor = "generic"
fhir_base = "{ehr}/fhir"
issuer = "{ehr}"
authorize_origins = ["{ehr}"]
token_origins = ["{ehr}"]
jwks_origins = ["{ehr}"]
bulk_origins = ["{ehr}"]
frame_ancestors = ["{ehr}"]

[[endpoint.override]]
key = "bulk.kick_offs"
value = ["group"]
owner = "the bench"
reason = "its one group"
expires = 2099-12-31

[[endpoint.override]]
key = "bulk.poll_seconds"
value = 1
owner = "the bench"
reason = "it is ready at once"
expires = 2099-12-31

[[registration]]
id = "reports"
endpoint = "main"
app = "reports"
client_id = "reports"
auth = "private_key_jwt"
launches = ["backend"]

[[app]]
id = "reports"
name = "Reports"
features = ["export", "patient-summary"]
default_feature = "patient-summary"

[[feature]]
id = "export"
title = "Export"
kind = "service"
required = ["system/Patient.rs", "system/Group.rs"]
optional = ["system/Observation.rs"]
purpose = "HOPERAT"
posture = "bulk, service account"
justification = "The bench."

[[job]]
id = "export"
title = "Everything of the group"
kind = "bulk-export"
feature = "export"
registration = "reports"
purpose = "HOPERAT"
identity = "backend"
on = true
stage = "general"

[job.cohort]
group = "all"

[job.options]
types = ["Observation"]
incremental = false
compress = {compress}

[policy]
jurisdiction = "US-MA"

[[policy.rule]]
name = "operations"
purposes = ["HOPERAT", "TREAT"]
types = ["*"]
permit = true
"#;
