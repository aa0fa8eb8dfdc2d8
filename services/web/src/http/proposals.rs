//! The proposals' page and its forms.

use std::str::FromStr as _;

use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, StatusCode};
use sallyport_clinical::Section;
use sallyport_model::{Code, RegistrationId, code::Kind};
use sallyport_proto::jobs::v1::{Approve, Reject};
use serde::Deserialize;

use super::{
    handlers::{Html, refusal_in, refused_form},
    headers::Framing,
    session::Opened,
};
use crate::{
    App,
    domain::{
        page::Page,
        view::{PROPOSALS_ACTION, View},
    },
    gateway::Decision,
    pages::proposals::{self, Note},
};

/// A decision, bound to what was shown.
#[derive(Deserialize)]
pub(super) struct DecisionForm {
    token: String,
    proposal: String,
    sha256: String,
    #[serde(default)]
    base: String,
    decision: String,
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    reason: String,
}

/// `GET /chart/{launch}/proposals`.
pub(super) async fn show(State(app): State<App>, opened: Opened) -> Response {
    page(&app, &opened, &Note::Nothing, StatusCode::OK).await
}

/// `POST /chart/{launch}/proposals`: a person decides. Going back or clicking again decides nothing anew.
pub(super) async fn decide(
    State(app): State<App>,
    opened: Opened,
    headers: HeaderMap,
    Form(form): Form<DecisionForm>,
) -> Response {
    if let Some(refused) =
        refused_form(&app, &opened.session, &opened.view, &headers, (PROPOSALS_ACTION, &form.token))
    {
        return refused.into_response();
    }
    let decision = match form.decision.as_str() {
        "approve" if form.confirm != "yes" => {
            return page(&app, &opened, &Note::Unconfirmed, StatusCode::BAD_REQUEST).await;
        }
        "approve" => match hex::decode(&form.sha256) {
            Ok(payload_sha256) => Decision::Approve(Approve { payload_sha256, base_version: form.base }),
            Err(_not_ours) => return refused(&opened, Code::RequestInvalid),
        },
        "reject" if form.reason.trim().is_empty() => {
            return page(&app, &opened, &Note::NoReason, StatusCode::BAD_REQUEST).await;
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
            page(&app, &opened, &Note::Refused(code), status).await
        }
        // Whether it was written is not known here; the ledger knows.
        Err(_elapsed) => {
            page(&app, &opened, &Note::Refused(Code::WriteUnknown), StatusCode::GATEWAY_TIMEOUT).await
        }
    }
}

fn refused(opened: &Opened, code: Code) -> Response {
    refusal_in(&opened.view, code, opened.session.request_id).into_response()
}

async fn page(app: &App, Opened { session, view }: &Opened, note: &Note, status: StatusCode) -> Response {
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
    let markup = proposals::page(view, &patient, &read, note);
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
