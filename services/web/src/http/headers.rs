//! The headers of every page: what may run, load and frame it, and that nobody keeps it.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Who may put a page into a frame.
pub(crate) enum Framing<'a> {
    /// These origins (a launch's own EHR).
    By(&'a [String]),
    /// Nobody.
    Nobody,
}

/// The headers of a page. `default-src 'none'` and no third party; inline style and script are not possible.
pub(crate) fn page_headers(framing: &Framing<'_>, forms: &[String]) -> HeaderMap {
    let ancestors = match framing {
        Framing::By(origins) => {
            let origins: Vec<&str> = origins.iter().map(String::as_str).filter(|o| is_origin(o)).collect();
            if origins.is_empty() { "'none'".to_owned() } else { format!("'self' {}", origins.join(" ")) }
        }
        Framing::Nobody => "'none'".to_owned(),
    };
    let forms: String = forms.iter().filter(|o| is_origin(o)).map(|origin| format!(" {origin}")).collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'{forms}; base-uri 'none'; frame-ancestors {ancestors}"
    );
    let mut headers = HeaderMap::new();
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // A proxy that collects the answer would undo painting the banner first.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers
}

/// Scheme and host and nothing that could end the directive: the values come from files, the check costs nothing.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|h| {
        !h.is_empty()
            && h.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'*'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(framing: &Framing<'_>) -> String {
        page_headers(framing, &[])[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
    }

    #[test]
    fn only_the_named_origins_may_frame_a_page() {
        let origins = ["https://ehr.example".to_owned(), "https://x; script-src *".to_owned()];
        assert!(policy(&Framing::By(&origins)).ends_with("frame-ancestors 'self' https://ehr.example"));
        let led = page_headers(&Framing::Nobody, &origins)[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(led.contains("form-action 'self' https://ehr.example; base-uri"), "{led}");
        assert!(policy(&Framing::By(&[])).ends_with("frame-ancestors 'none'"));
        assert!(
            policy(&Framing::Nobody).starts_with("default-src 'none'; script-src 'self'; style-src 'self';")
        );
    }
}
