//! One handler per address.

use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, StatusCode, request::Parts};
use maud::Markup;
use sallyport_clinical::Section;
use sallyport_model::{Code, RequestId};
use sallyport_smart::form;
use serde::Deserialize;

use super::{
    headers::{Framing, page_headers},
    session::{Opened, reference, request_id},
    stream,
};
use crate::{
    App,
    domain::{
        document::{self, Readable},
        entry,
        page::Page,
        view::{SOURCE_ACTION, View},
    },
    gateway::{RawResource, Session},
    pages,
};

/// A whole page with its status and headers.
pub(super) struct Html {
    status: StatusCode,
    headers: HeaderMap,
    markup: Markup,
}

impl Html {
    fn new(status: StatusCode, framing: &Framing<'_>, markup: Markup) -> Self {
        Self { status, headers: page_headers(framing, &[]), markup }
    }

    /// With forms that lead to those origins too.
    pub(super) fn with_forms(
        status: StatusCode,
        framing: &Framing<'_>,
        markup: Markup,
        forms: &[String],
    ) -> Self {
        Self { status, headers: page_headers(framing, forms), markup }
    }
}

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        (self.status, self.headers, self.markup.into_string()).into_response()
    }
}

/// A refusal without a view: any registered EHR may frame it, because it holds no data and no action, and a page that
/// the browser hides tells nobody what to do.
pub(super) fn refusal(app: &App, code: Code, id: RequestId) -> Html {
    let mut origins: Vec<String> = app
        .registry
        .entries()
        .flat_map(|entry| entry.endpoint.frame_ancestors.iter().map(|o| o.as_str().to_owned()))
        .collect();
    origins.sort();
    origins.dedup();
    let status = StatusCode::from_u16(code.kind().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Html::new(status, &Framing::By(&origins), pages::error::page(code, &reference(id), None))
}

/// A refusal inside a launch: framed by its own EHR, with the way to start again.
pub(super) fn refusal_in(view: &View, code: Code, id: RequestId) -> Html {
    let status = StatusCode::from_u16(code.kind().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Html::new(
        status,
        &Framing::By(&view.frame_ancestors),
        pages::error::page(code, &reference(id), Some(view)),
    )
}

/// `/`: what this is, and where to try it.
pub(super) async fn start(State(app): State<App>) -> Html {
    let markup = pages::start::page(app.sandbox_ehr_url.as_deref());
    Html::new(StatusCode::OK, &Framing::Nobody, markup)
}

/// `/chart/{launch}` without the slash.
pub(super) async fn landing_redirect(opened: Opened) -> Redirect {
    Redirect::to(&format!("{}/", opened.view.base))
}

/// `/chart/{launch}/`: where a launch opens.
pub(super) async fn landing(State(app): State<App>, opened: Opened) -> Response {
    let page = entry::landing(&opened.view.intent, &opened.view.context);
    if page == Page::Summary || !opened.view.offers(page) {
        return show(&app, opened, Page::Summary);
    }
    Redirect::to(&opened.view.href(page)).into_response()
}

/// `/chart/{launch}/{page}`: one page of the chart.
pub(super) async fn page(
    State(app): State<App>,
    Path((_, path)): Path<(String, String)>,
    opened: Opened,
) -> Response {
    match Page::parse(&path) {
        Some(page) => show(&app, opened, page),
        None => refusal_in(&opened.view, Code::NotFound, opened.session.request_id).into_response(),
    }
}

fn show(app: &App, opened: Opened, page: Page) -> Response {
    let id = opened.session.request_id;
    if !opened.view.has_patient {
        return refusal_in(&opened.view, Code::ContextPatientMissing, id).into_response();
    }
    if !opened.view.offers(page) {
        return refusal_in(&opened.view, Code::FeatureOff, id).into_response();
    }
    let headers = page_headers(&Framing::By(&opened.view.frame_ancestors), &[]);
    let body = stream::chart(app, opened.session, opened.view, page);
    (StatusCode::OK, headers, body).into_response()
}

/// `/chart/{launch}/ended`: what the script shows in place of the chart when the session is over. Needs no session.
pub(super) async fn ended(State(app): State<App>, parts: Parts) -> Html {
    refusal(&app, Code::SessionExpired, request_id(&parts, &app))
}

/// The form behind "Show the record": in the body, because a resource's id may identify the patient and addresses end up
/// in histories and logs.
#[derive(Deserialize)]
pub(super) struct SourceForm {
    token: String,
    #[serde(rename = "ref")]
    reference: String,
}

/// `/chart/{launch}/source`: one record as the EHR sent it.
pub(super) async fn source(
    State(app): State<App>,
    opened: Opened,
    headers: HeaderMap,
    Form(form): Form<SourceForm>,
) -> Response {
    let Opened { session, view } = opened;
    if let Some(refused) = refused_form(&app, &session, &view, &headers, (SOURCE_ACTION, &form.token)) {
        return refused.into_response();
    }
    let wait = app.page_deadline;
    let reads = async {
        // The banner stands on every page with patient data; it is asked for beside the record.
        let (banner, raw) = tokio::join!(
            app.gateway.chart(&session, Section::Banner),
            app.gateway.source(&session, &form.reference)
        );
        let raw = raw?;
        let text = document_text(&app, &session, &raw).await;
        Ok((banner, raw, text))
    };
    let (banner, raw, text) = match tokio::time::timeout(wait, reads).await {
        Ok(Ok(read)) => read,
        Ok(Err(code)) => return refusal_in(&view, code, session.request_id).into_response(),
        Err(_elapsed) => return refusal_in(&view, Code::UpstreamTimeout, session.request_id).into_response(),
    };
    let markup = pages::source::page(&view, banner.as_ref(), &form.reference, &raw, text.as_ref());
    Html::new(StatusCode::OK, &Framing::By(&view.frame_ancestors), markup).into_response()
}

/// What of a document can be read; its content may be one more record.
async fn document_text(app: &App, session: &Session, raw: &RawResource) -> Option<Readable> {
    match document::readable(&raw.json)? {
        Readable::Elsewhere(reference) => match app.gateway.source(session, &reference).await {
            Ok(binary) => document::readable(&binary.json),
            Err(_said_as_absent) => Some(Readable::Nothing),
        },
        readable => Some(readable),
    }
}

/// The refusal of a form that is not this session's own or comes from another site; `None` when it counts.
pub(super) fn refused_form(
    app: &App,
    session: &Session,
    view: &View,
    headers: &HeaderMap,
    (action, token): (&str, &str),
) -> Option<Html> {
    let said = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let same_site = match (said("sec-fetch-site"), said("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == &*app.public_origin,
        (None, None) => true,
    };
    let counts = same_site && form::is_token(&session.secret, session.launch, action, token);
    (!counts).then(|| refusal_in(view, Code::RequestCrossSite, session.request_id))
}
