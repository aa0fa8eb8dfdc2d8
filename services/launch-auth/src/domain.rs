//! The use cases, one per file, over the shared [`App`].

pub(crate) mod arrive;
pub(crate) mod checks;
pub(crate) mod end;
pub(crate) mod exchange;
pub(crate) mod incident;
pub(crate) mod operators;
pub(crate) mod record;
pub(crate) mod resolve;
pub(crate) mod revoke;
pub(crate) mod start;
pub(crate) mod sweep;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sallyport_audit_client::AuditClient;
use sallyport_model::{Clock, LaunchId, RequestId, Secret};
use sallyport_registry::Registry;
use sallyport_smart::pkce::sha256;

use crate::{Config, discovery::Discovery, limits::Limits, metrics::Numbers, store::Store, vault::Vault};

/// Everything that the use cases share.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Store,
    pub(crate) discovery: Discovery,
    pub(crate) vault: Vault,
    pub(crate) audit: AuditClient,
    pub(crate) limits: Limits,
    pub(crate) numbers: Numbers,
}

/// What is known about the browser's request, whichever route it came by.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) request_id: RequestId,
    /// Stands in a frame, as the browser says (`Sec-Fetch-Dest`).
    pub(crate) is_framed: bool,
    /// The `Cookie` header. Never logged: its `Debug` is constant.
    pub(crate) cookies: Cookies,
}

/// The `Cookie` header's value.
#[derive(Clone, Default)]
pub(crate) struct Cookies(pub(crate) String);

impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[cookies]")
    }
}

/// 256 bits of the operating system's randomness, for states, nonces, verifiers and cookies.
pub(crate) fn random() -> [u8; 32] {
    let mut out = [0_u8; 32];
    #[expect(clippy::expect_used, reason = "a process without randomness must not go on")]
    aws_lc_rs::rand::fill(&mut out).expect("the operating system's random source works");
    out
}

/// A fresh secret of 43 base64url characters.
pub(crate) fn new_secret() -> Secret<String> {
    Secret::new(URL_SAFE_NO_PAD.encode(random()))
}

/// What a secret is stored as.
pub(crate) fn digest(secret: &Secret<String>) -> [u8; 32] {
    sha256(secret.expose().as_bytes())
}

/// Whether two digests are equal, in constant time.
pub(crate) fn is_equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    use subtle::ConstantTimeEq;
    a.ct_eq(b).into()
}

/// The cookie that binds a launch to the browser that started it. The name carries the random half of the launch id,
/// so that launches in two tabs do not overwrite each other.
pub(crate) fn transaction_cookie_name(launch: LaunchId) -> String {
    let handle = launch.to_string();
    format!("__Host-t-{}", handle.get(16..).unwrap_or(&handle))
}

/// `SameSite=None; Partitioned`: the launch stands in a frame of the EHR's site, and a `form_post` answer is a
/// cross-site POST, which carries no `Lax` cookie.
pub(crate) fn set_transaction_cookie(launch: LaunchId, secret: &Secret<String>, seconds: u32) -> String {
    let name = transaction_cookie_name(launch);
    format!("{name}={}; Max-Age={seconds}; {}", secret.expose(), sallyport_model::session::ATTRIBUTES)
}

impl Visit {
    /// The cookie that the launch gave to this browser, if it came back exactly once.
    pub(crate) fn transaction_cookie(&self, launch: LaunchId) -> Option<Secret<String>> {
        let name = transaction_cookie_name(launch);
        let mut found = sallyport_model::session::cookies(&self.cookies.0).filter(|(n, _)| *n == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(Secret::new(value.to_owned())),
            _ => None,
        }
    }

    /// Whether the browser sent any cookie of ours: one that does keeps cookies here.
    pub(crate) fn keeps_cookies(&self) -> bool {
        sallyport_model::session::cookies(&self.cookies.0)
            .any(|(name, _)| name.starts_with("__Host-t-") || name.starts_with("__Host-s-"))
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::TestClock;

    use super::*;

    #[test]
    fn a_doubled_transaction_cookie_is_none() {
        let clock = TestClock::at(1_700_000_000_000_000);
        let launch = LaunchId::new(&clock);
        let name = transaction_cookie_name(launch);
        let visit = |cookies: String| Visit {
            request_id: RequestId::new(&clock),
            is_framed: false,
            cookies: Cookies(cookies),
        };
        assert!(visit(format!("a=1; {name}=x")).transaction_cookie(launch).is_some());
        assert!(visit(format!("{name}=x; {name}=x")).transaction_cookie(launch).is_none());
        assert!(visit(String::new()).transaction_cookie(launch).is_none());
        assert!(!visit("other=1".to_owned()).keeps_cookies());
    }

    #[test]
    fn the_transaction_cookie_is_host_bound_partitioned_and_short_lived() {
        let launch = LaunchId::new(&TestClock::at(1_700_000_000_000_000));
        let cookie = set_transaction_cookie(launch, &Secret::new("x".to_owned()), 600);
        assert!(cookie.starts_with("__Host-t-"));
        assert!(cookie.ends_with("=x; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"));
    }

    #[test]
    fn secrets_are_43_characters_and_never_repeat() {
        let (a, b) = (new_secret(), new_secret());
        assert_eq!(a.expose().len(), 43);
        assert_ne!(a, b);
    }
}
