//! Each planted bug turns the test red that guards against it.

const SWITCHES: &[(&str, &str)] = &[
    ("job-fencing-ignored", "deaths::a_worker_that_stood_still_beyond_its_lease_writes_nothing"),
    ("job-checkpoint-apart", "deaths::a_death_right_after_something_became_durable_doubles_nothing"),
    ("job-batch-leased-twice", "replicas::a_message_that_comes_again_and_again_starts_no_batch_twice"),
    ("job-narrower-scope-ignored", "scopes::a_run_whose_scopes_shrink_stops_and_says_which"),
    ("job-retry-after-ignored", "waits::no_call_is_made_before_the_time_that_the_ehr_named"),
    ("export-tail-kept", "exports::what_was_written_and_not_committed_is_cut_off"),
];

#[test]
fn each_switch_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(SWITCHES);
}
