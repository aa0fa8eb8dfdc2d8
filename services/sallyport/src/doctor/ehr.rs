//! Each endpoint: whether it describes itself as it was pinned, and whether its clock agrees with ours.

use std::time::Duration;

use http::header;
use jiff::fmt::rfc2822;
use sallyport_model::{Clock, SystemClock};
use sallyport_registry::{Endpoint, Registry, Tenant};
use sallyport_smart::discovery::{Requirements, Smart};

use super::report::Report;
use crate::add_endpoint::discover::fetch_configuration;

/// Beyond this, signed assertions and id_tokens are refused on one side or the other.
const TOLERABLE: Duration = Duration::from_secs(60);

pub(super) async fn look(registry: &Registry, report: &mut Report) {
    for tenant in registry.tenants() {
        for endpoint in &tenant.endpoints {
            one(tenant, endpoint, report).await;
        }
    }
}

async fn one(tenant: &Tenant, endpoint: &Endpoint, report: &mut Report) {
    let what = format!("EHR {}/{}", tenant.id, endpoint.id);
    let is_sandbox = tenant.environment.as_str() == "sandbox";
    let answer = match fetch_configuration(endpoint.base(), is_sandbox).await {
        Ok(answer) => answer,
        Err(error) => {
            let fix =
                "ask the EHR's operator, or correct fhir_base; launches go on from what was read before";
            report.bad(what, format!("{error:#}"), fix);
            return;
        }
    };
    let date = answer.headers.get(header::DATE).and_then(|value| value.to_str().ok());
    clock(&what, date, report);
    let smart = match (answer.status.as_u16(), Smart::parse(endpoint.base(), &answer.body)) {
        (200, Ok(smart)) => smart,
        (404, _) if endpoint.capability_fallback => {
            report.good(what, "no smart-configuration; its CapabilityStatement is accepted");
            return;
        }
        (status, _) => {
            let fix = "the base may be wrong, or the EHR needs capability_fallback = true";
            report.bad(what, format!("no smart-configuration (status {status})"), fix);
            return;
        }
    };
    let needs = Requirements { pkce: true, loopback_http: is_sandbox, authorize: true };
    if let Err(fault) = smart.check(needs) {
        report.bad(
            what,
            format!("launches would be refused: {fault}"),
            "the EHR's operator must change that",
        );
        return;
    }
    let places = [
        ("authorize_origins", smart.authorize.as_ref(), &endpoint.authorize_origins),
        ("token_origins", smart.token.as_ref(), &endpoint.token_origins),
        ("jwks_origins", smart.jwks.as_ref(), &endpoint.jwks_origins),
    ];
    for (key, found, pinned) in places {
        let Some(found) = found.and_then(sallyport_registry::Origin::of) else { continue };
        if !pinned.contains(&found) {
            report.bad(
                what,
                format!("names {} which is not in {key}: launches are refused", found.as_str()),
                format!("ask the EHR's operator whether it moved; if so, add it to {key} and restart"),
            );
            return;
        }
    }
    report.good(what, "describes itself as it is pinned");
}

fn clock(what: &str, date: Option<&str>, report: &mut Report) {
    // An HTTP date is one of RFC 2822 (RFC 9110 §5.6.7).
    let Some(Ok(theirs)) = date.map(|text| rfc2822::DateTimeParser::new().parse_timestamp(text)) else {
        return;
    };
    let apart = (SystemClock.now() - theirs.as_microsecond()).unsigned_abs() / 1_000_000;
    if apart > TOLERABLE.as_secs() {
        report.bad(
            format!("clock against {what}"),
            format!("{apart} s apart: assertions and id_tokens would be refused"),
            "let NTP set this machine's clock; if it is right, tell the EHR's operator",
        );
    }
}
