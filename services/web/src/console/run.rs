//! One run: progress, what it waits for, its authority, what it could not do; and each action on a page of its own that says
//! what it will do.

use axum::{
    extract::{Path, Request},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use sallyport_model::{Code, operator::Right};
use sallyport_proto::jobs::v1::{ControlRequest, GetRunRequest, ListDeadLettersRequest, RedriveRequest, Run};

use super::{
    forms,
    forms::Filled,
    frame,
    frame::{Place, panel},
    jobs,
    seat::Seat,
    words::{self, moment},
};
use crate::pages::said;

/// What can be done to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Pause,
    Resume,
    Stop,
    Retry,
    Redrive,
}

impl Action {
    const ALL: [Self; 5] = [Self::Pause, Self::Resume, Self::Stop, Self::Retry, Self::Redrive];

    fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Retry => "retry",
            Self::Redrive => "redrive",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Stop => "Stop",
            Self::Retry => "Go on from the checkpoints",
            Self::Redrive => "Try the quarantined items again",
        }
    }

    /// What it will do, before it is done.
    fn words(self) -> &'static str {
        match self {
            Self::Pause => {
                "Its workers put their batches back at the next item. Nothing is lost; it goes on when it is resumed."
            }
            Self::Resume => "It goes on where it was paused.",
            Self::Stop => {
                "It ends before its end, within one batch. What it has kept and its checkpoints stay."
            }
            Self::Retry => "It goes on from its checkpoints, if its authority is still what it pinned.",
            Self::Redrive => "Each item that could not be done is tried again as a batch of its own.",
        }
    }

    fn fits(self, run: &Run) -> bool {
        let quarantined = run.progress.as_ref().is_some_and(|at| at.quarantined > 0);
        match self {
            Self::Pause => run.state == "running",
            Self::Resume => run.state == "paused",
            Self::Stop => run.ended_at == 0 && run.state != "stopped",
            Self::Retry => run.state == "stopped",
            Self::Redrive => quarantined,
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// `GET /console/jobs/runs/{id}`.
pub(super) async fn show(Path(id): Path<String>, seat: Seat) -> Response {
    let run = match get(&seat, &id).await {
        Ok(run) => run,
        Err(code) => return frame::refused(&seat, code),
    };
    let letters = letters(&seat, &run).await;
    let content = html! {
        p { a href=(seat.href("/jobs")) { "Back to the jobs" } }
        (panel(&seat, "How far it is", Ok(facts(&seat, &run))))
        (panel(&seat, "What could not be done", letters))
        p.ways { a href=(seat.href(&format!("/audit?last=all&run={}", words::id(&run.run_id)))) { "Its records in the log" } }
    };
    frame::page(&seat, Place::Jobs, &format!("Run of {}", run.job), &content)
}

async fn get(seat: &Seat, id: &str) -> Result<Run, Code> {
    let run_id = words::id_bytes(id).ok_or(Code::NotFound)?;
    let mut client = seat.app.console.jobs()?;
    let run = seat.answered(client.get_run(seat.signed(GetRunRequest { run_id }))).await?;
    // The page stands under one tenant: a run of another is not on it.
    if run.tenant == seat.tenant.as_str() { Ok(run) } else { Err(Code::NotFound) }
}

fn facts(seat: &Seat, run: &Run) -> Markup {
    let kept = run.progress.as_ref();
    html! {
        dl.facts {
            dt { "State" } dd { (jobs::state(run)) @if !run.scope.is_empty() { " scopes: " code { (said(&run.scope)) } } }
            dt { "Progress" } dd { (jobs::progress(seat, run)) }
            dt { "Next allowed call" } dd { (jobs::waits(seat, run)) }
            dt { "Kind" } dd { (said(&run.kind)) " at " (said(&run.endpoint)) " (" (said(&run.vendor)) ")" }
            dt { "Started" } dd { (moment(seat, run.created_at)) " by " (said(&run.started_by)) ": " (said(&run.reason)) }
            @if run.ended_at > 0 { dt { "Ended" } dd { (moment(seat, run.ended_at)) } }
            @if let Some(at) = kept {
                dt { "Kept" } dd { (at.resources) " resources of " (at.subjects) " patients, " (at.calls) " calls" }
                @if at.oldest_full_read_at > 0 { dt { "Oldest full reading" } dd { (moment(seat, at.oldest_full_read_at)) } }
            }
            dt { "Pinned scopes" } dd { code { (said(&run.pinned_scope)) } }
        }
        @if seat.may(Right::Operate) {
            p.ways {
                @for action in Action::ALL.into_iter().filter(|action| action.fits(run)) {
                    a.button href=(seat.href(&format!("/jobs/runs/{}/{}", words::id(&run.run_id), action.name()))) { (action.title()) } " "
                }
            }
        } @else { (frame::not_allowed(seat, "pause or stop runs")) }
    }
}

async fn letters(seat: &Seat, run: &Run) -> Result<Markup, Code> {
    let mut client = seat.app.console.jobs()?;
    let message = ListDeadLettersRequest { tenant: run.tenant.clone(), run_id: run.run_id.clone() };
    let letters = seat.answered(client.list_dead_letters(seat.signed(message))).await?.letters;
    Ok(html! {
        @if letters.is_empty() { p.state.empty { "Nothing: every item that was tried is done." } } @else {
            table.records {
                thead { tr { @for title in ["Since", "What went wrong", "Tries", "Letter"] { th scope="col" { (title) } } } }
                tbody { @for letter in &letters { tr {
                    td { (moment(seat, letter.created_at)) } td { code { (said(&letter.code)) } }
                    td { (letter.attempts) } td { code { (words::id(&letter.letter_id)) } }
                } } }
            }
        }
    })
}

/// `GET /console/jobs/runs/{id}/{action}`: asks once.
pub(super) async fn ask(Path((id, action)): Path<(String, String)>, seat: Seat) -> Response {
    let Some(action) = Action::of(&action) else { return frame::refused(&seat, Code::NotFound) };
    let run = match get(&seat, &id).await {
        Ok(run) => run,
        Err(code) => return frame::refused(&seat, code),
    };
    let path = format!("/jobs/runs/{id}");
    let content = html! {
        p { a href=(seat.href(&path)) { "Back to the run" } }
        p { "The run of " b { (said(&run.job)) } ", " (jobs::state(&run)) ", begun " (moment(&seat, run.created_at)) "." }
        p { (action.words()) }
        @if seat.may(Right::Operate) {
            form method="post" action=(seat.href(&format!("{path}/{}", action.name()))) {
                (forms::token(&seat, action.name()))
                (forms::reason("Why (recorded)"))
                p { button type="submit" { (action.title()) } }
            }
        } @else { (frame::not_allowed(&seat, "do that")) }
    };
    frame::page(&seat, Place::Jobs, action.title(), &content)
}

/// `POST /console/jobs/runs/{id}/{action}`.
pub(super) async fn act(
    Path((id, action)): Path<(String, String)>,
    seat: Seat,
    request: Request,
) -> Response {
    let Some(action) = Action::of(&action) else { return frame::refused(&seat, Code::NotFound) };
    let filled = match Filled::of(&seat, action.name(), request).await {
        Ok(filled) => filled,
        Err(refused) => return refused,
    };
    match done(&seat, &id, action, filled.field("reason")).await {
        Ok(()) => Redirect::to(&seat.href(&format!("/jobs/runs/{id}"))).into_response(),
        Err(code) => frame::refused(&seat, code),
    }
}

async fn done(seat: &Seat, id: &str, action: Action, reason: &str) -> Result<(), Code> {
    if !forms::is_reason(reason) {
        return Err(Code::RequestInvalid);
    }
    let run = get(seat, id).await?;
    let mut client = seat.app.console.jobs()?;
    let reason = reason.to_owned();
    let control = ControlRequest { run_id: run.run_id.clone(), by: String::new(), reason: reason.clone() };
    match action {
        Action::Pause => seat.answered(client.pause(seat.signed(control))).await.map(drop),
        Action::Resume => seat.answered(client.resume(seat.signed(control))).await.map(drop),
        Action::Stop => seat.answered(client.stop(seat.signed(control))).await.map(drop),
        Action::Retry => seat.answered(client.retry(seat.signed(control))).await.map(drop),
        Action::Redrive => {
            let message =
                RedriveRequest { run_id: run.run_id, letter_id: Vec::new(), by: String::new(), reason };
            seat.answered(client.redrive(seat.signed(message))).await.map(drop)
        }
    }
}
