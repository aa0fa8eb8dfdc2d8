//! `sallyport audit verify`: the records go through the verifier, which depends on nothing of ours.

use std::{fs::File, io::BufReader, path::PathBuf, process::ExitCode};

use anyhow::Context;
use sallyport_audit_proof::{
    Anchor, ExportError, Header, Policy, Reader, Report, Spools, Verifier, verify_export,
};
use sallyport_model::ServiceName;
use sallyport_rpc::Transport;

use super::{anchors, export::Pages, keys_for, status};
use crate::{
    cli::{TrustArgs, VerifyArgs},
    operator,
};

/// Verified, and there is something to look at.
const EXIT_FINDINGS: u8 = 3;

/// What was verified, and what came of it.
#[derive(Debug)]
pub struct Verified {
    /// The reports by origin, and what the reader has to know about each.
    pub logs: Vec<(String, Report, Vec<&'static str>)>,
    /// Numbers of spools that never arrived; empty unless all logs were read together.
    pub gaps: Vec<sallyport_audit_proof::Gap>,
}

/// No key was given for a running instance.
const KEY_TOLD: &str =
    "the key was told by the instance itself; give --key to verify against one that you know";
/// No checkpoint was given.
const NOTHING_OUTSIDE: &str = "only checkpoints that the log itself holds were compared: a log that was cut off, put back or \
     written anew does not show; give --checkpoint";

impl Verified {
    /// 0, 3 or 1, as the command's help says.
    pub fn exit(&self) -> u8 {
        if self.logs.iter().any(|(_, report, _)| !report.is_verified()) {
            1
        } else if !self.gaps.is_empty() || self.logs.iter().any(|(_, report, _)| !report.findings.is_empty())
        {
            EXIT_FINDINGS
        } else {
            0
        }
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (origin, report, notes) in &self.logs {
            let verdict = if report.is_verified() { "VERIFIED" } else { "NOT VERIFIED" };
            lines.push(format!("{verdict}  {origin}"));
            let root = report.root.map(|root| root.to_string()).unwrap_or_default();
            lines.push(format!("  {} records, root {root}", report.records));
            let witnessed = match i64::try_from(report.witnessed_at) {
                Ok(at) if at > 0 => {
                    let at = jiff::Timestamp::from_second(at).map(|at| at.to_string()).unwrap_or_default();
                    format!(", witnessed {at}")
                }
                _ => String::new(),
            };
            let (count, covered) = (report.checkpoints, report.covered);
            lines.push(format!("  {count} checkpoints agree, the newest over {covered} records{witnessed}"));
            lines.extend(report.faults.iter().map(|fault| format!("  FAULT    {fault}")));
            if report.more_faults > 0 {
                lines.push(format!("  FAULT    and {} more", report.more_faults));
            }
            lines.extend(report.findings.iter().map(|finding| format!("  finding  {finding}")));
            lines.extend(notes.iter().map(|note| format!("  note     {note}")));
        }
        for gap in &self.gaps {
            lines.push(format!("finding  {}", sallyport_audit_proof::Finding::SpoolGap(gap.clone())));
        }
        lines
    }
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub(super) async fn run(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let verified = if args.export.is_empty() {
        let transport = operator::reach(&args.place, ServiceName::Audit).await?;
        let reason = args.reason.unwrap_or_default();
        verify_instance(&transport, args.tenant.as_deref(), &reason, &args.checkpoint, &args.trust).await?
    } else {
        verify_exports(&args.export, &args.checkpoint, &args.trust)?
    };
    for line in verified.lines() {
        println!("{line}");
    }
    Ok(ExitCode::from(verified.exit()))
}

/// Verifies the logs of a running instance: one, or all of them.
///
/// # Errors
/// When the instance does not answer, or a checkpoint or key cannot be read.
pub async fn verify_instance(
    transport: &Transport,
    tenant: Option<&str>,
    reason: &str,
    places: &[PathBuf],
    trust: &TrustArgs,
) -> anyhow::Result<Verified> {
    let tenants = match tenant {
        Some(tenant) => vec![tenant.to_owned()],
        None => status(transport, "").await?.logs.into_iter().map(|log| log.tenant).collect(),
    };
    let mut spools = Spools::default();
    let mut logs = Vec::new();
    for name in &tenants {
        let answer = status(transport, name).await?;
        for place in &answer.quarantined {
            spools.saw(&place.spool_id, place.spool_sequence);
        }
        let log = answer.logs.into_iter().next().context("the instance has no such log")?;
        let keys = keys_for(trust, &log.origin, Some(&log.key))?;
        let outside = anchors::load(places, &log.origin)?;
        let mut verifier = Verifier::new(name, Policy { keys, ..Policy::default() }, &mut spools);
        for anchor in &outside {
            verifier.anchor(anchor);
        }
        for note in log.checkpoints {
            verifier.anchor(&Anchor { name: "a checkpoint in the log".to_owned(), note: note.into_bytes() });
        }
        verifier.outside(u64::try_from(log.records - log.size).unwrap_or(0));
        let mut pages = Pages::new(transport, name, reason, log.size);
        while let Some(page) = pages.next().await? {
            page.iter().for_each(|leaf| verifier.record(leaf));
        }
        let mut notes = Vec::new();
        if trust.key.is_none() {
            notes.push(KEY_TOLD);
        }
        if outside.is_empty() {
            notes.push(NOTHING_OUTSIDE);
        }
        logs.push((log.origin, verifier.finish(), notes));
    }
    let gaps = if tenant.is_none() { spools.gaps() } else { Vec::new() };
    Ok(Verified { logs, gaps })
}

/// Verifies export files. Nothing is asked of any instance.
///
/// # Errors
/// When a file, a checkpoint or a key cannot be read.
pub fn verify_exports(files: &[PathBuf], places: &[PathBuf], trust: &TrustArgs) -> anyhow::Result<Verified> {
    let mut spools = Spools::default();
    let mut logs = Vec::new();
    for file in files {
        let name = || format!("cannot read {}", file.display());
        let header = header(file).with_context(name)?;
        let keys = keys_for(trust, &header.origin, None)?;
        let outside = anchors::load(places, &header.origin)?;
        let notes = if outside.is_empty() { vec![NOTHING_OUTSIDE] } else { Vec::new() };
        let policy = Policy { keys, ..Policy::default() };
        let input = BufReader::new(File::open(file).with_context(name)?);
        let report = verify_export(input, policy, &outside, &mut spools).with_context(name)?;
        logs.push((header.origin, report, notes));
    }
    // Quarantined records and logs that were not exported would look like gaps.
    Ok(Verified { logs, gaps: Vec::new() })
}

fn header(file: &PathBuf) -> Result<Header, ExportError> {
    Ok(Reader::open(BufReader::new(File::open(file)?))?.0)
}
