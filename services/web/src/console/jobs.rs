//! Jobs and their runs: what is under way, what waits and for what, what can be started.

use axum::{
    extract::{Path, Request},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use sallyport_model::{Code, operator::Right};
use sallyport_proto::jobs::v1::{DryRunRequest, Job, ListJobsRequest, ListRunsRequest, Run, StartRequest};

use super::{
    forms,
    forms::Filled,
    frame,
    frame::{Place, panel},
    seat::Seat,
    words::{self, moment},
};
use crate::pages::{Tone, badge, said};

/// Runs that are listed.
const RUNS: i32 = 100;

/// `GET /console/jobs`.
pub(super) async fn show(seat: Seat) -> Response {
    let (jobs, runs) = tokio::join!(jobs(&seat), runs(&seat));
    let content = html! {
        (panel(&seat, "Jobs", jobs))
        (panel(&seat, "Runs, the newest first", runs))
        @if !seat.may(Right::Operate) { (frame::not_allowed(&seat, "start or stop jobs")) }
    };
    frame::page(&seat, Place::Jobs, "Jobs", &content)
}

async fn jobs(seat: &Seat) -> Result<Markup, Code> {
    let mut client = seat.app.console.jobs()?;
    let message = ListJobsRequest { tenant: seat.tenant.as_str().to_owned() };
    let jobs = seat.answered(client.list_jobs(seat.signed(message))).await?.jobs;
    Ok(html! {
        @if jobs.is_empty() {
            p.state.empty { "This tenant has no jobs. They are written into its file: docs/CONFIG.md says how." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Jobs" {
                table.records {
                    thead { tr { @for title in ["Job", "What", "Where", "Identity", "Next start", "Last run", "Start"] { th scope="col" { (title) } } } }
                    tbody { @for job in &jobs { (job_row(seat, job)) } }
                }
            }
        }
    })
}

fn job_row(seat: &Seat, job: &Job) -> Markup {
    html! {
        tr {
            th scope="row" { (said(&job.title)) br; code { (said(&job.id)) } }
            td {
                (said(&job.kind)) " " span.quiet { (said(&job.stage)) " · " (said(&job.purpose)) }
                @if !job.is_on { " " (badge(Tone::Quiet, "off")) }
                @if job.is_blocked { " " (badge(Tone::Critical, "stopped for all")) }
            }
            td { (said(&job.endpoint)) }
            td { (said(&job.identity)) }
            td { @if job.next_start_at > 0 { (moment(seat, job.next_start_at)) } @else { "by hand" } }
            td { @if let Some(run) = &job.last_run { (state(run)) " " a href=(run_href(seat, run)) { "Open" } } @else { "none yet" } }
            td { @if seat.may(Right::Operate) && job.is_on { a href=(seat.href(&format!("/jobs/start/{}", job.id))) { "Start" span.visually-hidden { " " (job.title) } } } }
        }
    }
}

async fn runs(seat: &Seat) -> Result<Markup, Code> {
    let mut client = seat.app.console.jobs()?;
    let message =
        ListRunsRequest { tenant: seat.tenant.as_str().to_owned(), job: String::new(), limit: RUNS };
    let runs = seat.answered(client.list_runs(seat.signed(message))).await?.runs;
    Ok(html! {
        @if runs.is_empty() { p.state.empty { "No run yet. One begins at a job's next start, or by hand." } }
        @else { (runs_table(seat, runs.iter())) }
    })
}

/// Runs with their progress, and why they wait.
pub(super) fn runs_table<'r>(seat: &Seat, runs: impl Iterator<Item = &'r Run>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Runs" {
            table.records {
                thead { tr { @for title in ["Job", "State", "Progress", "Waits", "Started", "Run"] { th scope="col" { (title) } } } }
                tbody {
                    @for run in runs {
                        tr {
                            th scope="row" { (said(&run.job)) }
                            td { (state(run)) }
                            td { (progress(seat, run)) }
                            td { (waits(seat, run)) }
                            td { (moment(seat, run.created_at)) " " span.quiet { "by " (said(&run.started_by)) } }
                            td { a href=(run_href(seat, run)) { "Open" span.visually-hidden { " the run of " (run.job) } } }
                        }
                    }
                }
            }
        }
    }
}

fn run_href(seat: &Seat, run: &Run) -> String {
    seat.href(&format!("/jobs/runs/{}", words::id(&run.run_id)))
}

/// A run's state, and what stopped it.
pub(super) fn state(run: &Run) -> Markup {
    let tone = match (run.state.as_str(), run.code.as_str()) {
        ("done", "") => Tone::Good,
        ("running" | "paused", "") => Tone::Information,
        _ => Tone::Warning,
    };
    html! { (badge(tone, &run.state)) @if !run.code.is_empty() { " " code { (said(&run.code)) } } }
}

