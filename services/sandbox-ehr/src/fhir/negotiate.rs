//! Content negotiation and the headers that every FHIR answer carries.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};
use url::form_urlencoded;

use super::{dialect::to_xml, outcome::Failure};
use crate::profile::Profile;

/// The media type of refusals.
pub(crate) const MEDIA_TYPE: &str = "application/fhir+json;fhirVersion=4.0";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Refuses what cannot be answered in FHIR JSON, echoes the request id and forbids caching.
pub(crate) async fn answer(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).cloned();
    let format = request.uri().query().and_then(format_asked);
    // The bytes of a Binary may be asked for in their own type; its reader decides. An export's files are lines of JSON and
    // asked for as such (<https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-output-file-request>).
    let is_own_type = ["/Binary/", "/bulk/"].iter().any(|folder| request.uri().path().contains(folder));
    let acceptable = match &format {
        Some(format) => is_fhir_json(format),
        None => is_own_type || accepts_json(request.headers()),
    };
    // A product that prefers XML sends it to whoever does not name JSON; nothing is unacceptable then.
    let prefers_xml =
        request.extensions().get::<&'static Profile>().is_some_and(|profile| profile.data.defaults_to_xml);
    let wants_xml = prefers_xml
        && !is_own_type
        && match format {
            Some(format) => !is_fhir_json(&format),
            None => !names_json(request.headers()),
        };
    let mut response = if wants_xml {
        as_xml(next.run(request).await).await
    } else if acceptable {
        next.run(request).await
    } else {
        Failure::NOT_ACCEPTABLE.into_response()
    };
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A resource as answer.
pub(crate) fn resource(profile: &Profile, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(profile.data.media_type));
    response
}

/// The same answer with its resource in XML.
async fn as_xml(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    match serde_json::from_slice::<serde_json::Value>(&bytes) {
        Ok(resource) if resource.is_object() => {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/fhir+xml"));
            Response::from_parts(parts, Body::from(to_xml(&resource)))
        }
        _ => Response::from_parts(parts, Body::from(bytes)),
    }
}

fn format_asked(query: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "_format")
        .map(|(_, value)| value.into_owned())
}

/// Whether FHIR JSON is among what the client accepts. No header accepts everything.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    !headers.contains_key(ACCEPT) || ranges(headers).any(|range| is_wildcard(&range) || is_fhir_json(&range))
}

fn is_wildcard(range: &str) -> bool {
    matches!(range.split(';').next().map(str::trim), Some("*/*" | "application/*"))
}

/// Whether FHIR JSON is named, not merely covered by a wildcard.
pub(crate) fn names_json(headers: &HeaderMap) -> bool {
    ranges(headers).any(|range| is_fhir_json(&range))
}

/// The accepted media ranges, without those of quality 0.
pub(crate) fn ranges(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let lines = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let ranges = lines.flat_map(|line| line.split(',')).map(|range| range.trim().to_ascii_lowercase());
    let usable = |range: &String| {
        let quality = range.split(';').filter_map(|part| part.trim().strip_prefix("q=")).next_back();
        !range.is_empty() && quality.and_then(|q| q.parse::<f32>().ok()) != Some(0.0)
    };
    ranges.filter(usable).collect::<Vec<_>>().into_iter()
}

fn is_fhir_json(range: &str) -> bool {
    // A `+` that was not encoded arrives as a space in `_format`.
    let range = range.to_ascii_lowercase().replace("fhir json", "fhir+json");
    let mut parts = range.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let version = parts.find_map(|part| part.strip_prefix("fhirversion=").map(str::to_owned));
    matches!(
        essence,
        "json" | "application/json" | "application/fhir+json" | "text/json" | "application/json+fhir"
    ) && version.is_none_or(|version| version == "4.0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(text))])
    }

    #[test]
    fn fhir_json_is_accepted_in_each_of_its_names_and_by_wildcards() {
        for ok in [
            "application/fhir+json",
            "application/json",
            "text/html, */*;q=0.1",
            "application/fhir+json; fhirVersion=4.0",
            "application/*",
        ] {
            assert!(accepts_json(&accept(ok)), "{ok}");
        }
        assert!(accepts_json(&HeaderMap::new()));
    }

    #[test]
    fn other_types_other_versions_and_quality_zero_are_not_acceptable() {
        for bad in [
            "text/html",
            "application/fhir+xml",
            "application/fhir+json;fhirVersion=3.0",
            "application/json;q=0",
        ] {
            assert!(!accepts_json(&accept(bad)), "{bad}");
        }
    }

    #[test]
    fn the_format_parameter_is_read_with_and_without_encoding_of_its_plus() {
        assert!(is_fhir_json(&format_asked("_format=application/fhir%2Bjson").unwrap()));
        assert!(is_fhir_json(&format_asked("a=b&_format=application/fhir+json").unwrap()));
        assert!(!is_fhir_json(&format_asked("_format=xml").unwrap()));
    }
}
