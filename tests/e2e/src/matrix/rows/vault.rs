//! What may be asked of token-vault.

use sallyport_model::ServiceName::{FhirGateway, JobWorker, LaunchAuth, Operator, Web};
use sallyport_proto::{
    types::v1::{Selector, User, selector::By},
    vault::v1 as vault,
};

use super::{Ask, NOBODY, OTHER, Row, case, foreign, nobody, watch};

fn exchange(tenant: &str) -> Ask {
    Ask::new(&vault::ExchangeRequest {
        tenant: tenant.to_owned(),
        endpoint: "sandbox".to_owned(),
        registration: "sandbox".to_owned(),
        launch_id: NOBODY.to_vec(),
        code: "a-code".to_owned(),
        code_verifier: "a-verifier".to_owned(),
        redirect_uri: "http://localhost/callback/sandbox".to_owned(),
        token_endpoint: "http://127.0.0.1:9/token".to_owned(),
        ..vault::ExchangeRequest::default()
    })
}

fn token(tenant: &str, grant: &[u8]) -> Ask {
    let (tenant, grant_id) = (tenant.to_owned(), grant.to_vec());
    Ask::new(&vault::AccessTokenRequest { tenant, grant_id, rejected_sha256: Vec::new() })
}

fn service(tenant: &str, registration: &str) -> Ask {
    Ask::new(&vault::ClientCredentialsRequest {
        tenant: tenant.to_owned(),
        registration: registration.to_owned(),
        feature: "population-report".to_owned(),
    })
}

fn check_grant(tenant: &str, grant: &[u8], subject: &str) -> Ask {
    let user = User {
        issuer: "https://nobody.example".to_owned(),
        subject: subject.to_owned(),
        fhir_user: String::new(),
    };
    let (tenant, grant_id) = (tenant.to_owned(), grant.to_vec());
    Ask::new(&vault::CheckGrantRequest { tenant, grant_id, user: Some(user) })
}

fn withdraw(tenant: &str, by: Option<By>) -> Ask {
    let (tenant, reason) = (tenant.to_owned(), "the matrix".to_owned());
    Ask::new(&vault::RevokeRequest { tenant, selector: Some(Selector { by }), reason })
}

fn count(tenant: &str, by: Option<By>) -> Ask {
    Ask::new(&vault::CountGrantsRequest {
        tenant: tenant.to_owned(),
        selector: Some(Selector { by }),
        since: 0,
    })
}

fn introspect(tenant: &str, grant: &[u8]) -> Ask {
    Ask::new(&vault::IntrospectRequest { tenant: tenant.to_owned(), grant_id: grant.to_vec() })
}

fn rotate(reason: &str) -> Ask {
    Ask::new(&vault::RotateKeysRequest { reason: reason.to_owned(), ..vault::RotateKeysRequest::default() })
}

pub(super) const EXCHANGE: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/Exchange",
    callers: &[LaunchAuth],
    harm: |_| exchange("general"),
    cases: &[
        case(
            "a token endpoint that is not the registration's",
            |_| exchange("general"),
            "launch.discovery_drift",
        ),
        foreign("a registration of another tenant", |_| exchange(OTHER), "launch.registration_unknown"),
        case("nothing", |_| Ask::new(&vault::ExchangeRequest::default()), "request.invalid"),
    ],
};

pub(super) const ACCESS_TOKEN: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/AccessToken",
    callers: &[FhirGateway],
    harm: |f| token("general", &f.own.grant),
    cases: &[
        case("its tenant", |f| token("general", &f.own.grant), "ok"),
        foreign("another tenant", |f| token(OTHER, &f.own.grant), "grant.unknown"),
        case("revoked", |f| token("general", &f.ended.grant), "grant.revoked"),
        case("unknown", |_| token("general", &NOBODY), "grant.unknown"),
    ],
};