/// How far it is, with rate and expected end.
pub(super) fn progress(seat: &Seat, run: &Run) -> Markup {
    let Some(at) = &run.progress else { return html! { "not begun" } };
    html! {
        @if at.is_planned && at.items > 0 {
            progress max=(at.items) value=(at.items_done) aria-label={ "Progress of " (run.job) } {} " "
        }
        (at.items_done) " of " @if at.is_planned { (at.items) } @else { "as yet unknown" } " items"
        @if at.quarantined > 0 { ", " (badge(Tone::Warning, "quarantine")) " " (at.quarantined) }
        @if run.ended_at == 0 && at.items_per_minute > 0.0 { ", " (format!("{:.0}", at.items_per_minute)) " a minute" }
        @if run.ended_at == 0 && at.expected_end_at > 0 { ", done about " (moment(seat, at.expected_end_at)) }
    }
}

/// What it waits for, and until when.
pub(super) fn waits(seat: &Seat, run: &Run) -> Markup {
    let at = run.progress.as_ref().filter(|at| run.ended_at == 0 && !at.waits_for.is_empty());
    let Some(at) = at else { return html! { span.quiet { "nothing in the way" } } };
    let why = match at.waits_for.as_str() {
        "vendor" => "the EHR said when to come back",
        "limit" => "the limit of calls",
        "breaker" => "the EHR failed too often; it is left alone for a while",
        "window" => "its hours have not begun",
        "retry" => "a failed batch is tried again later",
        "polling" => "the EHR prepares its export",
        other => other,
    };
    html! { "until " (moment(seat, at.waits_until)) ": " (said(why)) }
}

/// `GET /console/jobs/start/{job}`: what a run would do.
pub(super) async fn ask_start(Path(job): Path<String>, seat: Seat) -> Response {
    let dry = dry(&seat, &job).await;
    let content = html! {
        p { a href=(seat.href("/jobs")) { "Back to the jobs" } }
        (panel(&seat, "What a run would do", dry))
        @if seat.may(Right::Operate) {
            form method="post" action=(seat.href(&format!("/jobs/start/{job}"))) {
                (forms::token(&seat, "start"))
                (forms::reason("Why you start it"))
                p { button type="submit" { "Start the run" } }
            }
        } @else { (frame::not_allowed(&seat, "start jobs")) }
    };
    frame::page(&seat, Place::Jobs, &format!("Start {job}"), &content)
}

async fn dry(seat: &Seat, job: &str) -> Result<Markup, Code> {
    let mut client = seat.app.console.jobs()?;
    let message = DryRunRequest { tenant: seat.tenant.as_str().to_owned(), job: job.to_owned() };
    let dry = seat.answered(client.dry_run(seat.signed(message))).await?;
    Ok(html! {
        dl.facts {
            dt { "Work" } dd { (dry.items) " items in " (dry.batches) " batches, about " (dry.calls) " calls" }
            dt { "Pace" } dd { @if dry.calls_per_minute > 0.0 { (format!("{:.0}", dry.calls_per_minute)) " calls a minute, set by " (said(&dry.paced_by)) } @else { "nothing sets one" } }
            @if dry.duration_seconds > 0 { dt { "Working time" } dd { (dry.duration_seconds / 60) " minutes" } }
            dt { "Earliest start" } dd { (moment(seat, dry.earliest_start_at)) }
            dt { "Needs" } dd { code { (said(&dry.required_scope)) } }
            @if !dry.optional_scope.is_empty() { dt { "Uses where granted" } dd { code { (said(&dry.optional_scope)) } } }
            @if !dry.obstacles.is_empty() { dt { "In the way" } dd { @for code in &dry.obstacles { (badge(Tone::Warning, code)) " " } } }
        }
        p.quiet { "Nothing was read from the EHR for this, and no token was asked for." }
    })
}

/// `POST /console/jobs/start/{job}`.
pub(super) async fn start(Path(job): Path<String>, seat: Seat, request: Request) -> Response {
    let filled = match Filled::of(&seat, "start", request).await {
        Ok(filled) => filled,
        Err(refused) => return refused,
    };
    let asking = async {
        if !forms::is_reason(filled.field("reason")) {
            return Err(Code::RequestInvalid);
        }
        let message = StartRequest {
            tenant: seat.tenant.as_str().to_owned(),
            job,
            reason: filled.field("reason").to_owned(),
            ..StartRequest::default()
        };
        let mut client = seat.app.console.jobs()?;
        seat.answered(client.start(seat.signed(message))).await
    };
    match asking.await {
        Ok(run) => Redirect::to(&run_href(&seat, &run)).into_response(),
        Err(code) => frame::refused(&seat, code),
    }
}
