//! What browsers meet: the public URL, its cookies, the redirect URIs, and whether the published keys can be read.

use sallyport_registry::{ClientAuth, Registry};
use url::Url;

use super::report::Report;
use crate::{add_endpoint::discover, config::File};

pub(super) async fn look(config: &File, registry: &Registry, report: &mut Report) {
    let text = match config.server.public_url.as_str() {
        "" => format!("http://{}", config.server.listen),
        given => given.trim_end_matches('/').to_owned(),
    };
    let Ok(url) = Url::parse(&text) else {
        report.bad("public URL", text, "server.public_url must be like https://app.example.org");
        return;
    };
    cookies(&url, report);
    for entry in registry.entries() {
        let uri = format!("{text}/callback/{}", entry.registration.id);
        report.good(
            format!("redirect URI {}", entry.registration.id),
            format!("{uri} must be registered as it stands"),
        );
        if entry.endpoint.frame_ancestors.is_empty() {
            report.warning(
                format!("framing {}", entry.registration.id),
                "no origin may show the app in a frame",
                "name the EHR's origins in frame_ancestors if it opens apps in a frame",
            );
        }
    }
    keys(&url, registry, report).await;
}

/// `Secure; Partitioned` cookies need https; browsers make an exception for this machine's own name.
fn cookies(url: &Url, report: &mut Report) {
    let is_local = is_this_machine(url);
    match url.scheme() {
        "https" => {
            report.good("cookie policy", format!("{url} is https: Secure; Partitioned cookies are kept"));
        }
        _ if is_local => report.warning(
            "cookie policy",
            format!("{url} is plain http: browsers keep the cookies because it is this machine"),
            "give browsers https, and its address in server.public_url, before anybody else uses it",
        ),
        _ => report.bad(
            "cookie policy",
            format!("{url} is plain http: browsers drop Secure cookies, so no launch would succeed"),
            "terminate TLS in front of the app and set server.public_url to the https address",
        ),
    }
}

fn is_this_machine(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// RFC 7517 §5.
fn is_key_set(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|json| json.get("keys").is_some())
}

async fn keys(url: &Url, registry: &Registry, report: &mut Report) {
    let is_needed =
        registry.entries().any(|entry| matches!(entry.registration.auth, ClientAuth::PrivateKeyJwt { .. }));
    let Ok(address) = url.join("/.well-known/jwks.json") else { return };
    let seen = match discover::fetch(address.clone(), is_this_machine(url)).await {
        Ok(answer) if answer.status.as_u16() == 200 && is_key_set(&answer.body) => {
            report.good("published keys", format!("{address} answers with a key set"));
            return;
        }
        Ok(answer) => format!("{address} answers {}", answer.status.as_u16()),
        Err(_) => format!("{address} cannot be reached from here"),
    };
    let fix =
        "start the instance, and let the ingress pass /.well-known/jwks.json without sign-in: EHRs read it";
    if is_needed {
        report.bad("published keys", seen, fix);
    } else {
        report.warning("published keys", format!("{seen}; no registration needs it yet"), fix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(url: &str) -> String {
        let mut report = Report::default();
        cookies(&Url::parse(url).unwrap(), &mut report);
        report.text()
    }

    #[test]
    fn plain_http_is_wrong_everywhere_but_on_this_machine() {
        assert!(verdict("https://app.example.org").starts_with("ok"));
        assert!(verdict("http://localhost:8080").starts_with("warn"));
        assert!(verdict("http://app.example.org").starts_with("WRONG"));
    }
}
