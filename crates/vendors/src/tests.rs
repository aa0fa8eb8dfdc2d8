use std::collections::BTreeSet;

use super::*;

fn of(id: &str) -> Arc<Profile> {
    Arc::clone(profile(&VendorId::parse(id).unwrap()).unwrap())
}

#[test]
fn every_profile_id_is_a_name_and_unique() {
    let mut seen = BTreeSet::new();
    for profile in all() {
        assert!(VendorId::parse(profile.id).is_ok());
        assert!(seen.insert(profile.id));
    }
    assert!(seen.len() >= 16, "no product is lost: {seen:?}");
}

#[test]
fn an_unknown_rotation_is_never_retried() {
    use tokens::Rotation;
    assert!(!Rotation::Unknown.retry_is_safe() && !Rotation::Rotates.retry_is_safe());
    let safe: Vec<&str> = all().iter().filter(|p| p.tokens.rotation.retry_is_safe()).map(|p| p.id).collect();
    assert_eq!(safe, ["oracle"], "a product whose tokens are known to be static is named here on purpose");
}

#[test]
fn nobody_is_believed_about_days_that_no_vendor_publishes() {
    for profile in all() {
        assert_eq!(profile.registration.approval_days.value(), &None, "{}", profile.id);
        assert!(profile.registration.approval_days.confidence() < Confidence::Observed, "{}", profile.id);
    }
}

#[test]
fn what_is_open_is_listed_by_its_fact_and_what_is_known_is_not() {
    let open = page::open_questions(&of("veradigm"));
    assert!(open.contains(&("tokens.rotation", "unknown".to_owned())), "{open:?}");
    assert!(open.iter().all(|(name, _)| *name != "oauth.audience"), "{open:?}");
    assert!(page::open_questions(&of("generic")).is_empty(), "what nobody has looked at is no open question");
}

/// What section by section could not be verified stays marked until somebody verifies it.
#[test]
fn open_questions_are_marked() {
    for id in ["athena-one", "meditech", "nextgen", "veradigm", "eclinicalworks"] {
        assert_eq!(of(id).tokens.rotation.confidence(), Confidence::Unverified, "{id}");
    }
    assert_eq!(of("epic").paging.idle_seconds.confidence(), Confidence::Unverified);
    assert_eq!(of("nextgen").oauth.audience.confidence(), Confidence::Unverified);
}

#[test]
fn limits_and_lifetimes_can_be_kept() {
    for profile in all() {
        let (tokens, id) = (&profile.tokens, profile.id);
        assert!(*tokens.refresh_margin_seconds < tokens.access_seconds.unwrap_or(3_600) / 2, "{id}");
        if let (Some(keep), Some(idle)) = (*tokens.keep_alive_seconds, *tokens.refresh_idle_seconds) {
            assert!(keep <= idle / 2, "{id}: one missed refresh must not end a session");
        }
        if let Some(interval) = *tokens.refresh_interval_seconds {
            assert!(interval <= *tokens.refresh_margin_seconds, "{id}: refreshed too often");
        }
        for rule in &profile.search.rules {
            assert!(rule.page_max.is_none_or(|max| max > 0), "{id}");
            let types: Vec<_> =
                profile.search.rules.iter().filter(|r| r.resource_type == rule.resource_type).collect();
            assert_eq!(types.len(), 1, "{id}: {} twice", rule.resource_type);
        }
    }
}

#[test]
fn the_page_marks_what_is_not_certain() {
    let page = page::markdown();
    assert!(page.contains("| `oauth.audience` | omitted ? |"), "NextGen's aud is a third party's word");
    assert!(page.contains("| `tokens.access_seconds` | 570 ✔ |"));
    assert!(page.contains("| `data.max_id_length` | 130 ◉ |"));
    for profile in all() {
        assert!(page.contains(&format!("\n## {}\n", profile.name)), "{}", profile.id);
    }
}
