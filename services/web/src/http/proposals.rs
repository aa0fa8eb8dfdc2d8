//! The proposals' page and its forms.

use std::str::FromStr as _;

use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, StatusCode};
use sallyport_care_gaps::Edit;
use sallyport_clinical::Section;
use sallyport_model::{Code, RegistrationId, code::Kind};
use sallyport_proto::jobs::v1::{Approve, Edit as WireEdit, Reject};

use super::{
    handlers::{Html, refusal_in, refused_form},
    headers::Framing,
    session::Opened,
};
use crate::{
    App,
    domain::{
        page::Page,
        proposals::{Editing, Proposals},
        view::{PROPOSALS_ACTION, View},
    },
    gateway::Decision,
    pages::proposals::{self, Note},
};

/// A decision, bound to what was shown. Fields of edits are named `edit.` and their own name.
#[derive(Default)]
struct DecisionForm {
    token: String,
    proposal: String,
    sha256: String,
    base: String,
    decision: String,
    confirm: String,
    reason: String,
    edits: Vec<Edit>,
}

impl DecisionForm {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "token" => form.token = value,
                "proposal" => form.proposal = value,
                "sha256" => form.sha256 = value,
                "base" => form.base = value,
                "decision" => form.decision = value,
                "confirm" => form.confirm = value,
                "reason" => form.reason = value,
                other => {
                    if let Some(field) = other.strip_prefix("edit.") {
                        // Forms end lines as mail does.
                        let text = value.replace("\r\n", "\n").trim().to_owned();
                        form.edits.push(Edit { field: field.to_owned(), text });
                    }
                }
            }
        }
        form
    }

    fn editing(&self) -> Option<Editing> {
        let edits = self.edits.clone();
        (!edits.is_empty()).then(|| Editing { id: self.proposal.clone(), edits })
    }
}

/// `GET /chart/{launch}/proposals`.
pub(super) async fn show(State(app): State<App>, opened: Opened) -> Response {
    page(&app, &opened, (&Note::Nothing, None), StatusCode::OK).await
}

/// `POST /chart/{launch}/proposals`: a person decides. Going back or clicking again decides nothing anew.
pub(super) async fn decide(
    State(app): State<App>,
    opened: Opened,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let form = DecisionForm::read(fields);
    if let Some(refused) =
        refused_form(&app, &opened.session, &opened.view, &headers, (PROPOSALS_ACTION, &form.token))
    {
        return refused.into_response();
    }
    let editing = form.editing();
    let editing = editing.as_ref();
    let decision = match form.decision.as_str() {
        // Nothing is decided: the page shows what would be written, or what is wrong with the edits.
        "preview" => return page(&app, &opened, (&Note::Nothing, editing), StatusCode::OK).await,
        "approve" if form.confirm != "yes" => {
            return page(&app, &opened, (&Note::Unconfirmed, editing), StatusCode::BAD_REQUEST).await;
        }
        "approve" => match hex::decode(&form.sha256) {
            Ok(payload_sha256) => {
                let edits = form.edits.into_iter();
                let edits = edits.map(|edit| WireEdit { field: edit.field, text: edit.text }).collect();
                Decision::Approve(Approve { payload_sha256, base_version: form.base, edits })
            }
            Err(_not_ours) => return refused(&opened, Code::RequestInvalid),
        },
        "reject" if form.reason.trim().is_empty() => {
            return page(&app, &opened, (&Note::NoReason, None), StatusCode::BAD_REQUEST).await;
        }
        "reject" => Decision::Reject(Reject { reason: form.reason.trim().to_owned() }),
        _ => return refused(&opened, Code::RequestInvalid),
    };
    let Ok(id) = hex::decode(&form.proposal) else { return refused(&opened, Code::RequestInvalid) };
    let deciding = app.gateway.decide(&opened.session, id, decision);
    match tokio::time::timeout(app.page_deadline, deciding).await {
        // The page as it is now; loading it again decides nothing.
        Ok(Ok(())) => Redirect::to(&opened.view.href(Page::Proposals)).into_response(),
        Ok(Err(code)) if code.kind() == Kind::Unauthenticated => refused(&opened, code),
        Ok(Err(code)) => {
            let status =
                StatusCode::from_u16(code.kind().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            // What somebody wrote is not lost with the refusal.
            page(&app, &opened, (&Note::Refused(code), editing), status).await
        }
        // Whether it was written is not known here; the ledger knows.
        Err(_elapsed) => {
            let note = Note::Refused(Code::WriteUnknown);
            page(&app, &opened, (&note, None), StatusCode::GATEWAY_TIMEOUT).await
        }
    }
}

fn refused(opened: &Opened, code: Code) -> Response {
    refusal_in(&opened.view, code, opened.session.request_id).into_response()
}

async fn page(
    app: &App,
    Opened { session, view }: &Opened,
    (note, editing): (&Note, Option<&Editing>),
    status: StatusCode,
) -> Response {
    if !view.has_patient {
        return refusal_in(view, Code::ContextPatientMissing, session.request_id).into_response();
    }
    if !view.offers(Page::Proposals) {
        return refusal_in(view, Code::FeatureOff, session.request_id).into_response();
    }
    let reads =
        async { tokio::join!(app.gateway.chart(session, Section::Banner), app.gateway.proposals(session)) };
    let (patient, read) = match tokio::time::timeout(app.page_deadline, reads).await {
        Ok(read) => read,
        Err(_elapsed) => (Err(Code::UpstreamTimeout), Err(Code::UpstreamTimeout)),
    };
    let is_bad = |read: &Proposals| {
        let one = editing.and_then(|editing| read.all.iter().find(|one| one.id == editing.id));
        one.is_some_and(|one| one.draft(editing).is_err())
    };
    let is_refused = status == StatusCode::OK && read.as_ref().is_ok_and(is_bad);
    let status = if is_refused { StatusCode::BAD_REQUEST } else { status };
    let markup = proposals::page(view, &patient, &read, (note, editing));
    Html::with_forms(status, &Framing::By(&view.frame_ancestors), markup, &authorize_origins(app, view))
        .into_response()
}

/// Where the step-up's form leads: the browser holds the whole way of a form against the page's policy.
fn authorize_origins(app: &App, view: &View) -> Vec<String> {
    let id = RegistrationId::from_str(&view.registration).ok();
    let entry = id.and_then(|id| app.registry.registration(&id));
    let origins = entry.map(|entry| entry.endpoint.authorize_origins.iter());
    origins.into_iter().flatten().map(|origin| origin.as_str().to_owned()).collect()
}
