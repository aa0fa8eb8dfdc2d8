//! The rules of codes, rotation and revocation, without HTTP.

use super::*;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const NOW: i64 = 1_000_000;

fn place() -> Place {
    Place { profile: "strict".to_owned(), tenant: "general".to_owned() }
}

fn grant(scopes: &[&str]) -> Grant {
    Grant {
        place: place(),
        client_id: "app".to_owned(),
        user: Some("doc".to_owned()),
        patient: Some("pat".to_owned()),
        encounter: None,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        launch: None,
        nonce: None,
        intent: None,
        need_patient_banner: true,
        fhir_context: Vec::new(),
        state: None,
    }
}

fn code(grants: &Grants, scopes: &[&str]) -> String {
    let asked = CodeAsked { redirect_uri: "http://app/cb".to_owned(), challenge: Some(s256(VERIFIER)) };
    grants.issue_code(grant(scopes), asked, &Profile::STRICT, NOW)
}

fn redeem(grants: &Grants, code: &str, verifier: &str, now: i64) -> Result<Issued, NotIssued> {
    let place = place();
    let shown = CodePresented {
        code,
        client_id: "app",
        place: &place,
        redirect_uri: "http://app/cb",
        code_verifier: Some(verifier),
        may_refresh: true,
    };
    grants.redeem(&shown, &Profile::STRICT, now)
}

fn refresh(grants: &Grants, token: &str, scopes: &[&str], profile: &Profile) -> Result<Issued, NotIssued> {
    let place = place();
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    grants.refresh(&RefreshPresented { token, client_id: "app", place: &place, scopes }, profile, NOW)
}

fn state(grants: &Grants, token: &str, now: i64) -> Result<(), Denied> {
    grants.check_access(&TokenDigest::of(token), now).map(|_| ())
}

#[test]
fn a_replayed_code_is_refused_and_kills_the_tokens_of_its_first_use() {
    let grants = Grants::default();
    let code = code(&grants, &["patient/*.rs"]);
    let issued = redeem(&grants, &code, VERIFIER, NOW).ok().unwrap();
    assert_eq!(state(&grants, &issued.access_token, NOW), Ok(()));
    assert_eq!(redeem(&grants, &code, VERIFIER, NOW).err(), Some(NotIssued::ReplayedCode));
    assert_eq!(state(&grants, &issued.access_token, NOW), Err(Denied::Revoked));
}

#[test]
fn a_wrong_verifier_spends_the_code() {
    let grants = Grants::default();
    let code = code(&grants, &["patient/*.rs"]);
    let wrong = VERIFIER.replace('d', "e");
    assert_eq!(redeem(&grants, &code, &wrong, NOW).err(), Some(NotIssued::Verifier));
    assert_eq!(redeem(&grants, &code, VERIFIER, NOW).err(), Some(NotIssued::ReplayedCode));
}

#[test]
fn a_code_lives_sixty_seconds() {
    let grants = Grants::default();
    let (young, old) = (code(&grants, &[]), code(&grants, &[]));
    assert!(redeem(&grants, &young, VERIFIER, NOW + 59).is_ok());
    assert_eq!(redeem(&grants, &old, VERIFIER, NOW + 60).err(), Some(NotIssued::ExpiredCode));
}

#[test]
fn another_client_cannot_redeem_a_code_nor_spend_it() {
    let grants = Grants::default();
    let code = code(&grants, &[]);
    let place = place();
    let shown = CodePresented {
        code: &code,
        client_id: "thief",
        place: &place,
        redirect_uri: "http://app/cb",
        code_verifier: Some(VERIFIER),
        may_refresh: true,
    };
    assert_eq!(grants.redeem(&shown, &Profile::STRICT, NOW).err(), Some(NotIssued::UnknownCode));
    assert!(redeem(&grants, &code, VERIFIER, NOW).is_ok());
}

