//! A sandbox EHR: an electronic health record system that plays a SMART on FHIR server for apps under
//! test, with synthetic patients, a portal to launch from, and every fault a real one shows.
//!
//! [`build`] makes a [`Sandbox`] from a [`Config`]; [`serve`] runs it on a listener. It shares no code
//! with the apps it tests, so that a mistake in theirs is not repeated here.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;

mod admin;
mod clients;
mod clinicians;
mod clock;
mod config;
mod cors;
pub mod data;
mod denied;
mod digest;
mod dress;
mod exports;
pub mod faults;
pub mod fhir;
mod grants;
mod launches;
mod oauth;
mod pages;
mod places;
mod portal;
pub mod profile;
mod request_log;
mod server;
mod state;
mod throttle;
mod written;

pub use clock::Clock;
pub use config::{Client, ClientAuth, Config};
pub use denied::Denied;
pub use places::{Endpoints, Place};
pub use profile::Profile;
pub use server::serve;
pub use state::{AppState, TokenInfo};

/// Why a sandbox could not be built or served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The public base is not an http(s) URL of an origin alone.
    #[error("public_base must be an http or https origin such as http://127.0.0.1:8090")]
    PublicBase,
    /// There is no tenant to run the EHR for.
    #[error("at least one tenant is needed, named with lower-case letters, digits and '-'")]
    Tenants,
    /// There is no profile of the configured name.
    #[error("there is no such profile: see the list of profiles in the sandbox's README")]
    Profile,
    /// The records could not be imported.
    #[error("the records could not be imported")]
    Import(#[from] data::ImportError),
    /// The signing key could not be made.
    #[error("the id token signing key could not be made")]
    Keys,
    /// The work of building was cut off.
    #[error("building the sandbox was interrupted")]
    Interrupted,
    /// The listener is reachable from other hosts.
    #[error(
        "refusing to serve on a non-loopback address: sign-in needs no password here; set allow_non_loopback"
    )]
    NonLoopback,
    /// The listener failed.
    #[error("the listener failed")]
    Listener(#[source] std::io::Error),
}

/// A built sandbox EHR.
#[derive(Clone)]
pub struct Sandbox {
    state: AppState,
}

/// Generates (and imports) the records, makes the signing key and registers the configured apps.
///
/// # Errors
/// When the configuration cannot be used, an import fails or no key can be made.
pub async fn build(config: Config) -> Result<Sandbox, Error> {
    check(&config)?;
    // Generating and importing may take a second: not on the threads that serve others.
    let work = tokio::task::spawn_blocking(move || {
        let mut records = data::Records::generate(config.seed, config.patients);
        if let Some(folder) = &config.import_dir {
            records.import(folder)?;
        }
        let keys = oauth::keys::SigningKeys::generate().map_err(|_key| Error::Keys)?;
        Ok(Sandbox { state: AppState::new(config, records, keys) })
    });
    work.await.map_err(|_interrupted| Error::Interrupted)?
}

fn check(config: &Config) -> Result<(), Error> {
    let base = url::Url::parse(&config.public_base).map_err(|_invalid| Error::PublicBase)?;
    let is_origin = base.path() == "/" && base.query().is_none() && base.fragment().is_none();
    if !matches!(base.scheme(), "http" | "https") || !is_origin || !base.username().is_empty() {
        return Err(Error::PublicBase);
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = |name: &String| !name.is_empty() && name.bytes().all(plain);
    if config.tenants.is_empty() || !config.tenants.iter().all(is_name) {
        return Err(Error::Tenants);
    }
    Profile::named(&config.profile).map(|_profile| ()).ok_or(Error::Profile)
}

impl Sandbox {
    /// All routes: portal, FHIR and OAuth of every place, control.
    pub fn router(&self) -> Router {
        let state = self.state.clone();
        let place = oauth::router()
            .nest("/fhir", fhir::router())
            .route("/bulk-files/{name}/{kind}", get(fhir::bulk::signed_file))
            .layer(from_fn_with_state(state.clone(), places::guard));
        Router::new()
            .merge(portal::router())
            .nest("/_admin", admin::router())
            .nest("/{profile}/{tenant}", place)
            .layer(from_fn_with_state(state.clone(), faults::inject))
            .layer(from_fn(cors::answer))
            .layer(from_fn_with_state(state.clone(), request_log::record))
            .with_state(state)
    }

    /// Registers (or replaces) an app while running.
    pub fn register(&self, client: Client) {
        self.state.clients().register(client);
    }

    /// The URLs of one of its EHRs.
    #[must_use]
    pub fn endpoints(&self, place: &Place) -> Endpoints {
        self.state.endpoints(place)
    }

    /// The records of one of its EHRs.
    #[must_use]
    pub fn records_at(&self, place: &Place) -> Arc<data::Records> {
        self.state.records_at(place)
    }

    /// The synthetic records that most profiles share.
    #[must_use]
    pub fn records(&self) -> Arc<data::Records> {
        Arc::clone(&self.state.records)
    }

    pub(crate) fn config(&self) -> &Config {
        self.state.config()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_base_with_a_path_or_another_scheme_is_refused() {
        for base in
            ["http://127.0.0.1:1/ehr", "ftp://host", "nonsense", "http://user@host/", "http://host/?x"]
        {
            let config = Config { public_base: base.to_owned(), ..Config::default() };
            assert!(matches!(check(&config), Err(Error::PublicBase)), "{base}");
        }
        assert!(check(&Config::default()).is_ok());
    }

    #[test]
    fn a_tenant_must_be_a_plain_path_segment() {
        for tenants in [vec![], vec!["a/b".to_owned()], vec![String::new()]] {
            let config = Config { tenants, ..Config::default() };
            assert!(matches!(check(&config), Err(Error::Tenants)));
        }
    }
}
