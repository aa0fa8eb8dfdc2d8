//! `sallyport demo`: one launch without a browser, told from outside. Every line is read back from somewhere that the
//! code under test does not write for us: the audit log, the span store, the sandbox's request log, the wire.

pub mod browser;
mod checks;
mod launch;
mod launch_form;
mod outside;
mod story;

use std::path::PathBuf;

use anyhow::Context;
use sallyport_telemetry::SpanRing;

use crate::{
    cli::{DemoArgs, UpArgs},
    compose,
    ready::Ready,
};
pub use launch::{Launched, ehr_launch, standalone_launch};
pub use outside::Outside;
pub use story::{Line, Story};

/// Runs the demonstration; `Ok(true)` when every line held.
///
/// # Errors
/// When no instance can be reached or started.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(args: DemoArgs, ring: SpanRing) -> anyhow::Result<bool> {
    let attached = args.data_dir.as_ref().and_then(|dir| Ready::read(&Ready::path_in(dir)).ok());
    let story = match attached {
        Some(ready) => tell(&ready).await?,
        None => {
            let folder = temporary()?;
            let data_dir = args.data_dir.clone().unwrap_or_else(|| folder.clone());
            let up = UpArgs {
                listen: Some("localhost:0".to_owned()),
                ehr_listen: Some("127.0.0.1:0".to_owned()),
                data_dir: Some(data_dir),
                ..UpArgs::default()
            };
            let running = compose::start(up, ring).await?;
            let story = match running.urls() {
                Some(ready) => tell(ready).await,
                None => Err(anyhow::anyhow!("the instance did not say where it is")),
            };
            running.stop().await;
            let _left_behind = std::fs::remove_dir_all(&folder);
            story?
        }
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&story)?);
    } else {
        print!("{}", story.text());
    }
    Ok(story.is_whole())
}

/// Tells the story against a running instance.
///
/// # Errors
/// When the instance or its sandbox EHR cannot be reached at all.
pub async fn tell(ready: &Ready) -> anyhow::Result<Story> {
    anyhow::ensure!(
        !ready.ehr.is_empty(),
        "this instance runs without the sandbox EHR, which the demonstration needs"
    );
    let outside = Outside::connect(ready).await?;
    let mut story = Story::default();
    checks::all(&outside, &mut story).await.context("the demonstration could not be carried out")?;
    outside.clear_faults().await?;
    Ok(story)
}

fn temporary() -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("sallyport-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}
