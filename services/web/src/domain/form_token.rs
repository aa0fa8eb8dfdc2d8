//! Tokens that bind a form to session, launch and action: another site can post to us with the person's cookie, but
//! cannot make one.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::gateway::Session;

/// What a form does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Show a record as the EHR sent it.
    Source,
    /// Stay signed in.
    Stay,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Stay => "stay",
        }
    }
}

fn message(session: &Session, action: Action) -> (hmac::Key, String) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session.secret.expose().as_bytes());
    (key, format!("form:{}:{}", session.launch, action.as_str()))
}

/// The token for a form of this session. Keyed by the cookie's secret, so any replica can check it.
pub(crate) fn token(session: &Session, action: Action) -> String {
    let (key, message) = message(session, action);
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()))
}

/// Whether the token belongs to this session and action; compared in constant time.
pub(crate) fn is_valid(session: &Session, action: Action, token: &str) -> bool {
    let (key, message) = message(session, action);
    let tag = URL_SAFE_NO_PAD.decode(token);
    tag.is_ok_and(|tag| hmac::verify(&key, message.as_bytes(), &tag).is_ok())
}

#[cfg(test)]
mod tests {
    use sallyport_model::{LaunchId, RequestId, Secret, TestClock};

    use super::*;

    #[test]
    fn a_token_opens_one_action_of_one_session_of_one_launch() {
        let clock = TestClock::at(0);
        let session = |secret: &str| Session {
            launch: LaunchId::new(&clock),
            secret: Secret::new(secret.to_owned()),
            request_id: RequestId::new(&clock),
        };
        let (own, other) = (session("a"), session("b"));
        let mut other_launch = session("a");
        other_launch.launch = LaunchId::new(&clock);
        let token = token(&own, Action::Stay);
        assert!(is_valid(&own, Action::Stay, &token));
        assert!(!is_valid(&own, Action::Source, &token));
        assert!(!is_valid(&other, Action::Stay, &token));
        assert!(!is_valid(&other_launch, Action::Stay, &token));
        assert!(!is_valid(&own, Action::Stay, ""));
        assert!(!token.contains("a:") && token.len() == 43);
    }
}
