//! Planted bugs: deliberate defects in the production code path that prove a safety test can fail.
//!
//! They exist only under the cargo feature `planted-bugs` and are chosen at run time by name. Without the feature
//! [`planted!`](crate::planted!) is the constant `false` and no name reaches the binary.

/// Whether the planted bug of that name is switched on. Constant `false` without the feature `planted-bugs`.
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        $crate::planted_bug!($name)
    };
}

/// Implementation of [`planted!`](crate::planted!), chosen when this crate is compiled.
#[cfg(feature = "planted-bugs")]
#[macro_export]
macro_rules! planted_bug {
    ($name:literal) => {
        $crate::planted::is_on($name)
    };
}

/// Implementation of [`planted!`](crate::planted!), chosen when this crate is compiled.
#[cfg(not(feature = "planted-bugs"))]
#[macro_export]
macro_rules! planted_bug {
    ($name:literal) => {
        false
    };
}

#[cfg(feature = "planted-bugs")]
mod switches {
    use std::sync::RwLock;

    static ON: RwLock<Vec<String>> = RwLock::new(Vec::new());

    /// Every switch there is, with the invariant it breaks (docs/ARCHITECTURE.md).
    pub const ALL: &[(&str, &str)] = &[
        ("issuer-allowlist-off", "launch: an unknown issuer is contacted"),
        ("audit-after-release", "4: data leaves before its audit record is durable"),
        ("audit-dropped", "4: a call leaves no record"),
        ("token-in-log", "1: the access token is written to the log"),
        ("token-in-span", "1: the access token is a span attribute"),
        ("token-in-error", "1: the access token is in an error answer"),
        ("token-in-metric", "1: a token fingerprint is a metric label"),
        ("token-in-panic", "1: a panic message carries the token"),
        ("token-in-queue", "1: the token rides in a queue message"),
        ("token-in-browser", "1: the access token reaches the browser"),
        ("token-in-database", "1: the access token is stored outside the vault"),
        ("patient-in-front-door-log", "1: the front-door log carries path and query"),
        ("context-missing-patient-is-any", "2: a missing patient means every patient"),
        ("foreign-patient-out", "3: returned resources are not checked"),
        ("foreign-patient-in", "3: the request's patient is not checked"),
        ("scope-unchecked", "3: the request is not checked against granted scopes"),
        ("next-link-followed-anywhere", "5: the token goes to another origin"),
        ("redirect-followed", "5: a redirect is followed with the token"),
        ("token-to-signed-address", "5: the token goes along to the signed address of a file"),
        ("manifest-followed-anywhere", "5: a file of an export is fetched wherever the manifest says"),
        ("bulk-handle-of-any-run", "5: the address of another run's or tenant's export opens"),
        ("run-scope-unchecked", "9: a run goes on under other scopes than it pinned"),
        ("look-at-anybody", "3: an endpoint is looked at through a patient who is no test patient"),
        ("run-outlives-its-lease", "9: a batch calls on after its lease has ended"),
        ("stream-outlives-its-taker", "9: a file is kept open for a worker that takes nothing any more"),
        ("bulk-lines-unchecked", "3: lines of a file are released without a look"),
        ("export-tail-kept", "9: what was written and not committed stays in an export's file"),
        ("background-pause-cut", "jobs: a run calls an EHR before the time it named"),
        ("console-form-unchecked", "console: a form from anywhere does what it says"),
        ("console-role-unchecked", "console: whoever is signed in may do what no role of theirs allows"),
        ("console-tenant-unchecked", "console: whoever is there for one tenant is told of another"),
        ("console-patients-unmasked", "console: the log is shown with its patients to whoever may read it"),
        ("unmask-unrecorded", "console: a record's patients are told and nobody knows to whom"),
        ("review-names-its-patient", "console: a review keeps in clear whose records were looked through"),
        ("console-session-immortal", "console: a session that ended opens"),
        ("cookie-of-any-launch", "6: the session of another launch opens this one"),
        ("job-fencing-ignored", "9: a worker writes under a lease that another holds"),
        ("job-batch-leased-twice", "9: a batch that one worker has in hand is given to another"),
        ("job-checkpoint-apart", "9: effects are durable before the checkpoint that accounts for them"),
        ("job-narrower-scope-ignored", "9: a run goes on with fewer scopes than it pinned"),
        ("job-retry-after-ignored", "jobs call an EHR before the time it named"),
        ("clock-skew-ignored", "services work on while their clock is wrong"),
        ("refresh-not-single-flight", "7: two refreshes of one grant run at once"),
        ("refresh-retried-when-uncertain", "7: an unknown outcome is retried with the same token"),
        ("data-key-outlives-its-proof", "keys: a cached data key is used for ever without its keeper"),
        ("data-key-never-proven-again", "keys: an outage just before a proof ends is felt at once"),
        ("data-key-survives-a-no", "keys: a cached data key is used on after its keeper said no"),
        ("reseal-overwrites", "keys: a rotation writes old tokens over those of a refresh"),
        ("empty-scope-is-all", "10: an empty grant means everything"),
        ("policy-unknown-label-permits", "10: an unknown security label is permitted"),
        ("launch-path-reads-more", "11: the launch path makes a call that is not on its list"),
        ("state-reusable", "launch: a state can be used twice"),
        ("state-of-any-browser", "launch: a state works in another browser"),
        ("nonce-unchecked", "launch: the id_token's nonce is not compared"),
        ("peer-name-unchecked", "callers: a certificate of another trust domain passes for a service"),
        ("client-peer-unchecked", "callers: a call goes to whoever holds any certificate of the house"),
        ("http-door-open", "callers: any service sends what only a browser may"),
        ("undeclared-parameter-sent", "vendors: a filter that the product ignores is sent to it"),
        ("vendor-signs-ignored", "vendors: a missing parameter passes for missing rights"),
        ("expired-override-used", "vendors: an override is used after its last day"),
        ("callback-issuer-unchecked", "launch: the answer's iss is not compared"),
        ("partial-untold", "gateway: rows are missing and nobody is told"),
        ("required-parameter-left-out", "gateway: a search goes out without what the EHR requires"),
        ("page-loop-followed", "gateway: a search that leads in a circle is followed"),
        ("rows-counted-twice", "gateway: a row that comes again counts as another"),
        ("ehr-limit-ignored", "gateway: more calls are made than the EHR takes"),
        ("probe-by-every-replica", "gateway: an EHR that comes back is met by all replicas at once"),
        ("record-outside-the-log", "audit: a record is stored and not appended to the log"),
        ("checkpoint-signed-unchecked", "audit: a log that was changed gets another checkpoint"),
        ("witness-signs-unchecked", "audit: a witness signs what does not go on from what it saw"),
        ("incident-parts-missed", "incidents: only the first part of what an incident covers is revoked"),
        ("disclosures-without-open-calls", "audit: an accounting leaves out calls whose end is not known"),
        ("retry-without-budget", "gateway: every failed call is made again"),
        ("care-gap-window-day-off", "care gaps: a look-back takes in a day too many"),
        ("care-gap-entered-in-error-counted", "care gaps: what was entered in error is evidence"),
        ("care-gap-foreign-evidence", "care gaps: another patient's entry is evidence"),
        ("care-gaps-of-any-patient", "3: what a scan found about another patient is released"),
        ("step-up-of-anybody", "launch: a step-up opens the chart of another person or patient"),
        ("proposal-payload-unbound", "8: an approval stands for whatever is proposed now"),
        ("proposal-edit-dropped", "8: what is written is not the edited payload that was approved"),
        ("proposal-settled-unlooked", "8: an approval in doubt is taken for one that wrote nothing"),
        ("write-without-key", "8: an approval that comes again is another write"),
        ("write-payload-unbound", "8: an approval stands for whatever is written"),
        ("write-foreign-subject", "8: a record about another patient is written"),
        ("write-retried-blind", "8: a write whose outcome is not known is sent again"),
    ];

    /// Whether `name` is on.
    pub fn is_on(name: &str) -> bool {
        ON.read().is_ok_and(|on| on.iter().any(|n| n == name))
    }

    /// Switches exactly these on, for this process.
    pub fn set(names: &[&str]) {
        if let Ok(mut on) = ON.write() {
            *on = names.iter().map(|n| (*n).to_owned()).collect();
        }
    }
}

#[cfg(feature = "planted-bugs")]
pub use switches::{ALL, is_on, set};
