//! The overview: can people launch, do EHRs answer, do jobs move, is the log whole.

use axum::response::Response;
use maud::{Markup, html};
use sallyport_model::{Code, Micros};
use sallyport_proto::{
    audit::v1::{ActivityRequest, LogStatusRequest},
    jobs::v1::{ListJobsRequest, ListRunsRequest},
};

use super::{
    activity, frame,
    frame::{Place, panel},
    jobs,
    seat::Seat,
    words::moment,
};
use crate::pages::{Tone, badge};

const HOUR: Micros = 3_600_000_000;

/// A checkpoint older than this is late: one is made every five minutes while there is something to sign.
const LATE: Micros = 10 * 60_000_000;

/// `GET /console`.
pub(super) async fn show(seat: Seat) -> Response {
    let (activity, jobs, log) = tokio::join!(activity_of(&seat), jobs_of(&seat), log_of(&seat));
    let (launches, ehrs) = match activity {
        Ok((launches, ehrs)) => (Ok(launches), Ok(ehrs)),
        Err(code) => (Err(code), Err(code)),
    };
    let content = html! {
        (panel(&seat, "Can people launch? (last hour)", launches))
        (panel(&seat, "Do EHRs answer? (last hour)", ehrs))
        (panel(&seat, "Do jobs move?", jobs))
        (panel(&seat, "Is the audit log whole?", log))
    };
    frame::page(&seat, Place::Overview, "Overview", &content)
}

/// Another address below `/console`.
pub(super) async fn nothing_here(seat: Seat) -> Response {
    frame::refused(&seat, Code::NotFound)
}

async fn activity_of(seat: &Seat) -> Result<(Markup, Markup), Code> {
    let until = seat.times.now;
    let message =
        ActivityRequest { tenant: seat.tenant.as_str().to_owned(), from: until.saturating_sub(HOUR), until };
    let mut audit = seat.app.console.audit.clone();
    let cells = seat.answered(audit.activity(seat.signed(message))).await?.cells;
    Ok((activity::launches(&cells), activity::grid(&cells)))
}

async fn jobs_of(seat: &Seat) -> Result<Markup, Code> {
    let tenant = seat.tenant.as_str().to_owned();
    let (mut list, mut runs) = (seat.app.console.jobs()?, seat.app.console.jobs()?);
    let jobs =
        seat.answered(list.list_jobs(seat.signed(ListJobsRequest { tenant: tenant.clone() }))).await?.jobs;
    let message = ListRunsRequest { tenant, job: String::new(), limit: 100 };
    let runs = seat.answered(runs.list_runs(seat.signed(message))).await?.runs;
    let open: Vec<_> = runs.iter().filter(|run| run.ended_at == 0).collect();
    let quarantined: i64 =
        open.iter().filter_map(|run| run.progress.as_ref()).map(|progress| progress.quarantined).sum();
    Ok(html! {
        p {
            (jobs.len()) " jobs, " (open.len()) " runs under way, "
            @if quarantined > 0 { (badge(Tone::Warning, "in quarantine")) " " (quarantined) " items" } @else { "nothing in quarantine" }
            ". " a href=(seat.href("/jobs")) { "All jobs" }
        }
        @if !open.is_empty() { (jobs::runs_table(seat, open.into_iter())) }
    })
}

async fn log_of(seat: &Seat) -> Result<Markup, Code> {
    let mut audit = seat.app.console.audit.clone();
    let message = LogStatusRequest { tenant: seat.tenant.as_str().to_owned() };
    let status = seat.answered(audit.log_status(seat.signed(message))).await?;
    let Some(log) = status.logs.first() else {
        return Ok(html! { p.state.empty { "Nothing was recorded for this tenant yet." } });
    };
    let signed = log.checkpoints.first().and_then(|note| size_of(note));
    let behind = signed.map_or(log.size, |size| log.size.saturating_sub(size));
    let is_late = behind > 0 && seat.times.now.saturating_sub(log.newest_signed_at) > LATE;
    Ok(html! {
        dl.facts {
            dt { "Records" } dd {
                (log.size)
                @if log.records != log.size { " " (badge(Tone::Critical, "not all are in the log")) " " (log.records) " are in the database" }
            }
            dt { "Newest checkpoint" } dd {
                @match signed {
                    Some(size) => { "over " (size) (if size == 1 { " record, " } else { " records, " }) (moment(seat, log.newest_signed_at)) " " },
                    None => { "none yet " },
                }
                @if is_late { (badge(Tone::Warning, "late")) } @else if signed.is_some() { (badge(Tone::Good, "signed")) }
                @if behind > 0 { " " (behind) (if behind == 1 { " record waits" } else { " records wait" }) " for the next one" }
            }
            dt { "In quarantine" } dd {
                @if status.quarantined.is_empty() { "nothing" } @else { (badge(Tone::Critical, "look")) " " (status.quarantined.len()) " places" }
            }
            dt { "Signs as" } dd { code { (log.origin) } }
        }
        p.quiet {
            "A signature here says that this instance signed. Whoever trusts none of us verifies elsewhere: "
            code { "sallyport audit verify" } "."
        }
    })
}

/// How many records a checkpoint covers: its second line (C2SP tlog-checkpoint).
fn size_of(note: &str) -> Option<i64> {
    note.lines().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_says_its_size() {
        assert_eq!(size_of("sallyport/general\n4711\nroot\n\n— name sig\n"), Some(4711));
        assert_eq!(size_of(""), None);
    }
}
