//! Each planted bug turns the test red that guards against it.

const SWITCHES: &[(&str, &str)] = &[(
    "console-form-unchecked",
    "console::a_form_of_another_session_another_action_or_another_site_does_nothing",
)];

#[test]
fn each_switch_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(SWITCHES);
}