#[test]
fn a_rotated_refresh_token_used_again_revokes_the_family() {
    let grants = Grants::default();
    let code = code(&grants, &["patient/*.rs", "offline_access"]);
    let first = redeem(&grants, &code, VERIFIER, NOW).ok().unwrap();
    let old = first.refresh_token.unwrap();
    let second = refresh(&grants, &old, &[], &Profile::STRICT).ok().unwrap();
    let new = second.refresh_token.unwrap();
    assert_ne!(old, new);
    assert_eq!(refresh(&grants, &old, &[], &Profile::STRICT).err(), Some(NotIssued::ReusedRefresh));
    assert_eq!(refresh(&grants, &new, &[], &Profile::STRICT).err(), Some(NotIssued::Revoked));
    assert_eq!(state(&grants, &second.access_token, NOW), Err(Denied::Revoked));
}

#[test]
fn a_static_refresh_token_can_be_used_again_and_is_not_sent_again() {
    let profile = Profile { refresh: RefreshStyle::Static, ..Profile::STRICT };
    let grants = Grants::default();
    let code = code(&grants, &["offline_access"]);
    let token = redeem(&grants, &code, VERIFIER, NOW).ok().unwrap().refresh_token.unwrap();
    for _ in 0..2 {
        assert!(refresh(&grants, &token, &[], &profile).ok().unwrap().refresh_token.is_none());
    }
}

#[test]
fn a_refresh_may_narrow_scopes_but_not_widen_them() {
    let grants = Grants::default();
    let code = code(&grants, &["patient/Observation.rs", "patient/Condition.rs", "online_access"]);
    let token = redeem(&grants, &code, VERIFIER, NOW).ok().unwrap().refresh_token.unwrap();
    assert_eq!(refresh(&grants, &token, &["patient/*.rs"], &Profile::STRICT).err(), Some(NotIssued::Scope));
    let narrow = refresh(&grants, &token, &["patient/Condition.rs"], &Profile::STRICT).ok().unwrap();
    assert_eq!(narrow.scopes, ["patient/Condition.rs"]);
}

#[test]
fn no_refresh_token_without_offline_or_online_access() {
    let grants = Grants::default();
    let code = code(&grants, &["patient/*.rs"]);
    assert!(redeem(&grants, &code, VERIFIER, NOW).ok().unwrap().refresh_token.is_none());
}

#[test]
fn revoking_an_access_token_leaves_the_refresh_token_and_the_other_way_round_takes_all() {
    let grants = Grants::default();
    let code = code(&grants, &["offline_access"]);
    let issued = redeem(&grants, &code, VERIFIER, NOW).ok().unwrap();
    let token = issued.refresh_token.unwrap();
    assert_eq!(grants.revoke_token(&issued.access_token, "thief", &place()), Some(false));
    assert_eq!(state(&grants, &issued.access_token, NOW), Ok(()));
    assert_eq!(grants.revoke_token(&issued.access_token, "app", &place()), Some(true));
    assert_eq!(state(&grants, &issued.access_token, NOW), Err(Denied::Revoked));
    let next = refresh(&grants, &token, &[], &Profile::STRICT).ok().unwrap();
    assert_eq!(grants.revoke_token(&next.refresh_token.unwrap(), "app", &place()), Some(true));
    assert_eq!(state(&grants, &next.access_token, NOW), Err(Denied::Revoked));
    assert_eq!(grants.revoke_token("never issued", "app", &place()), None);
}

#[test]
fn an_access_token_ends_with_its_lifetime() {
    let grants = Grants::default();
    let code = code(&grants, &[]);
    let issued = redeem(&grants, &code, VERIFIER, NOW).ok().unwrap();
    assert_eq!(state(&grants, &issued.access_token, NOW + 3599), Ok(()));
    assert_eq!(state(&grants, &issued.access_token, NOW + 3600), Err(Denied::Expired));
}

#[test]
fn verifiers_outside_the_rfc_7636_grammar_are_not_accepted() {
    assert!(is_verifier(VERIFIER));
    for bad in ["short", &"x".repeat(129), &"%".repeat(50)] {
        assert!(!is_verifier(bad), "{bad}");
    }
}
