//! Measures the gateway beside what could stand in its place: docs/PERFORMANCE.md says how to read the figures.
//!
//! Never a test: nothing here fails because a machine is slow. What is counted (records, syncs, hops) is checked.

mod counters;
mod cpu;
mod exports;
mod instructions;
mod launch;
mod load;
mod reads;
mod report;
mod roles;
mod sessions;
mod start;
mod targets;

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use report::Table;
use roles::{bulk, ehr, gateway};

/// The bench.
#[derive(Parser)]
#[command(name = "sallyport-bench", about)]
struct Cli {
    /// What to measure.
    #[command(subcommand)]
    command: Command,
    /// Write the figures as JSON too.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// CPU per warm read, side by side.
    Reads(reads::ReadsArgs),
    /// Time to ready and memory.
    Start(start::StartArgs),
    /// What a launch costs beyond the EHR's time.
    Launch(launch::LaunchArgs),
    /// Instructions per warm read, by valgrind.
    Instructions(instructions::InstructionsArgs),
    /// CPU and memory of a bulk export.
    Exports(exports::ExportsArgs),
    /// A role that the driver starts: the gateway.
    #[command(hide = true)]
    Gateway(gateway::GatewayArgs),
    /// A role that the driver starts: the EHR.
    #[command(hide = true)]
    Ehr,
    /// A role that the driver starts: an EHR that exports.
    #[command(hide = true)]
    Bulk(bulk::BulkArgs),
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // One TLS library for every crate in the process; a second call can only come from a test.
    let _installed_already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let mut table = Table::default();
    let figures = match cli.command {
        Command::Gateway(args) => return Box::pin(gateway::run(args)).await,
        Command::Ehr => return ehr::run().await,
        Command::Bulk(args) => return bulk::run(args).await,
        Command::Reads(args) => {
            let found = reads::run(&args).await?;
            table.heading("CPU per warm read, µs (user + system, whole process)");
            found.cost.iter().for_each(|(name, spread)| table.line(name, *spread, 1));
            table.heading("Ratios within a round");
            found.ratios.iter().for_each(|(name, spread)| table.line(name, *spread, 2));
            table.heading("fdatasync per 1,000 reads (2,000 records)");
            found.syncs.iter().for_each(|(name, spread)| table.line(name, *spread, 0));
            json!(found)
        }
        Command::Start(args) => {
            let found = start::run(&args)?;
            for start in &found {
                table.heading(start.name);
                table.line("start to ready, ms", start.ready_ms, 0);
                table.line("CPU until then, ms", start.cpu_ms, 0);
                table.line("idle, MiB resident", start.idle_mib, 1);
            }
            json!(found)
        }
        Command::Launch(args) => {
            let found = launch::run(&args).await?;
            table.heading("A launch: /launch and /callback");
            table.line("our own, ms", found.own_ms, 1);
            table.line("calls to the EHR, ms", found.ehr_ms, 1);
            json!(found)
        }
        Command::Exports(args) => {
            let found = exports::run(&args).await?;
            for export in &found {
                table.heading(&export.name);
                table.line("MB for a second of CPU", export.mb_per_core_second, 1);
                table.line("share of a RawValue pass", export.of_raw_pass, 2);
                table.line("peak, MiB resident", export.peak_mib, 1);
                table.text(&format!("{:<28}{:>10.2}", "stored for each MB", export.stored));
            }
            json!(found)
        }
        Command::Instructions(args) => {
            let found = instructions::run(&args).await?;
            table.text("\nInstructions per warm read in user space");
            found.iter().for_each(|i| table.text(&format!("{:<28}{:>10}", i.name, i.per_request)));
            json!(found)
        }
    };
    let machine = cpu::machine();
    table.text(&format!("\n{machine}"));
    table.print();
    if let Some(path) = cli.json {
        let whole = json!({ "machine": machine, "figures": figures });
        std::fs::write(path, serde_json::to_string_pretty(&whole)?)?;
    }
    Ok(())
}
