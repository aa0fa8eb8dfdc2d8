//! Who asks for a page: the launch of the address and the cookie of exactly that launch.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use http::header;
use sallyport_model::{Code, LaunchId, RequestId, session::find_cookie};
use sallyport_telemetry::http::Incoming;

use crate::{App, domain::view::View, gateway::Session, pages::Reference};

use super::handlers::{Html, refusal};

/// A launch with the secret of its cookie; whether that opens anything is the gateway's to say.
pub(super) struct Signed(pub(super) Session);

/// The launch with its view: the cookie opens it.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) view: View,
}

impl FromRequestParts<App> for Signed {
    type Rejection = Html;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Html> {
        let request_id = request_id(parts, app);
        let Path(path) = Path::<std::collections::HashMap<String, String>>::from_request_parts(parts, app)
            .await
            .map_err(|_no_path| refusal(app, Code::NotFound, request_id))?;
        let handle = path.get("launch").map(String::as_str).unwrap_or_default();
        // The handle is the simple form only, so that one launch has one address.
        let launch = LaunchId::parse(handle).ok().filter(|launch| launch.to_string() == handle);
        let launch = launch.ok_or_else(|| refusal(app, Code::NotFound, request_id))?;
        let cookies: Vec<&str> =
            parts.headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).collect();
        let Some(secret) = find_cookie(&cookies.join("; "), launch) else {
            let in_frame = parts.headers.get("sec-fetch-dest").is_some_and(|d| d == "iframe" || d == "frame");
            let code = if in_frame { Code::SessionCookieBlocked } else { Code::SessionMissing };
            return Err(refusal(app, code, request_id));
        };
        Ok(Self(Session { launch, secret, request_id }))
    }
}

impl FromRequestParts<App> for Opened {
    type Rejection = Html;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Html> {
        let Signed(session) = Signed::from_request_parts(parts, app).await?;
        match app.gateway.view(&session).await {
            Ok(answer) => {
                let view = View::new(&session, answer, app.clock.now());
                Ok(Self { session, view })
            }
            Err(code) => Err(refusal(app, code, session.request_id)),
        }
    }
}

/// The outside's request id; the reference a person gives to support.
pub(crate) fn request_id(parts: &Parts, app: &App) -> RequestId {
    parts.extensions.get::<Incoming>().map_or_else(|| RequestId::new(&*app.clock), |incoming| incoming.0)
}

/// The reference of a page, as it is shown.
pub(super) fn reference(id: RequestId) -> Reference {
    Reference(id.to_string())
}
