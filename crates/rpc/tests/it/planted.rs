//! Each planted bug turns the test red that guards against it.

/// The switch, and the test that has to notice.
const SWITCHES: &[(&str, &str)] = &[
    ("peer-name-unchecked", "refused::only_a_certificate_of_the_house_that_names_one_service_gets_in"),
    ("client-peer-unchecked", "refused::a_client_talks_only_to_the_service_it_means"),
    ("http-door-open", "doors::browsers_come_by_way_of_edge_alone"),
    ("console-role-unchecked", "console::web_opens_nothing_alone_and_with_somebody_what_their_role_may"),
];

#[test]
fn every_planted_bug_of_the_transport_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(SWITCHES);
}
