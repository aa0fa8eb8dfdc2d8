//! Each planted bug turns the test red that guards against it.

const SWITCHES: &[(&str, &str)] = &[
    ("issuer-allowlist-off", "launch::a_refused_launch_contacts_nobody_and_says_why"),
    (
        "state-reusable",
        "repeat::a_repeated_answer_in_the_same_browser_goes_to_the_chart_without_asking_the_ehr",
    ),
    ("state-of-any-browser", "callback::the_state_of_another_browser_is_refused_and_stays_usable_in_its_own"),
    ("callback-issuer-unchecked", "callback::the_issuer_of_the_answer_must_be_the_one_that_was_asked"),
    ("launch-path-reads-more", "discovery::a_launch_reads_nothing_of_the_ehr_but_its_discovery_document"),
    ("empty-scope-is-all", "context::what_cannot_be_used_opens_nothing_and_its_grant_is_revoked"),
    ("step-up-of-anybody", "step_up::another_patient_or_too_little_opens_nothing_and_its_grant_is_revoked"),
    ("incident-parts-missed", "incidents::each_scope_revokes_exactly_its_own_and_nothing_of_a_neighbour"),
    ("console-session-immortal", "operators::a_session_ends_by_itself_by_its_owner_and_by_others"),
    ("console-tenant-unchecked", "operators::who_is_there_for_one_tenant_is_told_nothing_of_another"),
    ("cookie-of-any-launch", "session::only_this_launchs_cookie_opens_it"),
];

#[test]
fn each_switch_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(SWITCHES);
}
