//! Any other EHR works by configuration alone, and what it grants lives and ends as it should.
//!
//! The tests return what failed: the process under test never prints a panic's payload.

use sallyport_test_e2e::any_ehr::{configuration, grants, killed, second_endpoint, sessions};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ehr_nobody_here_wrote_works_in_every_way_to_authenticate_and_in_both_kinds_of_launch()
-> anyhow::Result<()> {
    configuration::every_way_to_authenticate_works().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_asks_for_another_algorithm_gets_a_key_of_that_kind() -> anyhow::Result<()> {
    configuration::another_algorithm_makes_another_key().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_refusals_that_are_all_401_are_told_apart_and_never_repeated() -> anyhow::Result<()> {
    configuration::refusals_with_401_are_told_apart().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fhir_401_in_plain_text_with_nothing_to_refresh_ends_the_grant_in_one_call() -> anyhow::Result<()> {
    configuration::a_plain_text_401_ends_the_grant().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_token_without_kid_that_the_only_key_did_not_sign_opens_nothing() -> anyhow::Result<()> {
    configuration::an_unsigned_person_is_nobody().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capability_statement_stands_in_for_discovery_only_where_the_operator_accepts_it()
-> anyhow::Result<()> {
    configuration::a_capability_statement_stands_in_where_accepted().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_only_openid_discovery_names_are_pinned_and_used() -> anyhow::Result<()> {
    configuration::keys_are_found_by_openid_discovery().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_may_go_and_come_back_by_forms_alone() -> anyhow::Result<()> {
    configuration::forms_carry_request_and_answer().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_too_long_for_an_address_is_posted_to_the_ehr() -> anyhow::Result<()> {
    second_endpoint::a_long_request_goes_by_post().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_the_promised_issuer_opens_nothing() -> anyhow::Result<()> {
    second_endpoint::a_promised_issuer_must_come().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_by_form_post_opens_the_chart() -> anyhow::Result<()> {
    second_endpoint::an_answer_may_come_by_form_post().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_was_unticked_turns_off_what_needs_it_and_the_answer_says_why() -> anyhow::Result<()> {
    second_endpoint::what_was_not_granted_is_off_with_its_reason().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_calls_on_an_expired_token_refresh_it_once() -> anyhow::Result<()> {
    grants::a_hundred_calls_refresh_once().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_401_of_the_fhir_server_is_followed_by_one_refresh_and_one_replay() -> anyhow::Result<()> {
    grants::a_401_is_refreshed_and_replayed_once().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_refresh_ends_the_grant_and_the_page_says_how_to_start_again() -> anyhow::Result<()> {
    grants::a_refused_refresh_ends_the_grant().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotating_refresh_token_with_an_unknown_outcome_is_never_redeemed_again() -> anyhow::Result<()> {
    grants::an_unknown_outcome_is_never_redeemed_again().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_launch_is_refused_within_five_seconds_and_withdrawn_at_the_ehr() -> anyhow::Result<()> {
    grants::a_revocation_acts_here_and_at_the_ehr().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logout_expires_one_cookie_and_leaves_the_other_launch_alive() -> anyhow::Result<()> {
    sessions::logout_ends_one_launch_alone().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_session_ends_although_its_page_polls_and_a_persons_goes_on() -> anyhow::Result<()> {
    sessions::polling_keeps_nobody_signed_in().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_given_before_a_kill_is_in_the_audit_log_after_it() -> anyhow::Result<()> {
    killed::no_answer_without_its_record().await
}
