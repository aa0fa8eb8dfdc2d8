//! The default binary: `sallyport` is `sallyport up`.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use sallyport::{
    cli::{Cli, Command, UpArgs},
    compose,
    config::{self, ConfigError},
    demo, operate,
};
use sallyport_telemetry::{LogSink, Settings, SpanRing, Telemetry};

/// Configuration that cannot be used (sysexits EX_USAGE).
const EXIT_CONFIG: u8 = 64;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::from(if error.is::<ConfigError>() { EXIT_CONFIG } else { 1 })
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command's complaint goes to standard error")]
fn complain(error: &anyhow::Error) {
    eprintln!("sallyport: {error:#}");
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // One TLS library for every crate in the process; a second call can only come from a test.
    let _installed_already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    plant();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(dispatch(cli.command.unwrap_or(Command::Up(UpArgs::default()))))
}

/// Switches planted bugs on, in a build that has them.
#[cfg(feature = "planted-bugs")]
fn plant() {
    let names = std::env::var("SALLYPORT_PLANTED").unwrap_or_default();
    sallyport_model::planted::set(&names.split(',').filter(|n| !n.is_empty()).collect::<Vec<_>>());
}

#[cfg(not(feature = "planted-bugs"))]
fn plant() {}

async fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => up(args).await,
        Command::Demo(args) => {
            let telemetry = observe(None)?;
            let is_whole = demo::run(args, telemetry.ring.clone()).await?;
            telemetry.shutdown();
            Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::AddEndpoint(args) => sallyport::add_endpoint::run(args).await,
        Command::Sandbox(args) => operate::sandbox(args).await,
        Command::Audit(args) => operate::audit(args).await,
        Command::Revoke(args) => operate::revoke(args).await,
        Command::Check(args) => operate::check(&args),
        Command::Explain { code } => operate::explain(&code),
    }
}

fn observe(config: Option<&PathBuf>) -> anyhow::Result<Telemetry> {
    let section = config::load(config.map(PathBuf::as_path))?.telemetry;
    Ok(sallyport_telemetry::init(Settings {
        service: "sallyport".to_owned(),
        otlp_endpoint: (!section.otlp_endpoint.is_empty()).then_some(section.otlp_endpoint),
        sample_ratio: section.sample_ratio,
        span_ring: section.span_ring,
        log: LogSink::Stderr,
    })?)
}

#[expect(clippy::print_stdout, reason = "the command says where to look")]
async fn up(args: UpArgs) -> anyhow::Result<ExitCode> {
    let telemetry = observe(args.config.as_ref())?;
    let ring: SpanRing = telemetry.ring.clone();
    let running = compose::start(args, ring).await?;
    if let Some(urls) = running.urls() {
        println!("Sallyport is ready.");
        if !urls.ehr.is_empty() {
            println!("  Open the sandbox EHR and launch the app:  {}/", urls.ehr);
        }
        println!("  The app:                                  {}/", urls.app);
        println!("  Health, metrics, traces:                  {}/ready", urls.admin);
        println!("  Data:                                     {}", urls.data_dir.display());
        println!("Ctrl-C ends it.");
    }
    ended().await?;
    running.stop().await;
    telemetry.shutdown();
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or a polite request to end.
async fn ended() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
