//! Each planted bug turns the test red that guards against it; and what the log costs, against the bug that leaves it
//! out.

use std::time::{Duration, Instant};

use prost::Message as _;
use sallyport_audit::migrations;
use sallyport_db::testing::each;
use sallyport_model::planted;
use sallyport_queue::Message;
use uuid::Uuid;

use crate::{
    house::{House, TENANT},
    queues::LossyQueue,
    storing::captured,
};

const SWITCHES: &[(&str, &str)] = &[
    ("record-outside-the-log", "proving::each_record_is_proven_by_a_few_hashes_and_another_is_not"),
    ("checkpoint-signed-unchecked", "signing::a_log_that_was_written_anew_gets_no_checkpoint"),
    ("console-patients-unmasked", "console::at_the_console_no_answer_says_which_patient_it_is_about"),
    ("unmask-unrecorded", "console::who_a_record_is_about_is_told_for_a_reason_that_is_on_the_log"),
    ("review-names-its-patient", "console::a_review_is_kept_for_good_and_names_no_patient"),
    (
        "disclosures-without-open-calls",
        "disclosures::what_was_or_may_have_been_disclosed_is_told_and_nothing_else",
    ),
];

#[test]
fn each_switch_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(SWITCHES);
}

/// The same batches in turn with and without the log, in one run. The figure is told and decides nothing; that the log
/// holds exactly what it was not left out of does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cost_of_the_log_beside_planted_appends_without_it() {
    each(migrations(), |pool| async move {
        let house = House::start_over(pool, LossyQueue::default()).await;
        let mut batches = Vec::new();
        for _ in 0..2 * ROUNDS + 1 {
            batches.push(captured(&house, BATCH).await);
        }
        let (mut with, mut without) = (Duration::ZERO, Duration::ZERO);
        for (number, batch) in batches.iter().enumerate() {
            let is_without = number % 2 == 1;
            planted::set(if is_without { &["record-outside-the-log"] } else { &[] });
            let message = Message::new(Uuid::from_u128(2), batch.encode_to_vec());
            let started = Instant::now();
            house.deliver(message).await;
            // The first makes the people's keys.
            match (number, is_without) {
                (0, _) => {}
                (_, true) => without += started.elapsed(),
                (_, false) => with += started.elapsed(),
            }
        }
        planted::set(&[]);
        let ratio = without.as_secs_f64() / with.as_secs_f64();
        println!(
            "{ROUNDS} batches of {BATCH}: with the log {with:?}, without {without:?}, throughput {ratio:.2}"
        );
        assert_eq!(
            house.number("SELECT size FROM log_heads WHERE tenant <> '_system'").await,
            LOGGED,
            "{TENANT}"
        );
    })
    .await;
}

const BATCH: usize = 200;
const ROUNDS: usize = 8;
const LOGGED: i64 = (BATCH * (ROUNDS + 1)) as i64;
