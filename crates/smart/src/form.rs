//! The token in a form of ours: it proves that the form was made for this session, this subject (a launch, or the console) and
//! this action.

use std::fmt::Display;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sallyport_model::Secret;

/// HMAC-SHA256 under the session's secret over subject and action: nothing has to be stored, and it dies with the
/// session.
pub fn token(session: &Secret<String>, subject: impl Display, action: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&key(session), &message(subject, action)))
}

/// Whether a form's token is the one for this session, subject and action; compared in constant time.
pub fn is_token(session: &Secret<String>, subject: impl Display, action: &str, token: &str) -> bool {
    let Ok(tag) = URL_SAFE_NO_PAD.decode(token) else { return false };
    hmac::verify(&key(session), &message(subject, action), &tag).is_ok()
}

fn key(session: &Secret<String>) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, session.expose().as_bytes())
}

fn message(subject: impl Display, action: &str) -> Vec<u8> {
    format!("sallyport form\0{subject}\0{action}").into_bytes()
}

#[cfg(test)]
mod tests {
    use sallyport_model::{LaunchId, TestClock};

    use super::*;

    #[test]
    fn a_token_fits_its_session_launch_and_action_only() {
        let clock = TestClock::at(1_700_000_000_000_000);
        let (a, b) = (LaunchId::new(&clock), LaunchId::new(&clock));
        let (mine, other) = (Secret::new("a".repeat(43)), Secret::new("b".repeat(43)));
        let form = token(&mine, a, "logout");
        assert!(is_token(&mine, a, "logout", &form));
        assert!(!is_token(&other, a, "logout", &form));
        assert!(!is_token(&mine, b, "logout", &form));
        assert!(!is_token(&mine, a, "keep-alive", &form));
        assert!(!is_token(&mine, a, "logout", ""));
        assert!(!is_token(&mine, a, "logout", "not base64!"));
    }
}
