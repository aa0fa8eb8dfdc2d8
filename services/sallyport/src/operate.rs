//! The operators' smaller commands.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use sallyport_model::{Clock, Code, LaunchId, SystemClock};
use sallyport_proto::{
    audit::v1::{QueryRequest, Record, audit_client::AuditClient},
    convert,
    launch::v1::{RevokeRequest, launch_auth_client::LaunchAuthClient},
    types::v1::{Selector, User, selector::By},
};
use sallyport_registry::Registry;
use sallyport_rpc::code_of;

use crate::{
    cli::{AuditArgs, CheckArgs, RevokeArgs, SandboxArgs},
    compose::DEFAULT_DATA_DIR,
    config::{self, ConfigError},
    dev_tenant, listen, operator,
};

fn data_dir(given: Option<PathBuf>) -> PathBuf {
    given.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR))
}

/// `sallyport sandbox`.
///
/// # Errors
/// When it cannot listen.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn sandbox(args: SandboxArgs) -> anyhow::Result<ExitCode> {
    let listeners = listen::bind(&args.listen).await?;
    let origin = format!("http://{}:{}", listen::host(&args.listen), listen::port(&listeners)?);
    let sandbox = sallyport_sandbox_ehr::build(sallyport_sandbox_ehr::Config {
        public_base: origin.clone(),
        seed: args.seed,
        patients: args.patients,
        import_dir: args.import,
        clients: vec![dev_tenant::client(&args.app)],
        allow_non_loopback: args.i_know_this_is_open_to_the_network,
        ..sallyport_sandbox_ehr::Config::default()
    })
    .await?;
    println!("The sandbox EHR is ready: {origin}/");
    let mut servers = tokio::task::JoinSet::new();
    for listener in listeners {
        let stopped = async {
            // Without a handler there is only the hard way to end.
            let _asked = tokio::signal::ctrl_c().await;
        };
        servers.spawn(sallyport_sandbox_ehr::serve(listener, sandbox.clone(), stopped));
    }
    while let Some(ended) = servers.join_next().await {
        ended??;
    }
    Ok(ExitCode::SUCCESS)
}

/// `sallyport audit`.
///
/// # Errors
/// When no instance answers, or the question is refused.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn audit(args: AuditArgs) -> anyhow::Result<ExitCode> {
    let transport = operator::connect(&operator::socket_in(&data_dir(args.data_dir))).await?;
    let launch = match &args.launch {
        Some(handle) => convert::id_bytes(LaunchId::parse(handle)?.uuid()),
        None => Vec::new(),
    };
    let now = SystemClock.now();
    let request = QueryRequest {
        tenant: args.tenant,
        patient: args.patient.unwrap_or_default(),
        launch_id: launch,
        trace_id: args.trace.unwrap_or_default(),
        from: args.minutes.map_or(0, |minutes| now - minutes.saturating_mul(60_000_000)),
        until: args.minutes.map_or(0, |_| now),
        limit: 1_000,
        operator: std::env::var("USER").unwrap_or_else(|_unset| "operator".to_owned()),
        reason: args.reason,
        ..QueryRequest::default()
    };
    let answer = AuditClient::new(transport).query(request).await;
    let answer = answer.map_err(|status| refusal(&status))?.into_inner();
    for record in &answer.records {
        println!("{}", line(record));
    }
    println!("{} records", answer.records.len());
    Ok(ExitCode::SUCCESS)
}

fn line(record: &Record) -> String {
    let at = jiff::Timestamp::from_microsecond(record.recorded_at).map(|t| t.to_string()).unwrap_or_default();
    format!(
        "{at}  {:<16} {:<8} {:<8} {:<12} {:<22} {:>3} {:<24} patients {} trace {}",
        record.kind().as_str_name().to_lowercase(),
        record.phase().as_str_name().to_lowercase(),
        record.outcome().as_str_name().to_lowercase(),
        record.interaction,
        record.resource_types.join(","),
        record.released,
        record.code,
        record.patients.len(),
        record.trace_id,
    )
}

/// `sallyport revoke`.
///
/// # Errors
/// When no instance answers, or the selection is refused.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn revoke(args: RevokeArgs) -> anyhow::Result<ExitCode> {
    let by = match (args.launch, args.endpoint, args.user.as_deref(), args.all) {
        (Some(handle), None, None, false) => By::Launch(convert::id_bytes(LaunchId::parse(&handle)?.uuid())),
        (None, Some(endpoint), None, false) => By::Endpoint(endpoint),
        (None, None, Some([issuer, subject]), false) => {
            By::User(User { issuer: issuer.clone(), subject: subject.clone(), fhir_user: String::new() })
        }
        (None, None, None, true) => By::Tenant(args.tenant.clone()),
        _ => bail!("say exactly one of --launch, --endpoint, --user, --all"),
    };
    let transport = operator::connect(&operator::socket_in(&data_dir(args.data_dir))).await?;
    let request =
        RevokeRequest { tenant: args.tenant, selector: Some(Selector { by: Some(by) }), reason: args.reason };
    let answer = LaunchAuthClient::new(transport).revoke(request).await;
    let answer = answer.map_err(|status| refusal(&status))?.into_inner();
    println!("ended {} launches and withdrew {} grants", answer.launches, answer.grants);
    Ok(ExitCode::SUCCESS)
}

fn refusal(status: &tonic::Status) -> anyhow::Error {
    let code = code_of(status);
    anyhow::anyhow!("{} {} ({code})", code.sentence(), code.next_step())
}

/// `sallyport check`.
///
/// # Errors
/// [`ConfigError`] at the first fault.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let config = config::load(args.config.as_deref())?;
    let folder = match config.registry.folder.as_str() {
        "" => data_dir(args.data_dir.clone()).join("tenants"),
        given => PathBuf::from(given),
    };
    let registry = if folder.exists() {
        Registry::load(&folder).map_err(|error| ConfigError(error.to_string()))?
    } else {
        Registry::from_texts(&[]).context("the built-in features cannot be read")?
    };
    for entry in registry.entries() {
        println!("{}: /launch/{} for {}", entry.tenant.name, entry.registration.id, entry.endpoint.name);
    }
    println!("{} tenants, registry {}", registry.tenants().len(), registry.hash());
    Ok(ExitCode::SUCCESS)
}

/// `sallyport explain`.
///
/// # Errors
/// When there is no such code.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub fn explain(code: &str) -> anyhow::Result<ExitCode> {
    let code =
        Code::parse(code).with_context(|| "there is no such code; codes look like launch.issuer_unknown")?;
    println!("{code} (HTTP {})\n  {}\n  {}", code.kind().http(), code.sentence(), code.next_step());
    Ok(ExitCode::SUCCESS)
}
