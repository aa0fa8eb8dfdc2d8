//! What a launch costs beyond the EHR's own time: read from the product's own traces, over launches through the sandbox
//! EHR as a person makes them.

use std::path::PathBuf;

use anyhow::Context;
use sallyport::{
    demo::{Outside, browser::Browser, ehr_launch},
    ready::Ready,
};
use serde::Serialize;
use serde_json::Value;

use crate::{report::Spread, start::product, targets::Process};

/// How often.
#[derive(clap::Args, Clone)]
pub(crate) struct LaunchArgs {
    /// The product's binary; beside this one when left out.
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// How many launches, after one that fills the caches.
    #[arg(long, default_value_t = 40)]
    pub(crate) launches: usize,
}

/// What came out, in milliseconds of a launch: `/launch` and `/callback`.
#[derive(Debug, Serialize)]
pub(crate) struct Launches {
    pub(crate) launches: usize,
    /// Our spans less the calls to the EHR in them.
    pub(crate) own_ms: Spread,
    /// The calls to the EHR.
    pub(crate) ehr_ms: Spread,
}

/// Launches.
///
/// # Errors
/// When a launch does not reach the chart.
pub(crate) async fn run(args: &LaunchArgs) -> anyhow::Result<Launches> {
    let folder = tempfile::tempdir()?;
    let ready = folder.path().join("ready.json");
    let mut command = std::process::Command::new(product(args.binary.as_deref())?);
    command
        .args(["up", "--listen", "127.0.0.1:0", "--ehr-listen", "127.0.0.1:0", "--ready-file"])
        .arg(&ready);
    command.arg("--data-dir").arg(folder.path().join("data"));
    command.stdout(std::fs::File::create(folder.path().join("out"))?);
    let process = Process::start(command, folder.path(), "up")?;
    process.until_ready(&ready)?;
    let ready = Ready::read(&ready)?;
    let outside = Outside::connect(&ready).await?;
    let patients = outside.patients().await?;
    let (mut own_ms, mut ehr_ms) = (Vec::new(), Vec::new());
    for number in 0..=args.launches {
        let patient = patients.get(number % patients.len().max(1)).context("the sandbox has patients")?;
        let (own, ehr) = one(&outside, patient).await?;
        // The first one reads the EHR's configuration and keys.
        if number > 0 {
            own_ms.push(own);
            ehr_ms.push(ehr);
        }
    }
    Ok(Launches { launches: args.launches, own_ms: Spread::of(own_ms), ehr_ms: Spread::of(ehr_ms) })
}

async fn one(outside: &Outside, patient: &str) -> anyhow::Result<(f64, f64)> {
    let launched = ehr_launch(outside, &mut Browser::new(), patient).await?;
    // Records reach the log a moment later; one of the launch carries the trace that launch and callback share.
    for _ in 0..100 {
        let records = outside.records(launched.launch).await?;
        let traces = records.iter().map(|r| r.trace_id.as_str()).filter(|t| t.len() == 32);
        for trace in traces {
            let spans = outside.spans(trace).await?;
            if let Some(times) = times(&spans) {
                return Ok(times);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("no trace of the launch")
}

/// Our own and the EHR's milliseconds of a trace that holds a launch and its callback.
fn times(spans: &[Value]) -> Option<(f64, f64)> {
    let name = |span: &Value| span.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let took = |span: &Value| {
        let at = |name: &str| span.get(name).and_then(Value::as_f64);
        Some((at("end_us")? - at("start_us")?) / 1e3)
    };
    // The use case's own span: the callback's continues the launch's trace.
    let longest = |prefix: &str| {
        let found = spans.iter().filter(|s| name(s).starts_with(prefix)).filter_map(took);
        found.reduce(f64::max)
    };
    let whole = longest("launch-auth.launch")? + longest("launch-auth.callback")?;
    let calls = spans.iter().filter(|s| name(s) == "egress.http.request");
    let ehr: f64 = calls.filter_map(took).sum();
    Some((whole - ehr, ehr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ehrs_time_is_taken_out_of_ours() {
        let span = |name: &str, start: u64, end: u64| serde_json::json!({"name": name, "start_us": start, "end_us": end});
        let mut spans =
            vec![span("launch-auth.launch.start", 0, 2_000), span("egress.http.request", 6_000, 9_000)];
        assert!(times(&spans).is_none(), "without its callback a launch is not over");
        spans.push(span("launch-auth.callback.finish", 5_000, 10_000));
        assert_eq!(times(&spans), Some((4.0, 3.0)));
    }
}
