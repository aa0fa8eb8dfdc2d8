//! `sallyport audit prove` and `check`: one record, or the growth since a checkpoint, as a file of its own.

use std::{fs, io::Write as _, path::Path, process::ExitCode};

use anyhow::{Context, bail};
use sallyport_audit_proof::{
    Checkpoint, ConsistencyProof, Hash, InclusionProof, Note, ProofFile, VerifierKey, is_report,
    verify_report,
};
use sallyport_model::ServiceName;
use sallyport_proto::audit::v1::{CheckpointRequest, Phase, ProveRecordRequest, audit_client::AuditClient};
use sallyport_rpc::Transport;

use super::{asker, create, keys_for};
use crate::{
    cli::{CheckArgs, PhaseArg, ProveArgs, TrustArgs},
    operate::refusal,
    operator,
};

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub(super) async fn run(args: &ProveArgs) -> anyhow::Result<ExitCode> {
    let transport = operator::reach(&args.place, ServiceName::Audit).await?;
    let phase = match args.phase {
        PhaseArg::Intent => Phase::Intent,
        PhaseArg::Outcome => Phase::Outcome,
        PhaseArg::Event => Phase::Event,
    };
    let proof = match (&args.record, &args.since) {
        (Some(record), _) => prove_record(&transport, &args.tenant, record, phase, &args.reason).await?,
        (None, Some(since)) => {
            let note =
                fs::read_to_string(since).with_context(|| format!("cannot read {}", since.display()))?;
            prove_growth(&transport, &args.tenant, note).await?
        }
        (None, None) => bail!("say a record's id or --since"),
    };
    match &args.out {
        Some(path) => create(path)?.write_all(proof.to_text().as_bytes())?,
        None => print!("{}", proof.to_text()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The proof that a record is in a tenant's log.
///
/// # Errors
/// When the instance does not answer, or has no such record.
pub async fn prove_record(
    transport: &Transport,
    tenant: &str,
    record: &str,
    phase: Phase,
    reason: &str,
) -> anyhow::Result<ProofFile> {
    let id: u128 = u128::from_str_radix(&record.replace('-', ""), 16).context("a record's id is a UUID")?;
    let request = ProveRecordRequest {
        tenant: tenant.to_owned(),
        record_id: id.to_be_bytes().to_vec(),
        phase: phase.into(),
        operator: asker(),
        reason: reason.to_owned(),
    };
    let answer = AuditClient::new(transport.clone()).prove_record(request).await;
    let answer = answer.map_err(|status| refusal(&status))?.into_inner();
    Ok(ProofFile::Inclusion(InclusionProof {
        record: String::from_utf8(answer.leaf).context("the record is no text")?,
        index: u64::try_from(answer.index)?,
        path: texts(&answer.path)?,
        checkpoint: answer.checkpoint,
    }))
}

/// The proof that a tenant's log only grew since a checkpoint, given as a note.
///
/// # Errors
/// When the instance does not answer, or its log is shorter than that.
pub async fn prove_growth(transport: &Transport, tenant: &str, from: String) -> anyhow::Result<ProofFile> {
    let since = Checkpoint::parse(Note::parse(from.as_bytes())?.text())?.size;
    let request = CheckpointRequest { tenant: tenant.to_owned(), since: i64::try_from(since)?, size: 0 };
    let answer = AuditClient::new(transport.clone()).checkpoint(request).await;
    let answer = answer.map_err(|status| refusal(&status))?.into_inner();
    let path = texts(&answer.path)?;
    Ok(ProofFile::Consistency(ConsistencyProof { from, path, checkpoint: answer.note }))
}

fn texts(path: &[Vec<u8>]) -> anyhow::Result<Vec<String>> {
    let text = |hash: &Vec<u8>| Hash::from_slice(hash).map(|hash| hash.to_string());
    path.iter().map(text).collect::<Option<_>>().context("the instance's proof is no list of hashes")
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub(super) fn run_check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    println!("{}", check(&args.file, &args.trust)?);
    Ok(ExitCode::SUCCESS)
}

/// Checks a proof file; what it shows, in one sentence.
///
/// # Errors
/// When it shows nothing, or no key is given.
pub fn check(file: &Path, trust: &TrustArgs) -> anyhow::Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    if is_report(&bytes) {
        let key = trust.key.as_deref().context("give --key: without a key anybody could have made it")?;
        let report = verify_report(&bytes, &VerifierKey::parse(key).context("the log's key")?)?;
        return Ok(format!("a report as {} signed it:\n{}", report.signer, report.body.trim_end()));
    }
    let proof = ProofFile::parse(&bytes)?;
    let (ProofFile::Inclusion(InclusionProof { checkpoint, .. })
    | ProofFile::Consistency(ConsistencyProof { checkpoint, .. })) = &proof;
    let origin = Checkpoint::parse(Note::parse(checkpoint.as_bytes())?.text())?.origin;
    let keys =
        keys_for(trust, &origin, None)?.context("give --key: without a key anybody could have made it")?;
    Ok(proof.verify(&keys)?)
}
