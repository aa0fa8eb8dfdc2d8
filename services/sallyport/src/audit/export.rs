//! `sallyport audit export`, and the pages that it and a verification read.

use std::{
    io::{BufWriter, Write},
    process::ExitCode,
};

use anyhow::ensure;
use sallyport_audit_proof::{Header, Writer};
use sallyport_model::ServiceName;
use sallyport_proto::audit::v1::{LeavesRequest, LeavesResponse, audit_client::AuditClient};
use sallyport_rpc::Transport;

use super::{asker, create, log_of};
use crate::{cli::ExportArgs, operate::refusal, operator};

/// How many records one page holds at most.
const PAGE: i64 = 2_000;

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub(super) async fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let transport = operator::reach(&args.place, ServiceName::Audit).await?;
    let file = BufWriter::new(create(&args.out)?);
    let (file, records) = export(&transport, &args.tenant, &args.reason, file).await?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    println!("{records} records in {}", args.out.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes a tenant's log as it is now. Returns the output and how many records it has.
///
/// # Errors
/// When the instance does not answer, or the output cannot be written.
pub async fn export<W: Write>(
    transport: &Transport,
    tenant: &str,
    reason: &str,
    output: W,
) -> anyhow::Result<(W, u64)> {
    let log = log_of(transport, tenant).await?;
    let mut export = Writer::begin(output, &Header::new(&log.origin, tenant))?;
    for note in &log.checkpoints {
        export.checkpoint(note)?;
    }
    export.outside(u64::try_from(log.records - log.size).unwrap_or(0))?;
    let mut pages = Pages::new(transport, tenant, reason, log.size);
    while let Some(page) = pages.next().await? {
        for leaf in &page {
            export.record(leaf)?;
        }
    }
    Ok(export.end()?)
}

/// A log, page by page.
pub(super) struct Pages<'a> {
    transport: &'a Transport,
    tenant: &'a str,
    reason: &'a str,
    next: i64,
    size: i64,
}

impl<'a> Pages<'a> {
    /// The records before place `size`.
    pub(super) fn new(transport: &'a Transport, tenant: &'a str, reason: &'a str, size: i64) -> Self {
        Self { transport, tenant, reason, next: 0, size }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<Vec<u8>>>> {
        if self.next >= self.size {
            return Ok(None);
        }
        let request = LeavesRequest {
            tenant: self.tenant.to_owned(),
            from: self.next,
            until: self.size.min(self.next + PAGE),
            operator: asker(),
            reason: self.reason.to_owned(),
        };
        let answer = AuditClient::new(self.transport.clone()).leaves(request).await;
        let LeavesResponse { leaves, next } = answer.map_err(|status| refusal(&status))?.into_inner();
        ensure!(next > self.next, "the instance does not get further than record {next}");
        self.next = next;
        Ok(Some(leaves))
    }
}
