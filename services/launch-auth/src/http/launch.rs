//! `GET|POST /launch/{registration}` and bare `/launch`.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{
        Path, RawQuery, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{StatusCode, header},
    response::Response,
};
use sallyport_model::Code;

use super::{
    answer::{self, see_other},
    source::{Source, form, segment},
};
use crate::{
    domain::{
        App,
        start::{Arrived, Departure, frame_ancestors, misread, start},
    },
    page,
};

/// EHRs exist whose base is over a thousand characters and whose launch token is a whole document.
const PARAMETER_MAX: usize = 8_192;

type PathText = Result<Path<String>, PathRejection>;
type Form = Result<Bytes, BytesRejection>;

pub(super) async fn bare(app: State<Arc<App>>, source: Source, RawQuery(query): RawQuery) -> Response {
    handle(&app, &source, None, Ok(query.unwrap_or_default().into())).await
}

pub(super) async fn bare_post(app: State<Arc<App>>, source: Source, body: Form) -> Response {
    handle(&app, &source, None, form(body)).await
}

pub(super) async fn registered(
    app: State<Arc<App>>,
    path: PathText,
    source: Source,
    RawQuery(query): RawQuery,
) -> Response {
    handle(&app, &source, Some(segment(path)), Ok(query.unwrap_or_default().into())).await
}

pub(super) async fn registered_post(
    app: State<Arc<App>>,
    path: PathText,
    source: Source,
    body: Form,
) -> Response {
    handle(&app, &source, Some(segment(path)), form(body)).await
}

async fn handle(
    app: &App,
    source: &Source,
    registration: Option<String>,
    encoded: Result<Bytes, Code>,
) -> Response {
    if let Err(seconds) = app.limits.admit("launch", source.ip).await {
        app.numbers.launches.inc(&["unknown", Code::LaunchRateLimited.as_str()]);
        return limited(app, source, seconds);
    }
    let outcome = match encoded.and_then(|encoded| read(registration, &encoded)) {
        Ok(arrived) => start(app, &source.visit, arrived).await,
        Err(code) => Err(misread(app, &source.visit, code).await),
    };
    match outcome {
        Ok(departure) => leave(app, &departure),
        Err(refusal) => answer::refuse(app, source, &refusal),
    }
}

/// The refusal of a source that knocks too often, with the time to wait.
pub(super) fn limited(app: &App, source: &Source, seconds: u64) -> Response {
    let mut response = answer::refuse(app, source, &Code::LaunchRateLimited.into());
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

/// `iss` and `launch`, each at most once; other parameters are nobody's business.
fn read(registration: Option<String>, encoded: &[u8]) -> Result<Arrived, Code> {
    let mut arrived = Arrived { registration, ..Arrived::default() };
    for (name, value) in url::form_urlencoded::parse(encoded) {
        let slot = match name.as_ref() {
            "iss" => &mut arrived.iss,
            "launch" => &mut arrived.launch,
            _ => continue,
        };
        let is_fit = value.len() <= PARAMETER_MAX && !value.chars().any(char::is_control);
        if !is_fit || slot.is_some() {
            return Err(Code::LaunchParameterInvalid);
        }
        if !value.is_empty() {
            *slot = Some(value.into_owned());
        }
    }
    Ok(arrived)
}

pub(super) fn leave(app: &App, departure: &Departure) -> Response {
    let cookies = std::slice::from_ref(&departure.set_cookie);
    let parameters: Vec<(&str, &str)> =
        departure.parameters.iter().map(|(name, value)| (*name, value.expose().as_str())).collect();
    if departure.is_post {
        let nonce = answer::nonce();
        let content = page::authorize_form(departure.authorize.as_str(), &parameters, &nonce);
        let ancestors = frame_ancestors(app, Some(&departure.registration));
        return answer::with_cookies(
            answer::html(StatusCode::OK, content, &nonce, &ancestors, true),
            cookies,
        );
    }
    let mut url = departure.authorize.clone();
    url.query_pairs_mut().extend_pairs(parameters);
    see_other(url.as_str(), cookies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iss_and_launch_are_read_once_and_anything_else_is_ignored() {
        let arrived = read(None, b"iss=https%3A%2F%2Fehr.example%2Fr4&launch=a%2Bb&utm=1&utm=2").unwrap();
        assert_eq!(arrived.iss.as_deref(), Some("https://ehr.example/r4"));
        assert_eq!(arrived.launch.as_deref(), Some("a+b"));
    }

    #[test]
    fn repeated_long_and_control_characters_are_refused() {
        let long = format!("iss={}", "x".repeat(PARAMETER_MAX + 1));
        for bad in ["iss=a&iss=b", "launch=a&launch=a", "iss=a%0d%0ab", long.as_str()] {
            assert_eq!(read(None, bad.as_bytes()).err(), Some(Code::LaunchParameterInvalid));
        }
    }

    #[test]
    fn an_empty_parameter_is_a_missing_one() {
        let arrived = read(None, b"iss=&launch=").unwrap();
        assert!(arrived.iss.is_none() && arrived.launch.is_none());
    }
}
