//! Whatever somebody with the database's rights changes, the verifier notices: most of it against the checkpoints that
//! the database itself holds, the rest thanks to those outside.

use std::collections::BTreeSet;

use sallyport_audit::migrations;
use sallyport_audit_proof::{Anchor, Checkpoint, Fault, Finding, Hash};
use sallyport_db::{Handle, Pool, on_pool, testing::each};

use crate::{
    house::TENANT,
    ledger::{Ledger, TABLES, back_up, disarm, put_back, recompute, run, signing_key, verify},
};

/// Calls per run: an intent and an outcome each.
fn calls() -> usize {
    if std::env::var("SALLYPORT_TEST_LONG").is_ok_and(|long| long == "1") { 5_000 } else { 40 }
}

/// A log of some records, covered, to which nothing is appended any more.
async fn frozen(pool: Pool, calls: usize) -> Ledger {
    let mut ledger = Ledger::start(pool.clone()).await;
    ledger.event("pat-early").await;
    ledger.record(calls).await;
    ledger.house.freeze().await;
    disarm(&pool).await;
    back_up(&pool).await;
    ledger
}

/// Name and type of a table's columns, from the schema.
async fn columns(pool: &Pool, table: &str) -> Vec<(String, String)> {
    let text = pool.sql(
        "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = $1",
        "SELECT name, lower(type) FROM pragma_table_info($1)",
    );
    let columns: Vec<(String, String)> =
        on_pool!(*pool, |c| sqlx::query_as(text).bind(table).fetch_all(c).await).unwrap();
    // The schema of a version to come has columns that this one does not prove.
    columns.into_iter().filter(|(name, _)| name != "of_the_next_version").collect()
}

