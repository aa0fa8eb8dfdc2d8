//! `sallyport audit`: questions to the log, and what somebody needs who trusts none of us.

mod anchors;
#[expect(
    clippy::indexing_slicing,
    reason = "members of JSON objects that are made there; assigning one does not panic"
)]
mod balp;
mod csv;
mod disclosures;
mod export;
pub(crate) mod plain;
mod prove;
mod query;
mod verify;

use std::{fs::File, path::Path, process::ExitCode};

use anyhow::Context;
use sallyport_audit_proof::{Keys, VerifierKey};
use sallyport_model::ServiceName;
use sallyport_proto::audit::v1::{
    LogStatusRequest, LogStatusResponse, audit_client::AuditClient, log_status_response::Log,
};
use sallyport_rpc::Transport;

use crate::{
    cli::{AuditArgs, AuditCommand, TrustArgs},
    operate::refusal,
    operator,
};

pub use disclosures::disclosures;
pub use export::export;
pub use prove::{check, prove_growth, prove_record};
pub use verify::{Verified, verify_exports, verify_instance};

/// `sallyport audit`.
///
/// # Errors
/// When no instance answers, the question is refused, or a file cannot be read or written.
pub async fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(AuditCommand::Verify(args)) => verify::run(args).await,
        Some(AuditCommand::Export(args)) => export::run(&args).await,
        Some(AuditCommand::Prove(args)) => prove::run(&args).await,
        Some(AuditCommand::Disclosures(args)) => disclosures::run(&args).await,
        Some(AuditCommand::Check(args)) => prove::run_check(&args),
        Some(AuditCommand::Keys { place }) => keys(&operator::reach(&place, ServiceName::Audit).await?).await,
        None => query::run(args.query).await,
    }
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn keys(transport: &Transport) -> anyhow::Result<ExitCode> {
    for log in status(transport, "").await?.logs {
        println!("{}", log.key);
    }
    Ok(ExitCode::SUCCESS)
}

/// Who asks, for the record.
fn asker() -> String {
    std::env::var("USER").unwrap_or_else(|_unset| "operator".to_owned())
}

/// A log's figures; of all logs without a tenant.
pub(crate) async fn status(transport: &Transport, tenant: &str) -> anyhow::Result<LogStatusResponse> {
    let request = LogStatusRequest { tenant: tenant.to_owned() };
    let answer = AuditClient::new(transport.clone()).log_status(request).await;
    Ok(answer.map_err(|status| refusal(&status))?.into_inner())
}

/// One tenant's log.
async fn log_of(transport: &Transport, tenant: &str) -> anyhow::Result<Log> {
    status(transport, tenant).await?.logs.pop().context("the instance has no such log")
}

/// Whom to believe about the log with that origin. The key is given under the name of any log of the instance, because
/// one key signs for all of them.
fn keys_for(trust: &TrustArgs, origin: &str, told: Option<&str>) -> anyhow::Result<Option<Keys>> {
    let Some(key) = trust.key.as_deref().or(told) else { return Ok(None) };
    let log = VerifierKey::parse(key).and_then(|key| key.named(origin)).context("the log's key")?;
    let witness = |text: &String| VerifierKey::parse(text).context("a witness's key");
    Ok(Some(Keys { log, witnesses: trust.witness_key.iter().map(witness).collect::<Result<_, _>>()? }))
}

/// A file of the command's own: never over another.
fn create(path: &Path) -> anyhow::Result<File> {
    File::create_new(path).with_context(|| format!("cannot make {}", path.display()))
}
