//! A web origin: scheme, host, port. Compared exactly, never by prefix (CVE-2026-34361 and its kin).

use url::Url;

/// `https://ehr.example` or, for sandbox tenants, `http://127.0.0.1:8090`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Origin {
    text: String,
    loopback_http: bool,
}

impl Origin {
    /// The origin of a URL: lower-case host, default port left out. `None` when it has user info or is neither https
    /// nor http on a loopback address.
    pub fn of(url: &Url) -> Option<Self> {
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let loopback_http = match url.scheme() {
            "https" => false,
            "http" if is_loopback(url) => true,
            _ => return None,
        };
        Some(Self { text: url.origin().ascii_serialization(), loopback_http })
    }

    /// As browsers print it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Plain http to this machine: only for tenants whose environment is `sandbox`.
    pub fn is_loopback_http(&self) -> bool {
        self.loopback_http
    }
}

impl TryFrom<String> for Origin {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&text).map_err(|e| format!("not an origin: {e}"))?;
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        match Self::of(&url) {
            Some(origin) if bare => Ok(origin),
            _ => {
                Err("an origin is https://host[:port], or http on a loopback address, without a path"
                    .to_owned())
            }
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Option<Origin> {
        Url::parse(text).ok().and_then(|u| Origin::of(&u))
    }

    #[test]
    fn look_alikes_are_other_origins() {
        let registered = origin("https://ehr.example/fhir").unwrap();
        for other in [
            "https://ehr.example.evil.test",
            "https://ehr.example:8443",
            "https://ehr.example.",
            "https://xehr.example",
        ] {
            assert_ne!(origin(other), Some(registered.clone()), "{other}");
        }
        assert_eq!(origin("https://EHR.example:443/x"), Some(registered));
        assert_eq!(origin("https://ehr.example@evil.test"), None);
    }

    #[test]
    fn plain_http_is_an_origin_on_loopback_only() {
        assert!(origin("http://127.0.0.1:8090").is_some_and(|o| o.is_loopback_http()));
        assert_eq!(origin("http://ehr.example"), None);
    }
}
