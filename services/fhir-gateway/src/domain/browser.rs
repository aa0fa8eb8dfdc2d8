//! Which requests of browsers are answered: only those of our own pages (Fetch Metadata; COOK-05).
//!
//! Where a browser sends no `Sec-Fetch-Site`, an `Origin` must be ours; without either, only GET is answered.

use http::{HeaderMap, Method};
use sallyport_model::Code;

/// The header by which a page says that a person did this, not a timer.
pub(crate) const ACTIVITY_HEADER: &str = "x-sallyport-activity";

/// Refuses what comes from another site.
pub(crate) fn check(method: &Method, headers: &HeaderMap, public_url: &str) -> Result<(), Code> {
    let site = header(headers, "sec-fetch-site")?;
    let origin = header(headers, "origin")?;
    let is_ours = match (site, origin) {
        (Some(site), None) => site == "same-origin",
        (Some(site), Some(origin)) => site == "same-origin" && origin == public_url,
        (None, Some(origin)) => origin == public_url,
        (None, None) => method == Method::GET,
    };
    if is_ours { Ok(()) } else { Err(Code::RequestCrossSite) }
}

/// One header value; a second one of the same name was added by somebody else.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Code> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Code::RequestCrossSite);
    }
    first.map(|value| value.to_str().map_err(|_bytes| Code::RequestCrossSite)).transpose()
}

/// Whether a person did this: the page says so, or the browser itself was sent here.
pub(crate) fn is_by_person(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
    is(ACTIVITY_HEADER, "person") || is("sec-fetch-mode", "navigate")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OURS: &str = "https://app.example";

    fn is_answered(method: &Method, pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        check(method, &headers, OURS).is_ok()
    }

    #[test]
    fn our_own_page_is_answered() {
        assert!(is_answered(&Method::GET, &[("sec-fetch-site", "same-origin")]));
        assert!(is_answered(&Method::POST, &[("sec-fetch-site", "same-origin"), ("origin", OURS)]));
        assert!(is_answered(&Method::POST, &[("origin", OURS)]));
        assert!(is_answered(&Method::GET, &[]));
    }

    #[test]
    fn every_other_site_is_refused() {
        assert!(!is_answered(&Method::GET, &[("sec-fetch-site", "cross-site")]));
        assert!(!is_answered(&Method::GET, &[("sec-fetch-site", "same-site")]));
        assert!(!is_answered(&Method::GET, &[("sec-fetch-site", "none")]));
        assert!(!is_answered(&Method::POST, &[]));
        assert!(!is_answered(&Method::GET, &[("origin", "https://app.example.evil.org")]));
        assert!(!is_answered(&Method::GET, &[("origin", "null")]));
        assert!(!is_answered(
            &Method::POST,
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")]
        ));
        assert!(!is_answered(
            &Method::GET,
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]
        ));
    }
}
