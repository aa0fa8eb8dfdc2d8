//! What a sandbox EHR is built from: where it is reached, which synthetic records it holds, which apps are
//! registered. Plain values; reading files and flags is the binary's business.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::places::{Endpoints, Place};
use crate::profile::Profile;

/// Everything [`crate::build`] needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where browsers and apps reach the sandbox, for example `http://127.0.0.1:8090`. Every URL in
    /// discovery documents, Bundles and launches starts with it.
    pub public_base: String,
    /// Seed of the generated records; the same seed gives the same patients.
    pub seed: u64,
    /// How many patients to generate.
    pub patients: usize,
    /// A folder with Bundles (`.json`) or NDJSON to import on top of the generated records.
    pub import_dir: Option<PathBuf>,
    /// Registered apps.
    pub clients: Vec<Client>,
    /// Organisations that run this EHR, second path segment of each FHIR base; the first is the portal's.
    pub tenants: Vec<String>,
    /// Serve on an address other hosts can reach. Off by default: sign-in needs no password here.
    pub allow_non_loopback: bool,
    /// Name of the EHR product, shown on its pages.
    pub app_name: String,
    /// The profile whose EHR the portal opens with.
    pub profile: String,
    /// Another origin at which this very server is reached, for products whose authorization server is on
    /// another host. Absent: `127.0.0.1` and `localhost` stand in for each other.
    pub second_base: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_base: "http://127.0.0.1:8090".to_owned(),
            seed: 20_260_101,
            patients: 20,
            import_dir: None,
            clients: Vec::new(),
            tenants: vec!["general".to_owned(), "lakeside".to_owned()],
            allow_non_loopback: false,
            app_name: "Sandbox EHR".to_owned(),
            profile: "strict".to_owned(),
            second_base: None,
        }
    }
}

impl Config {
    /// The URLs of the EHR at a place; none where there is no such profile.
    #[must_use]
    pub fn endpoints(&self, place: &Place) -> Option<Endpoints> {
        Profile::named(&place.profile).map(|profile| Endpoints::new(self, &profile.discovery, place))
    }

    /// Whether an organisation of this name runs the EHR.
    #[must_use]
    pub fn has_tenant(&self, name: &str) -> bool {
        self.tenants.iter().any(|tenant| tenant == name)
    }

    /// Where a tenant stands in the list, from 0.
    pub(crate) fn tenant_number(&self, name: &str) -> usize {
        self.tenants.iter().position(|tenant| tenant == name).unwrap_or_default()
    }

    /// The second origin: as configured, else the other name of the loopback interface, else the first.
    #[must_use]
    pub fn other_base(&self) -> String {
        if let Some(base) = &self.second_base {
            return base.clone();
        }
        let (loopback, name) = ("://127.0.0.1", "://localhost");
        if self.public_base.contains(loopback) {
            self.public_base.replacen(loopback, name, 1)
        } else {
            self.public_base.replacen(name, loopback, 1)
        }
    }
}

/// A registered app.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its identifier.
    pub client_id: String,
    /// Its name on launch buttons and the consent page.
    pub name: String,
    /// Where an EHR launch sends the browser (with `iss` and `launch`); without them, a standalone launch.
    pub launch_url: String,
    /// Redirect URIs, compared as strings.
    pub redirect_uris: Vec<String>,
    /// How it authenticates at the token endpoint.
    pub auth: ClientAuth,
    /// Scopes it may be granted; a requested scope outside them is dropped.
    pub scopes: Vec<String>,
}

/// How a client authenticates. In JSON: `{"type": "public"}`, `{"type": "secret", "value": "…"}`,
/// `{"type": "jwks", "value": {"keys": […]}}`, `{"type": "jwks_uri", "value": "https://…"}`.
#[derive(Clone, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientAuth {
    /// No secret; PKCE alone.
    Public,
    /// A shared secret, by HTTP Basic or in the form.
    Secret(String),
    /// `private_key_jwt` with a registered JWK set.
    Jwks(serde_json::Value),
    /// `private_key_jwt` with a JWK set fetched from this URL.
    JwksUri(String),
}

impl ClientAuth {
    /// The kind as RFC 7591 names it.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Public => "none",
            Self::Secret(_) => "client_secret_basic",
            Self::Jwks(_) | Self::JwksUri(_) => "private_key_jwt",
        }
    }
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_origin_is_the_other_name_of_the_loopback_interface_unless_told() {
        let of = |base: &str, second: Option<&str>| {
            let second_base = second.map(str::to_owned);
            Config { public_base: base.to_owned(), second_base, ..Config::default() }.other_base()
        };
        assert_eq!(of("http://127.0.0.1:81", None), "http://localhost:81");
        assert_eq!(of("http://localhost:81", None), "http://127.0.0.1:81");
        assert_eq!(of("https://ehr.example", None), "https://ehr.example");
        assert_eq!(of("https://ehr.example", Some("https://auth.example")), "https://auth.example");
    }

    #[test]
    fn debug_output_of_a_client_does_not_hold_its_secret() {
        let json = r#"{"client_id":"app","name":"App","launch_url":"http://localhost/launch","redirect_uris":[],
            "auth":{"type":"secret","value":"s3cr3t-value"},"scopes":[]}"#;
        let client: Client = serde_json::from_str(json).unwrap();
        assert!(matches!(&client.auth, ClientAuth::Secret(value) if value == "s3cr3t-value"));
        assert!(!format!("{client:?}").contains("s3cr3t-value"));
    }
}
