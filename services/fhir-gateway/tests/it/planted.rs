//! Each planted bug turns the test red that guards against it.

/// The switch, and the test that has to notice.
const SWITCHES: &[(&str, &str)] = &[
    ("audit-after-release", "audit::nothing_is_released_when_the_intent_is_not_durable"),
    ("audit-dropped", "audit::a_call_leaves_an_intent_and_an_outcome_that_say_all"),
    ("audit-dropped", "costs::a_call_alone_costs_one_sync_before_its_answer_and_at_most_one_after"),
    ("foreign-patient-out", "denials::an_answer_with_another_patient_is_withheld_whole_and_recorded"),
    ("foreign-patient-in", "denials::a_request_for_another_patient_is_refused_before_it_is_sent"),
    ("foreign-patient-in", "malicious::no_malicious_input_breaks_in_or_breaks_anything"),
    ("scope-unchecked", "denials::what_was_not_granted_is_refused_before_it_is_sent"),
    (
        "context-missing-patient-is-any",
        "denials::without_a_patient_in_context_nothing_of_a_patient_is_answered",
    ),
    ("cookie-of-any-launch", "denials::a_session_opens_only_with_its_own_cookie_and_handle"),
    ("policy-unknown-label-permits", "denials::a_security_label_that_no_rule_names_withholds_the_resource"),
    ("empty-scope-is-all", "denials::an_empty_grant_permits_nothing"),
    ("token-in-browser", "reads::no_answer_ever_holds_the_token"),
    ("next-link-followed-anywhere", "paging::a_next_link_to_another_host_is_never_followed"),
    ("undeclared-parameter-sent", "vendors::what_the_ehr_would_not_understand_never_reaches_it"),
    ("vendor-signs-ignored", "vendors::a_403_for_a_missing_parameter_is_no_question_of_rights"),
    ("required-parameter-left-out", "vendors::what_the_ehr_requires_is_added_and_rows_lost_by_it_are_told"),
    ("partial-untold", "partial::pages_that_stop_before_the_last_row_are_told"),
    ("rows-counted-twice", "partial::pages_that_stop_before_the_last_row_are_told"),
    ("page-loop-followed", "partial::a_circle_of_pages_is_left"),
    ("ehr-limit-ignored", "limits::replicas_together_make_no_more_calls_than_the_ehr_takes"),
    ("probe-by-every-replica", "limits::an_ehr_that_fails_is_left_alone_by_every_replica_and_one_finds_out"),
    ("manifest-followed-anywhere", "bulk::an_address_of_another_host_is_never_followed"),
    ("bulk-handle-of-any-run", "bulk::a_handle_is_of_its_run_and_tenant_alone"),
    ("token-to-signed-address", "bulk_files::a_signed_address_gets_no_token_and_another_host_gets_nothing"),
    (
        "bulk-lines-unchecked",
        "bulk_files::a_line_of_a_patient_outside_the_cohort_ends_the_file_and_does_not_leave",
    ),
    ("run-scope-unchecked", "runs::scopes_that_are_not_those_pinned_stop_the_run_and_are_named"),
    ("look-at-anybody", "looks::nobody_but_a_test_patient_is_looked_at_and_only_by_reading"),
    ("run-outlives-its-lease", "runs::nothing_begins_and_nothing_is_released_after_the_lease"),
    ("stream-outlives-its-taker", "bulk_files::a_file_is_not_kept_open_for_a_worker_that_takes_nothing"),
    ("background-pause-cut", "runs::no_replica_calls_for_a_job_before_the_time_that_the_ehr_named"),
    ("retry-without-budget", "limits::calls_that_broke_are_made_again_within_a_budget"),
    ("care-gaps-of-any-patient", "care_gaps::what_was_found_about_another_patient_is_withheld_whole"),
    ("care-gaps-of-any-patient", "proposals::a_proposal_about_another_patient_is_neither_shown_nor_written"),
    (
        "proposal-payload-unbound",
        "proposals::what_has_changed_since_it_was_shown_is_refused_before_anything_is_decided",
    ),
    (
        "proposal-edit-dropped",
        "edited::what_was_edited_and_approved_is_what_is_written_and_the_record_names_the_fields",
    ),
    (
        "proposal-payload-unbound",
        "edited::an_approval_whose_hash_is_not_that_of_the_edited_payload_decides_nothing",
    ),
    (
        "proposal-settled-unlooked",
        "interrupted::without_the_session_of_whoever_approved_it_it_stays_unknown_until_a_later_one_finds_it",
    ),
    ("write-without-key", "proposals::approved_five_times_with_the_network_cut_there_is_one_resource"),
    ("write-without-key", "writes::approved_five_times_with_the_network_cut_there_is_one_resource"),
    ("write-payload-unbound", "writes::what_is_approved_is_bound_byte_for_byte"),
    ("write-foreign-subject", "writes::a_record_about_another_patient_is_refused_before_it_is_sent"),
    (
        "write-retried-blind",
        "writes::what_may_have_been_written_is_not_sent_again_before_it_is_known_to_be_absent",
    ),
];

#[test]
fn every_planted_bug_of_the_gateway_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(SWITCHES);
}
