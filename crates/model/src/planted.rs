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
        ("cookie-of-any-launch", "6: the session of another launch opens this one"),
        ("refresh-not-single-flight", "7: two refreshes of one grant run at once"),
        ("refresh-retried-when-uncertain", "7: an unknown outcome is retried with the same token"),
        ("empty-scope-is-all", "10: an empty grant means everything"),
        ("policy-unknown-label-permits", "10: an unknown security label is permitted"),
        ("launch-path-reads-more", "11: the launch path makes a call that is not on its list"),
        ("state-reusable", "launch: a state can be used twice"),
        ("state-of-any-browser", "launch: a state works in another browser"),
        ("nonce-unchecked", "launch: the id_token's nonce is not compared"),
        ("callback-issuer-unchecked", "launch: the answer's iss is not compared"),
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
