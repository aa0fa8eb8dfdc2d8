//! One cookie per launch: its name carries the launch handle, its value the session's secret (COOK-02, invariant 6).
//!
//! A cookie jar is per browser but a patient is per launch, so the handle in the URL picks the cookie and both must match.

use crate::{Secret, ids::LaunchId};

const PREFIX: &str = "__Host-s-";

/// base64url of 32 bytes without padding.
pub const SECRET_LENGTH: usize = 43;

/// The session cookie's name for a launch.
pub fn cookie_name(launch: LaunchId) -> String {
    format!("{PREFIX}{launch}")
}

/// Finds the session cookie of `launch` in a `Cookie` header's value. Two cookies of that name are none: a second one
/// was put there by somebody else.
pub fn find_cookie(header: &str, launch: LaunchId) -> Option<Secret<String>> {
    let name = cookie_name(launch);
    let mut found = cookies(header)
        .filter(|(n, _)| *n == name || (crate::planted!("cookie-of-any-launch") && n.starts_with(PREFIX)));
    let (_, value) = found.next()?;
    let is_single = found.next().is_none() || crate::planted!("cookie-of-any-launch");
    (is_single && is_secret(value)).then(|| Secret::new(value.to_owned()))
}

/// The handles of every session cookie in the header, in the order the browser sent them.
pub fn launches_in(header: &str) -> Vec<LaunchId> {
    cookies(header)
        .filter_map(|(name, _)| name.strip_prefix(PREFIX))
        .filter_map(|handle| LaunchId::parse(handle).ok())
        .collect()
}

/// The `Set-Cookie` value that gives the browser this session. No `Max-Age`: the server decides how long it lives.
/// `SameSite=None; Partitioned` because the app stands in a frame of the EHR's site.
pub fn set_cookie(launch: LaunchId, secret: &Secret<String>) -> String {
    format!("{}={}; {ATTRIBUTES}", cookie_name(launch), secret.expose())
}

/// The `Set-Cookie` value that removes it.
pub fn expire_cookie(launch: LaunchId) -> String {
    format!("{}=; Max-Age=0; {ATTRIBUTES}", cookie_name(launch))
}

/// What every cookie of ours carries.
pub const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=None; Partitioned";

/// The pairs of a `Cookie` header.
pub fn cookies(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(';').filter_map(|pair| pair.trim().split_once('='))
}

fn is_secret(value: &str) -> bool {
    value.len() == SECRET_LENGTH
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;

    fn launch() -> LaunchId {
        LaunchId::new(&TestClock::at(1_700_000_000_000_000))
    }

    #[test]
    fn the_cookie_of_this_launch_is_found_among_others() {
        let (a, b) = (launch(), launch());
        let (sa, sb) = ("a".repeat(43), "b".repeat(43));
        let header = format!("x=1; __Host-s-{a}={sa}; __Host-s-{b}={sb}");
        assert_eq!(find_cookie(&header, b).map(|s| s.expose().clone()), Some(sb));
        assert_eq!(launches_in(&header), vec![a, b]);
    }

    #[test]
    fn the_cookie_of_another_launch_is_no_cookie() {
        let header = format!("__Host-s-{}={}", launch(), "a".repeat(43));
        assert!(find_cookie(&header, launch()).is_none());
    }

    #[test]
    fn a_doubled_or_misshapen_cookie_is_refused() {
        let a = launch();
        let secret = "a".repeat(43);
        assert!(find_cookie(&format!("__Host-s-{a}={secret}; __Host-s-{a}={secret}"), a).is_none());
        assert!(find_cookie(&format!("__Host-s-{a}=short"), a).is_none());
    }
}
