//! Faults on demand: what an EHR does when it is slow, broken or wrong. Asked for by the request header
//! `X-Sandbox-Fault` (comma-separated) or by rules set over `/_admin/faults`. This module owns the rules
//! and the middleware for faults of bytes and status codes; a fault of content is carried out where that
//! content is made (FHIR search, authorization answer, token response, id token), which takes it then.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use serde::{Deserialize, Serialize};

mod kinds;
mod wire;

pub(crate) use kinds::{ExpiresIn, Fault, IdTokenFault, Stage, catalogue};
pub(crate) use wire::Reset;

use crate::profile::Profile;
use crate::request_log::Kind;
use crate::state::AppState;
use crate::throttle;

/// How long a request hangs; clients give up long before.
const HANG: Duration = Duration::from_secs(3600);

/// The header that asks for a fault in the answer to this very request.
pub(crate) const FAULT_HEADER: &str = "x-sandbox-fault";

/// A fault the FHIR handlers themselves must produce because it lies in the content of an answer;
/// everything about bytes on the wire (delay, reset, status codes, HTML, truncated bodies, redirects) is
/// done by the middleware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FhirFault {
    /// A search answers with one more entry that belongs to another patient.
    ForeignPatient,
    /// The `next` link of a searchset points at another host.
    ForeignNext,
    /// The `next` link points at the page itself.
    PageLoop,
    /// The `next` link leads to the same matches under a new address, for ever.
    PageStall,
    /// A page lacks the second half of its matches, and the way on.
    PageShort,
    /// A page tells its first match twice.
    PageDuplicate,
    /// A page that was promised is no longer kept.
    PageExpired,
    /// What an answer holds of codes, values and dates is withheld, element by element, and said to be.
    Masked,
}

/// The faults that the FHIR handlers must produce; a request extension.
#[derive(Debug, Clone, Default)]
pub(crate) struct FhirFaults(pub(crate) Vec<FhirFault>);

/// Which requests a rule is for; what is absent matches everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Match {
    pub(crate) kind: Option<Kind>,
    pub(crate) path_prefix: Option<String>,
    pub(crate) method: Option<String>,
}

/// One rule. `times` counts down with each use; absent means until deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(default, rename = "match")]
    pub(crate) matches: Match,
    pub(crate) fault: Fault,
    pub(crate) times: Option<u32>,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct FaultRules {
    rules: Mutex<Vec<Rule>>,
}

impl FaultRules {
    pub(crate) fn add(&self, rule: Rule) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    pub(crate) fn clear(&self) -> usize {
        std::mem::take(&mut *self.rules.lock().unwrap_or_else(PoisonError::into_inner)).len()
    }

    pub(crate) fn list(&self) -> Vec<Rule> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, stage: Stage, request: &FaultPoint) -> Vec<Fault> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        for rule in rules.iter_mut().filter(|rule| rule.fault.stage() == stage && request.is_matched(rule)) {
            rule.times = rule.times.map(|times| times.saturating_sub(1));
            taken.push(rule.fault);
        }
        rules.retain(|rule| rule.times != Some(0));
        taken
    }
}

/// What is known about the request when a fault is looked up; a request extension.
#[derive(Debug, Clone)]
pub(crate) struct FaultPoint {
    kind: Kind,
    path: String,
    method: Method,
    asked: Vec<Fault>,
}

impl FaultPoint {
    fn of(request: &Request) -> Self {
        let lines = request.headers().get_all(FAULT_HEADER).iter().filter_map(|value| value.to_str().ok());
        let asked =
            lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
        let path = request.uri().path().to_owned();
        Self { kind: Kind::of(&path), path, method: request.method().clone(), asked }
    }

    fn is_matched(&self, rule: &Rule) -> bool {
        let wanted = &rule.matches;
        wanted.kind.is_none_or(|kind| kind == self.kind)
            && wanted.path_prefix.as_ref().is_none_or(|prefix| self.path.starts_with(prefix.as_str()))
            && wanted.method.as_ref().is_none_or(|method| self.method.as_str().eq_ignore_ascii_case(method))
    }

    /// The faults due at this stage of this request; takes one use from each rule that applies.
    pub(crate) fn take(&self, state: &AppState, stage: Stage) -> Vec<Fault> {
        let mut due: Vec<Fault> = self.asked.iter().copied().filter(|fault| fault.stage() == stage).collect();
        due.extend(state.faults().take(stage, self));
        due
    }
}

/// Middleware: carries out faults of the wire and tells handlers about the others.
pub(crate) async fn inject(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let point = FaultPoint::of(&request);
    if !matches!(point.kind, Kind::Fhir | Kind::Oauth | Kind::Discovery) {
        request.extensions_mut().insert(point);
        return next.run(request).await;
    }
    for fault in point.take(&state, Stage::Before) {
        if let Fault::Delay(millis) = fault {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        } else if fault == Fault::Hang {
            tokio::time::sleep(HANG).await;
        } else if let Fault::TooMany(told, seconds) = fault {
            return throttle::refusal(429, told, i64::from(seconds), &state.clock().now(), &Profile::STRICT);
        } else if let Some(instead) = wire::instead(fault) {
            return instead;
        }
    }
    if point.kind == Kind::Fhir {
        let due = point.take(&state, Stage::Fhir).into_iter();
        let content = due.filter_map(|fault| if let Fault::Fhir(fault) = fault { Some(fault) } else { None });
        request.extensions_mut().insert(FhirFaults(content.collect()));
    }
    request.extensions_mut().insert(point.clone());
    let mut response = next.run(request).await;
    for fault in point.take(&state, Stage::After) {
        response = wire::after(fault, response).await;
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(path: &str, method: Method) -> FaultPoint {
        FaultPoint { kind: Kind::of(path), path: path.to_owned(), method, asked: Vec::new() }
    }

    #[test]
    fn a_rule_is_used_as_often_as_it_says_and_only_where_it_matches() {
        let rules = FaultRules::default();
        let json = r#"{"match":{"kind":"fhir","path_prefix":"/strict/general/fhir/Condition","method":"get"},
            "fault":"503","times":2}"#;
        rules.add(serde_json::from_str(json).unwrap());
        let take = |path: &str, method| rules.take(Stage::Before, &point(path, method)).len();
        assert_eq!(take("/strict/general/fhir/Patient/1", Method::GET), 0);
        assert_eq!(take("/strict/general/fhir/Condition", Method::POST), 0);
        assert_eq!(take("/strict/general/oauth/token", Method::GET), 0);
        assert_eq!(take("/strict/general/fhir/Condition", Method::GET), 1);
        assert_eq!(take("/strict/general/fhir/Condition/7", Method::GET), 1);
        assert_eq!(take("/strict/general/fhir/Condition", Method::GET), 0);
        assert!(rules.list().is_empty());
    }

    #[test]
    fn a_token_fault_is_not_used_up_by_the_authorize_request_before_it() {
        let rules = FaultRules::default();
        rules.add(serde_json::from_str(r#"{"fault":"narrowed-scope","times":1}"#).unwrap());
        let authorize = point("/strict/general/oauth/authorize", Method::GET);
        assert!(rules.take(Stage::Before, &authorize).is_empty());
        assert!(rules.take(Stage::Answer, &authorize).is_empty());
        assert_eq!(rules.take(Stage::Token, &point("/strict/general/oauth/token", Method::POST)).len(), 1);
    }
}
