//! Whether a request was made by our own page: the cookie is `SameSite=None`, so it says nothing about that (COOK-05).

use axum::http::{HeaderMap, HeaderName};

/// The header that our own pages send on every call with an effect; a form of another site cannot.
pub(super) const CALL_HEADER: HeaderName = HeaderName::from_static("x-sallyport-call");

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a read comes from our own origin or from the address bar.
pub(super) fn may_read(headers: &HeaderMap) -> bool {
    match site(headers) {
        Some(site) => matches!(site, "same-origin" | "none"),
        // No CORS header of ours lets another site read the answer.
        None => true,
    }
}

/// Whether something with an effect comes from our own origin. Browsers without `Sec-Fetch-Site` send `Origin`.
pub(super) fn may_act(headers: &HeaderMap, origin: &str) -> bool {
    match site(headers) {
        Some(site) => site == "same-origin",
        None => headers.get("origin").and_then(|v| v.to_str().ok()) == Some(origin),
    }
}

fn site(headers: &HeaderMap) -> Option<&str> {
    headers.get(SEC_FETCH_SITE).map(|value| value.to_str().unwrap_or("malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://app.example";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect()
    }

    #[test]
    fn only_our_own_origin_may_act() {
        assert!(may_act(&headers(&[("sec-fetch-site", "same-origin")]), ORIGIN));
        assert!(may_act(&headers(&[("origin", ORIGIN)]), ORIGIN));
        for bad in [
            &[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://app.example.evil.test")],
            &[("origin", "null")],
            &[],
        ] {
            assert!(!may_act(&headers(bad), ORIGIN), "{bad:?}");
        }
    }

    #[test]
    fn another_site_may_not_read() {
        assert!(may_read(&headers(&[])) && may_read(&headers(&[("sec-fetch-site", "none")])));
        assert!(!may_read(&headers(&[("sec-fetch-site", "cross-site")])));
    }
}
