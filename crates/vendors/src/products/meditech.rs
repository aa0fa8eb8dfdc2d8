//! MEDITECH: a host per customer, the default port in every link, and a fleet of which half answers.
//!
//! From captures of its sandbox and fleet (2026).

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("meditech", "MEDITECH");
    p.place.base_pattern = observed(text("https://<customer host>/v2/uscore/STU6"));
    p.place.tenant = observed(TenantPlace::Host);
    p.place.slash = observed(Slash::Never);
    p.place.names_default_port = observed(true);
    p.place.auth_host = observed(AuthHost::Same);
    p.place.discovery = observed(Discovery::Both);
    p.oauth.pkce = observed(Pkce::Required);
    p.oauth.audience = observed(Audience::AsReceived);
    p.oauth.methods = documented(vec![Method::Public, Method::Basic, Method::Post, Method::Assertion]);
    p.scopes.granted_may_be_refused = observed(true);
    p.scopes.wildcards = observed(false);
    p.tokens.rotation = unverified(Rotation::Unknown);
    p.search.rules = vec![observed(Rule::of(T::Observation).pages(Some(20), None))];
    p.paging.next = observed(NextLink::Cursor);
    p.paging.marks = observed(texts(&["continue"]));
    p.paging.total = observed(Total::OfPage);
    p.paging.full_url_elsewhere = observed(true);
    p.errors.bodies = observed(vec![Body::Outcome, Body::Json]);
    p.errors.correlation_headers = observed(texts(&["mtrestapi-requestid"]));
    p.bulk.kick_offs = unverified(vec![KickOff::Group]);
    p.writes.creates = observed(texts(&["Communication", "QuestionnaireResponse"]));
    p.data.releases = observed(texts(&["DSTU2", "R4"]));
    p.registration.sandbox = documented(text("https://greenfield-prod-apis.meditech.com/v2/uscore/STU6"));
    p.registration.access = documented(SandboxAccess::Approval);
    p.registration.approval =
        documented(text("by e-mail to support; service clients are reviewed at production onboarding"));
    p.registration.approval_days = unverified(None);
    p.registration.launches = observed(vec![Launch::Ehr, Launch::Provider, Launch::Patient]);
    p.registration.test_users = documented(texts(&["one account, bound by e-mail to a client id"]));
    p
}