pub(super) const CLIENT_CREDENTIALS: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/ClientCredentials",
    callers: &[FhirGateway, JobWorker],
    harm: |_| service("general", "sandbox"),
    cases: &[
        case("not for services", |_| service("general", "sandbox"), "grant.backend_not_allowed"),
        foreign("another tenant", |_| service(OTHER, "sandbox"), "launch.registration_unknown"),
        case("unknown", |_| service("general", "nobody"), "launch.registration_unknown"),
    ],
};

pub(super) const CHECK_GRANT: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/CheckGrant",
    callers: &[JobWorker],
    harm: |f| check_grant("general", &f.own.grant, "nobody"),
    cases: &[
        case("another person's", |f| check_grant("general", &f.own.grant, "nobody"), "grant.unknown"),
        foreign("another tenant", |f| check_grant(OTHER, &f.own.grant, "nobody"), "grant.unknown"),
        case("nobody named", |f| check_grant("general", &f.own.grant, ""), "request.invalid"),
    ],
};

pub(super) const REVOKE: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/Revoke",
    callers: &[LaunchAuth, Operator],
    harm: |f| withdraw("general", Some(By::Grant(f.own.grant.clone()))),
    cases: &[
        case("a person without grants", |_| withdraw("general", Some(nobody())), "ok"),
        foreign("a grant of another tenant", |f| withdraw(OTHER, Some(By::Grant(f.own.grant.clone()))), "ok"),
        foreign("a launch of another tenant", |f| withdraw(OTHER, Some(By::Launch(f.own.id.clone()))), "ok"),
        foreign(
            "another tenant whole",
            |_| withdraw(OTHER, Some(By::Tenant("general".to_owned()))),
            "request.invalid",
        ),
        case("a selector that names nothing", |_| withdraw("general", None), "request.invalid"),
    ],
};

pub(super) const COUNT_GRANTS: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/CountGrants",
    callers: &[LaunchAuth, Operator],
    harm: |f| count("general", Some(By::Grant(f.own.grant.clone()))),
    cases: &[
        case("its tenant", |f| count("general", Some(By::Grant(f.own.grant.clone()))), "ok"),
        foreign("a grant of another tenant", |f| count(OTHER, Some(By::Grant(f.own.grant.clone()))), "ok"),
        case("a selector that names nothing", |_| count("general", None), "request.invalid"),
    ],
};

pub(super) const PUBLIC_KEYS: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/PublicKeys",
    callers: &[LaunchAuth],
    harm: |_| Ask::new(&vault::PublicKeysRequest {}),
    cases: &[case("always", |_| Ask::new(&vault::PublicKeysRequest {}), "ok")],
};

pub(super) const INTROSPECT: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/Introspect",
    callers: &[Operator],
    harm: |f| introspect("general", &f.own.grant),
    cases: &[
        case("its tenant", |f| introspect("general", &f.own.grant), "ok"),
        foreign("another tenant", |f| introspect(OTHER, &f.own.grant), "grant.unknown"),
        case("revoked", |f| introspect("general", &f.ended.grant), "grant.dead"),
        case("unknown", |_| introspect("general", &NOBODY), "grant.unknown"),
    ],
};

pub(super) const ROTATE_KEYS: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/RotateKeys",
    callers: &[Operator],
    harm: |_| rotate("the matrix"),
    cases: &[
        case("with a reason", |_| rotate("the matrix"), "ok"),
        case("without", |_| rotate(""), "request.invalid"),
    ],
};

pub(super) const KEY_STATUS: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/KeyStatus",
    callers: &[Operator],
    harm: |_| Ask::new(&vault::KeyStatusRequest {}),
    cases: &[case("any", |_| Ask::new(&vault::KeyStatusRequest {}), "ok")],
};

pub(super) const WATCH_REVOCATIONS: Row = Row {
    method: "/sallyport.vault.v1.TokenVault/WatchRevocations",
    callers: &[FhirGateway, JobWorker, Web],
    harm: watch,
    cases: &[case("from the start", watch, "ok")],
};