/// Another value for a column, in SQL.
fn altered(pool: &Pool, name: &str, kind: &str) -> String {
    match (kind, pool.handle()) {
        ("text", _) => format!("{name} || 'x'"),
        ("bigint" | "integer", _) => format!("COALESCE({name}, 0) + 1000000"),
        ("uuid", _) => "gen_random_uuid()".to_owned(),
        ("blob", _) if name.ends_with("_id") => "randomblob(16)".to_owned(),
        ("bytea", Handle::Postgres(_)) => format!("{name} || '\\x00'::bytea"),
        ("blob", _) => format!("CAST({name} || x'00' AS BLOB)"),
        other => panic!("a column of another type: {}", other.0),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_any_column_of_any_record_is_noticed() {
    each(migrations(), |pool| async move {
        let ledger = frozen(pool.clone(), calls()).await;
        let honest = ledger.leaves().await;
        assert!(ledger.verify_inside().await.is_verified());
        let mut edits = 0;
        for table in ["records", "record_subjects"] {
            for (name, kind) in columns(&pool, table).await {
                // Every row at once: each leaf shows by itself whether its own edit is seen.
                let value = altered(&pool, &name, &kind);
                run(&pool, &format!("UPDATE {table} SET {name} = {value} WHERE tenant = '{TENANT}'"))
                    .await
                    .unwrap();
                let altered: BTreeSet<_> = ledger.leaves().await.into_iter().collect();
                let unseen = honest.iter().filter(|leaf| altered.contains(*leaf)).count();
                edits += honest.len();
                assert_eq!(unseen, 0, "{table}.{name}: that many edits are unseen");
                let report = ledger.verify_inside().await;
                assert!(!report.is_verified(), "{table}.{name}: the verifier is content");
                put_back(&pool, &[table]).await;
            }
        }
        assert!(ledger.verify().await.is_verified(), "what is put back is what was signed");
        println!("{edits} edits of one column of one record, each noticed");
    })
    .await;
}

#[tokio::test]
async fn every_column_of_a_record_is_in_its_leaf() {
    each(migrations(), |pool| async move {
        let ledger = Ledger::start(pool.clone()).await;
        ledger.event("pat-1").await;
        let leaf: serde_json::Value = serde_json::from_slice(&ledger.leaves().await[0]).unwrap();
        let keys: BTreeSet<_> = leaf.as_object().unwrap().keys().cloned().collect();
        let own = ["v", "adopted_at", "subjects"].map(ToOwned::to_owned);
        let columns = columns(&pool, "records").await.into_iter().map(|(name, _)| name);
        assert_eq!(keys, columns.chain(own).collect());
        assert!(!leaf.to_string().contains("pat-1"), "what identifies people is sealed");
    })
    .await;
}

/// Changes one thing, looks at what the verifier says with the database's own checkpoints, and puts it back.
async fn faults_after(ledger: &Ledger, statements: &[String]) -> Vec<Fault> {
    for sql in statements {
        assert!(run(&ledger.house.pool, sql).await.unwrap() > 0, "{sql}");
    }
    let report = ledger.verify_inside().await;
    put_back(&ledger.house.pool, &TABLES).await;
    report.faults
}

#[tokio::test]
async fn a_record_that_is_removed_added_or_moved_is_noticed() {
    each(migrations(), |pool| async move {
        let ledger = frozen(pool.clone(), 20).await;
        let own = |table: &str| format!("{table} WHERE tenant = '{TENANT}'");
        let removed = faults_after(&ledger, &[format!("DELETE FROM {} AND log_index = 7", own("records"))]).await;
        assert!(removed.contains(&Fault::OutOfPlace { index: 7, found: 8 }), "{removed:?}");
        let moved = faults_after(
            &ledger,
            &[
                format!("UPDATE records SET log_index = -log_index WHERE tenant = '{TENANT}' AND log_index IN (5, 9)"),
                format!("UPDATE records SET log_index = 14 + log_index WHERE tenant = '{TENANT}' AND log_index < 0"),
            ],
        )
        .await;
        assert!(matches!(moved.as_slice(), [Fault::RootDiffers { .. }, ..]), "{moved:?}");
        // A copy of a record under another id: at a place that is taken, behind the end, and at none.
        let all = columns(&pool, "records").await;
        for (index, expected) in [
            ("10", "the place is taken"),
            ("5000", "it is outside the log"),
            ("NULL", "it is outside the log"),
        ] {
            let values: Vec<_> = all
                .iter()
                .map(|(name, kind)| match name.as_str() {
                    "record_id" | "spool_sequence" => altered(&pool, name, kind),
                    "log_index" => index.to_owned(),
                    _ => name.clone(),
                })
                .collect();
            let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
            let added = faults_after(
                &ledger,
                &[format!(
                    "INSERT INTO records ({}) SELECT {} FROM {} AND log_index = 10",
                    names.join(", "),
                    values.join(", "),
                    own("records")
                )],
            )
            .await;
            assert!(added.contains(&Fault::OutsideTheLog { count: 1 }), "{expected}: {added:?}");
        }
        assert!(ledger.verify().await.is_verified());
    })
    .await;
}

/// What is left when everything behind `size` is forgotten by whoever rules the database.
async fn cut_off(ledger: &Ledger, size: usize) {
    let pool = &ledger.house.pool;
    recompute(ledger, size).await;
    for (table, column) in [("records", "log_index >="), ("log_checkpoints", "size >")] {
        run(pool, &format!("DELETE FROM {table} WHERE tenant = '{TENANT}' AND {column} {size}"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_log_that_was_cut_off_is_noticed_only_thanks_to_the_checkpoint_outside() {
    each(migrations(), |pool| async move {
        let ledger = frozen(pool.clone(), 20).await;
        cut_off(&ledger, 1).await;
        let inside = ledger.verify_inside().await;
        assert_eq!((inside.faults, inside.records, inside.covered), (vec![], 1, 1), "nothing inside tells");
        let outside = ledger.verify().await;
        assert!(
            outside.faults.iter().any(|f| matches!(f, Fault::CutOff { size: 41, found: 1, .. })),
            "{outside:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_log_that_was_written_anew_is_noticed_only_thanks_to_the_checkpoint_outside() {
    each(migrations(), |pool| async move {
        let ledger = frozen(pool.clone(), 20).await;
        run(&pool, &format!("UPDATE records SET released = 99 WHERE tenant = '{TENANT}' AND log_index = 30"))
            .await
            .unwrap();
        recompute(&ledger, usize::MAX).await;
        run(&pool, &format!("DELETE FROM log_checkpoints WHERE tenant = '{TENANT}' AND size > 1"))
            .await
            .unwrap();
        let inside = ledger.verify_inside().await;
        assert_eq!((inside.faults, inside.records), (vec![], 41), "nothing inside tells");
        assert!(inside.findings.contains(&Finding::Uncovered { count: 40 }), "but that it is not covered");
        let outside = ledger.verify().await;
        assert!(
            outside.faults.iter().any(|f| matches!(f, Fault::RootDiffers { size: 41, .. })),
            "{outside:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_log_that_was_put_back_from_a_backup_is_noticed_only_thanks_to_the_checkpoint_outside() {
    each(migrations(), |pool| async move {
        let mut ledger = Ledger::start(pool.clone()).await;
        ledger.record(10).await;
        back_up(&pool).await;
        ledger.record(10).await;
        ledger.house.freeze().await;
        disarm(&pool).await;
        put_back(&pool, &TABLES).await;
        let inside = ledger.verify_inside().await;
        assert_eq!((inside.faults, inside.covered), (vec![], 20), "nothing inside tells");
        let outside = ledger.verify().await;
        assert!(
            outside.faults.iter().any(|f| matches!(f, Fault::CutOff { size: 40, found: 20, .. })),
            "{outside:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_log_that_shows_two_histories_is_noticed_only_thanks_to_the_checkpoints_outside() {
    each(migrations(), |pool| async move {
        let ledger = frozen(pool.clone(), 10).await;
        // What somebody else was shown: signed by the same key over another history of the same length.
        let origin = format!("sallyport/audit/{TENANT}");
        let other = Checkpoint { origin, size: 21, root: Hash::leaf(b"another history") };
        let note = other.sign(&signing_key()).unwrap().to_string().into_bytes();
        assert!(ledger.verify_inside().await.is_verified(), "nothing inside tells");
        let mut anchors: Vec<_> = ledger.anchors().into_values().collect();
        anchors.push(Anchor { name: "the other's".to_owned(), note });
        let report = verify(&ledger.export().await, &anchors);
        assert!(report.faults.iter().any(|f| matches!(f, Fault::Fork { size: 21, .. })), "{report:?}");
    })
    .await;
}
