//! That a record is in the log: its place, and the checkpoint it leads to.

use maud::{Markup, html};
use sallyport_model::Code;
use sallyport_proto::audit::v1::{ProveRecordRequest, Record};

use super::seat::Seat;
use crate::pages::{Tone, badge, said};

/// The proof in words. Whoever trusts none of us checks it with the command that is told.
pub(super) async fn of(seat: &Seat, record: &Record) -> Result<Markup, Code> {
    let message = ProveRecordRequest {
        tenant: seat.tenant.as_str().to_owned(),
        record_id: record.record_id.clone(),
        phase: record.phase,
        reason: "console: a record's proof".to_owned(),
        ..ProveRecordRequest::default()
    };
    let mut audit = seat.app.console.audit.clone();
    let proof = match seat.answered(audit.prove_record(seat.signed(message))).await {
        Ok(proof) => proof,
        Err(Code::AuditNotSignedYet) => {
            return Ok(
                html! { p { (badge(Tone::Information, "Not signed yet")) " The next checkpoint covers it; one is made every five minutes." } },
            );
        }
        Err(code) => return Err(code),
    };
    let mut lines = proof.checkpoint.lines();
    let (origin, size) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    Ok(html! {
        p {
            (badge(Tone::Good, "In the log")) " Place " (proof.index) " of " (said(size)) ", " (proof.path.len())
            " hashes to a signed checkpoint of " code { (said(origin)) } "."
        }
        p.quiet {
            "This instance says so. To check it elsewhere: " code { "sallyport audit prove " (super::words::id(&record.record_id)) " --tenant " (seat.tenant.as_str()) }
        }
    })
}
