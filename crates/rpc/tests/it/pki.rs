//! Certificates made where no issuer runs.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use sallyport_model::{Clock, ServiceName, SystemClock};
use sallyport_proto::gateway::v1::fhir_gateway_client::FhirGatewayClient;
use sallyport_rpc::{
    ServerSettings, connect,
    pki::{self, PkiError, Request, dev},
    tls::Identity,
};

use crate::world::{Counting, Running, view};

fn request() -> Request {
    Request::new(&ServiceName::ALL, SystemClock.now())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_is_made_works_and_keys_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("certificates");
    let made = dev(&out, &request()).unwrap();
    assert!(made.is_new_authority);
    assert_eq!(made.leaves.len(), ServiceName::ALL.len());
    assert_eq!(mode(&out), 0o700);
    assert_eq!(mode(&out.join("ca.key")), 0o600);
    for (service, files) in &made.leaves {
        assert_eq!(mode(&files.key), 0o600);
        assert_eq!(Identity::load(files.clone()).unwrap().service(), *service);
    }
    let identity = |service| Identity::load(pki::files(&out, service)).unwrap();
    let (gateway, settings) = (identity(ServiceName::FhirGateway), ServerSettings::default());
    let server = Running::start(gateway, &Counting::named("a"), None, settings, 0).await;
    let transport = connect(identity(ServiceName::Web), ServiceName::FhirGateway, &[server.uri()]).unwrap();
    assert_eq!(view(&FhirGatewayClient::new(transport)).await.unwrap().1, "web");
}

#[test]
fn leaves_are_renewed_under_the_same_authority() {
    let folder = tempfile::tempdir().unwrap();
    dev(folder.path(), &request()).unwrap();
    let authority = std::fs::read(folder.path().join("ca.pem")).unwrap();
    let end = |service| Identity::load(pki::files(folder.path(), service)).unwrap().expires_at();
    let (web, audit) = (end(ServiceName::Web), end(ServiceName::Audit));
    let mut longer = request();
    longer.services = vec![ServiceName::Web];
    longer.leaf_validity = Duration::from_secs(365 * 24 * 3_600);
    let made = dev(folder.path(), &longer).unwrap();
    assert!(!made.is_new_authority);
    assert_eq!(std::fs::read(folder.path().join("ca.pem")).unwrap(), authority);
    assert!(end(ServiceName::Web) > web);
    assert_eq!(end(ServiceName::Audit), audit, "nobody asked for it");
}

#[test]
fn expired_leaves_are_renewed_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut past = request();
    past.now -= 200 * 24 * 3_600 * 1_000_000;
    dev(folder.path(), &past).unwrap();
    dev(folder.path(), &request()).unwrap();
    let identity = Identity::load(pki::files(folder.path(), ServiceName::Web)).unwrap();
    assert!(identity.expires_at() > SystemClock.now());
}

#[test]
fn files_of_somebody_else_are_never_overwritten() {
    for name in ["ca.pem", "ca.key", "web.pem"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), "theirs").unwrap();
        let refused = dev(folder.path(), &request()).unwrap_err();
        assert!(matches!(refused, PkiError::Foreign(_)), "{name}: {refused}");
        assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), b"theirs");
    }
    // Another authority's pair of the same make.
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    dev(one.path(), &request()).unwrap();
    dev(two.path(), &request()).unwrap();
    std::fs::copy(two.path().join("ca.key"), one.path().join("ca.key")).unwrap();
    assert!(matches!(dev(one.path(), &request()), Err(PkiError::Foreign(_))));
    let mut elsewhere = request();
    elsewhere.trust_domain = "elsewhere".to_owned();
    assert!(matches!(dev(two.path(), &elsewhere), Err(PkiError::Foreign(_))));
}
