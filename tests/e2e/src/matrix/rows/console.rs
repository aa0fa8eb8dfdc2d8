//! What somebody at the console may call, and which right it takes. One of several is enough.

use sallyport_model::operator::Right::{self, Operate, ReadAudit, Respond, Review, See, Unmask};

/// One method.
pub(in crate::matrix) struct AtConsole {
    pub(in crate::matrix) method: &'static str,
    pub(in crate::matrix) rights: &'static [Right],
    /// What somebody with the right is told who is there for another tenant.
    pub(in crate::matrix) elsewhere: &'static str,
}

const fn at(method: &'static str, rights: &'static [Right]) -> AtConsole {
    AtConsole { method, rights, elsewhere: "console.tenant_denied" }
}

/// What is about a thing that nobody has is not found before anybody is asked whose it is.
const fn thing(method: &'static str, rights: &'static [Right], elsewhere: &'static str) -> AtConsole {
    AtConsole { method, rights, elsewhere }
}

/// Every one.
pub(in crate::matrix) const CONSOLE: &[AtConsole] = &[
    at("/sallyport.launch.v1.LaunchAuth/ListSessions", &[See]),
    at("/sallyport.launch.v1.LaunchAuth/Revoke", &[Respond]),
    at("/sallyport.launch.v1.Incidents/Plan", &[See]),
    at("/sallyport.launch.v1.Incidents/Run", &[Respond]),
    thing("/sallyport.launch.v1.Incidents/Close", &[Respond], "request.invalid"),
    // They see what is theirs.
    thing("/sallyport.launch.v1.Incidents/List", &[See], "ok"),
    at("/sallyport.launch.v1.Operators/ListOperators", &[Respond]),
    at("/sallyport.launch.v1.Operators/EndOperator", &[Respond]),
    at("/sallyport.jobs.v1.Jobs/ListJobs", &[See]),
    at("/sallyport.jobs.v1.Jobs/ListRuns", &[See]),
    thing("/sallyport.jobs.v1.Jobs/GetRun", &[See], "run.unknown"),
    at("/sallyport.jobs.v1.Jobs/DryRun", &[See]),
    at("/sallyport.jobs.v1.Jobs/ListDeadLetters", &[See]),
    at("/sallyport.jobs.v1.Jobs/CountProposals", &[See]),
    at("/sallyport.jobs.v1.Jobs/Start", &[Operate]),
    thing("/sallyport.jobs.v1.Jobs/Pause", &[Operate], "run.unknown"),
    thing("/sallyport.jobs.v1.Jobs/Resume", &[Operate], "run.unknown"),
    thing("/sallyport.jobs.v1.Jobs/Stop", &[Operate], "run.unknown"),
    thing("/sallyport.jobs.v1.Jobs/Retry", &[Operate], "run.unknown"),
    thing("/sallyport.jobs.v1.Jobs/Redrive", &[Operate], "run.unknown"),
    thing("/sallyport.jobs.v1.Jobs/WithdrawProposals", &[Operate], "run.unknown"),
    at("/sallyport.jobs.v1.Jobs/Kill", &[Operate, Respond]),
    at("/sallyport.jobs.v1.Jobs/Allow", &[Operate, Respond]),
    at("/sallyport.audit.v1.Audit/Query", &[ReadAudit]),
    at("/sallyport.audit.v1.Audit/LogStatus", &[See]),
    at("/sallyport.audit.v1.Audit/Activity", &[See]),
    at("/sallyport.audit.v1.Audit/Checkpoint", &[ReadAudit]),
    at("/sallyport.audit.v1.Audit/ProveRecord", &[ReadAudit]),
    at("/sallyport.audit.v1.Audit/Disclosures", &[Unmask]),
    at("/sallyport.audit.v1.Audit/Unmask", &[Unmask]),
    at("/sallyport.audit.v1.Audit/SaveReview", &[Review]),
    at("/sallyport.audit.v1.Audit/ListReviews", &[ReadAudit]),
    thing("/sallyport.audit.v1.Audit/SignReport", &[Respond], "ok"),
];
