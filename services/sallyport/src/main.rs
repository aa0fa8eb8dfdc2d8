//! The default binary: `sallyport` is `sallyport up`.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use sallyport::{
    check,
    cli::{Cli, Command, ServeArgs, UpArgs},
    compose,
    config::{self, ConfigError},
    demo, doctor, migrate, operate, serve,
    signals::Ending,
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
            let telemetry = observe("sallyport", None)?;
            let is_whole = demo::run(args, telemetry.ring.clone()).await?;
            telemetry.shutdown();
            Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::AddEndpoint(args) => sallyport::add_endpoint::run(args).await,
        Command::Sandbox(args) => operate::sandbox(args).await,
        Command::Audit(args) => sallyport::audit::run(args).await,
        Command::Witness(args) => sallyport::witness::run(&args).await,
        Command::Console(args) => sallyport::console::run(args).await,
        Command::Revoke(args) => operate::revoke(args).await,
        Command::Incident(command) => sallyport::incident::run(command).await,
        Command::Keys(command) => sallyport::keys::run(command).await,
        Command::Tokens(command) => sallyport::tokens::run(command).await,
        Command::Jobs(command) => sallyport::jobs::run(command).await,
        Command::Pki { command } => sallyport::pki::run(command),
        Command::Serve(args) => serve_one(args).await,
        Command::Config(command) => check::run(command),
        Command::Doctor(place) => doctor::run(place).await,
        Command::Healthcheck { url } => operate::healthcheck(&url).await,
        Command::Migrate(place) => migrate::run(place).await,
        Command::Reconcile(args) => Box::pin(sallyport::reconcile::run(&args)).await,
        Command::Matrix(args) => sallyport::matrix::run(&args),
        Command::Certify(args) => Box::pin(sallyport::certify::run(args)).await,
        Command::Probe(args) => sallyport::probe::run(args).await,
        Command::Explain { code } => operate::explain(&code),
    }
}

fn observe(service: &str, config: Option<&PathBuf>) -> anyhow::Result<Telemetry> {
    let section = config::load(config.map(PathBuf::as_path))?.telemetry;
    Ok(sallyport_telemetry::init(Settings {
        service: service.to_owned(),
        otlp_endpoint: (!section.otlp_endpoint.is_empty()).then_some(section.otlp_endpoint),
        sample_ratio: section.sample_ratio,
        span_ring: section.span_ring,
        log: LogSink::Stderr,
    })?)
}

#[expect(clippy::print_stdout, reason = "the command says where to look")]
async fn up(args: UpArgs) -> anyhow::Result<ExitCode> {
    let mut ending = Ending::listen()?;
    let telemetry = observe("sallyport", args.config.as_ref())?;
    let ring: SpanRing = telemetry.ring.clone();
    let running = compose::start(args, ring).await?;
    if let Some(urls) = running.urls() {
        println!("Sallyport is ready.");
        if !urls.ehr.is_empty() {
            println!("  Open the sandbox EHR and launch the app:  {}/", urls.ehr);
        }
        println!("  The app:                                  {}/", urls.app);
        println!("  Traces, health, metrics:                  {}/traces", urls.admin);
        println!("  Data:                                     {}", urls.data_dir.display());
        println!("Ctrl-C ends it.");
    }
    ending.asked().await;
    running.stop().await;
    telemetry.shutdown();
    Ok(ExitCode::SUCCESS)
}

async fn serve_one(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let telemetry = observe(args.service.name().as_str(), args.config.as_ref())?;
    let code = Box::pin(serve::run(args, telemetry.ring.clone())).await;
    telemetry.shutdown();
    code
}
