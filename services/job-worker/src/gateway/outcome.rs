//! What the gateway's words mean for a run.

use sallyport_model::{Code, code::Kind, planted};
use sallyport_proto::gateway::v1::{ScopeChanged, wait::Reason};

use super::Gateway;
use crate::{
    halt::{Halt, Wait},
    kinds::Fault,
};

/// After an EHR that does not answer: tried again after so long, in microseconds. Its breaker opens meanwhile and says better.
const EHR_AWAY: i64 = 5_000_000;

/// What a stable code means.
pub(super) fn fault(code: Code, gateway: &Gateway) -> Fault {
    match code {
        // The lease that went along has ended. Whether this worker has a later one is asked where it counts.
        Code::RunExpired => Halt::Later { not_before: gateway.now() + EHR_AWAY, why: Wait::Retry }.into(),
        // The authority is gone, or never fitted: the same call will never succeed.
        Code::GrantDead
        | Code::GrantRevoked
        | Code::GrantUnknown
        | Code::GrantUncertain
        | Code::GrantUnreadable
        | Code::SessionRevoked
        | Code::SessionExpired
        | Code::RunDenied
        | Code::JobScopeChanged
        | Code::FeatureUnknown
        | Code::FeatureOff
        | Code::BackendNotAllowed
        | Code::UpstreamUnauthorized
        | Code::EndpointOverrideExpired => Halt::Authority { code, scope: String::new() }.into(),
        // The EHR is away or pauses: nothing is said about this item.
        Code::UpstreamUnreachable | Code::UpstreamBusy | Code::CircuitOpen | Code::LocalLimit => {
            let why = if code == Code::CircuitOpen { Wait::Breaker } else { Wait::Vendor };
            Halt::Later { not_before: gateway.now() + EHR_AWAY, why }.into()
        }
        // A part of ours is away.
        Code::DependencyDown
        | Code::AuditUnavailable
        | Code::RevocationStale
        | Code::ClockSkew
        | Code::CallerDenied => Halt::Failed(code).into(),
        other => Fault::Item(other),
    }
}

/// Whether trying the item again can change anything.
pub(crate) fn is_for_good(code: Code) -> bool {
    matches!(code.kind(), Kind::Invalid | Kind::Denied | Kind::NotFound | Kind::TooLarge)
}

/// The granted scopes are not those that were pinned.
pub(super) fn changed(changed: &ScopeChanged) -> Halt {
    if planted!("job-narrower-scope-ignored") {
        // A planted defect: the run goes on with what is left.
        return Halt::Failed(Code::DependencyDown);
    }
    let words: Vec<String> = changed
        .lost
        .iter()
        .map(|scope| format!("-{scope}"))
        .chain(changed.added.iter().map(|scope| format!("+{scope}")))
        .collect();
    Halt::Authority { code: Code::JobScopeChanged, scope: words.join(" ") }
}

/// Why the gateway lets a run wait.
pub(super) fn why(reason: Reason) -> Wait {
    match reason {
        Reason::Ehr | Reason::Unspecified => Wait::Vendor,
        Reason::Quota | Reason::Places => Wait::Limit,
        Reason::Breaker => Wait::Breaker,
        Reason::Export => Wait::Polling,
    }
}

/// Whether others at the same endpoint must wait too. Places are this moment's, and an export is this run's own.
pub(super) fn is_the_endpoints(reason: Reason) -> bool {
    !matches!(reason, Reason::Places | Reason::Export)
}
