//! Exports: whatever dies, expires or breaks on the way, what is kept is the content, once.

use std::{path::PathBuf, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use sallyport_db::testing;
use sallyport_job_worker::{Config, MIGRATIONS};
use sallyport_model::Code;
use sallyport_proto::gateway::v1::Failed;

use crate::{
    export_ehr::{Exports, Script, TAKEN_AT},
    world::{Worker, World, eventually, quick, tenant},
};

const FRAME: usize = 4_096;

fn job(more: &str) -> String {
    format!(
        "[[job]]\nid = \"export\"\ntitle = \"An export\"\nkind = \"bulk-export\"\nfeature = \"crawl\"\n\
         registration = \"general-backend\"\npurpose = \"HOPERAT\"\nidentity = \"backend\"\non = true\n\
         stage = \"general\"\n{more}\n[job.cohort]\ngroup = \"g\"\n[job.options]\ntypes = [\"Patient\"]\n"
    )
}

/// So many files of about so many bytes, no two alike.
fn files(count: usize, bytes: usize) -> Vec<Vec<u8>> {
    let line = |file: usize, n: usize| {
        let name = "canary-\u{e9}".repeat(1 + (file * 7 + n * 13) % 9);
        format!(
            "{{\"resourceType\":\"Patient\",\"id\":\"p{file}-{n}\",\"name\":[{{\"text\":\"{name}\"}}]}}\n"
        )
    };
    let file = |file: usize| {
        let mut content = String::new();
        for n in 0.. {
            content.push_str(&line(file, n));
            if content.len() >= bytes {
                break;
            }
        }
        content.into_bytes()
    };
    (0..count).map(file).collect()
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// What the content hash of an export must be, said once more in other words: lines in frames that are as full as whole lines
/// make them, a chain over the frames of each file, a chain over the files in their order.
fn content_hash(files: &[Vec<u8>]) -> Vec<u8> {
    let chain = |hashes: &[Vec<u8>]| {
        hashes.iter().fold(vec![0; 32], |so_far, next| hash(&[so_far, next.clone()].concat()))
    };
    let of_file = |file: &Vec<u8>| {
        let mut frames: Vec<Vec<u8>> = vec![Vec::new()];
        for line in file.split_inclusive(|byte| *byte == b'\n') {
            let frame = frames.last_mut().unwrap();
            if !frame.is_empty() && frame.len() + line.len() > FRAME {
                frames.push(line.to_vec());
            } else {
                frame.extend_from_slice(line);
            }
        }
        chain(&frames.iter().map(|frame| hash(frame)).collect::<Vec<_>>())
    };
    chain(&files.iter().map(of_file).collect::<Vec<_>>())
}

/// Runs a test on every database, with a gateway that serves the script.
async fn each<F, Fut>(jobs: &str, script: fn() -> Script, test: F)
where
    F: Fn(World, Exports) -> Fut,
    Fut: Future<Output = ()>,
{
    let tenants: Vec<(PathBuf, String)> = vec![tenant("general", jobs)];
    let (test, tenants) = (&test, &tenants);
    testing::each(MIGRATIONS, |pool| async move {
        let config = Config { export_frame_bytes: FRAME, ..quick() };
        let exports = Exports::of(script());
        let mut world = World::new(pool, tenants, &config);
        world.gateway = Some(exports.transport());
        test(world, exports).await;
    })
    .await;
}

async fn kept_hash(world: &World) -> Vec<u8> {
    sallyport_db::on_pool!(world.pool, |c| sqlx::query_scalar::<_, Vec<u8>>(
        "SELECT hash FROM exports ORDER BY finished_at DESC LIMIT 1"
    )
    .fetch_one(c)
    .await)
    .unwrap()
}

async fn done(worker: &Worker) {
    let run = worker.start("general", "export").await.unwrap();
    worker.until(&run, "done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_kept_sealed_and_the_ehr_is_told_that_it_can_let_go() {
    let script = || Script {
        files: files(3, 20_000),
        repeated: vec![1],
        withheld_line: Some(5),
        polls: 2,
        poll_after: Duration::from_millis(300),
        ..Script::default()
    };
    each(&job(""), script, |world, exports| async move {
        let worker = world.worker(1).await;
        done(&worker).await;
        let mut without = {
            let script = exports.0.lock().unwrap();
            assert_eq!(
                (script.deleted, script.kick_offs.len(), script.kick_offs[0].types.join(",")),
                (1, 1, "Patient".to_owned())
            );
            let fetched: Vec<usize> = script.fetches.iter().map(|(file, _)| *file).collect();
            assert_eq!(fetched, [0, 1, 2], "a file that is listed twice is fetched once");
            let gaps = script.polled_at.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
            assert!(gaps >= 300_000, "polled again after {gaps} microseconds");
            script.files.clone()
        };
        for file in &mut without {
            let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
            *file = [&lines[..5], &lines[6..]].concat().concat();
        }
        assert_eq!(kept_hash(&world).await, content_hash(&without));
        assert_eq!(world.number("SELECT count(*) FROM export_withheld").await, 3);
        assert_eq!(world.number("SELECT count(*) FROM exports WHERE state = 'done'").await, 1);
        let on_disk = world.export_files();
        assert_eq!(on_disk.len(), 3);
        for path in &on_disk {
            let bytes = std::fs::read(path).unwrap();
            assert!(!bytes.windows(6).any(|part| part == b"canary"), "plain text on disk");
        }
        let lengths: u64 = on_disk.iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
        let committed = world.number("SELECT CAST(SUM(length) AS BIGINT) FROM export_files").await;
        assert_eq!(i64::try_from(lengths).unwrap(), committed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_deaths_in_mid_file_leave_the_content_of_a_run_without_one() {
    let seed = std::env::var("SALLYPORT_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(11_u64);
    println!("seed {seed}");
    let script = || Script {
        files: files(40, 30_000),
        piece_delay: Duration::from_millis(4),
        seed: 5,
        ..Script::default()
    };
    each(&job(""), script, |world, exports| async move {
        let mut worker = world.worker(1).await;
        let run = worker.start("general", "export").await.unwrap();
        let mut random = seed;
        let mut deaths = 0;
        while deaths < 20 {
            let before = exports.0.lock().unwrap().fetches.len();
            eventually("a file to be fetched", || async { exports.0.lock().unwrap().fetches.len() > before })
                .await;
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            tokio::time::sleep(Duration::from_millis((random >> 33) % 40)).await;
            drop(worker);
            worker = world.worker(1).await;
            deaths += 1;
            if worker.run(&run).await.state == "done" {
                break;
            }
        }
        assert!(deaths >= 10, "the export was over after {deaths} deaths");
        worker.until(&run, "done").await;
        let (expected, again) = {
            let script = exports.0.lock().unwrap();
            (content_hash(&script.files), script.sent_again)
        };
        assert_eq!(kept_hash(&world).await, expected, "seed {seed}");
        // What was on its way when the worker died comes again as well: a few pieces of at most 2,100 bytes.
        assert!(again <= FRAME + 64 * 1024, "{again} bytes were read again");
        assert_eq!(world.number("SELECT count(*) FROM export_files WHERE state = 'done'").await, 40);
        assert_eq!(world.number("SELECT count(*) FROM quarantine").await, 0);
        let lengths: u64 =
            world.export_files().iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
        let committed = world.number("SELECT CAST(SUM(length) AS BIGINT) FROM export_files").await;
        assert_eq!(i64::try_from(lengths).unwrap(), committed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_expire_are_asked_for_again_and_nothing_is_fetched_twice() {
    let script = || Script { files: files(7, 9_000), handle_life: Some(3), ..Script::default() };
    each(&job(""), script, |world, exports| async move {
        let worker = world.worker(1).await;
        done(&worker).await;
        let expected = {
            let script = exports.0.lock().unwrap();
            let fetched: Vec<usize> = script.fetches.iter().map(|(file, _)| *file).collect();
            assert_eq!(fetched, [0, 1, 2, 3, 4, 5, 6]);
            assert_eq!((script.polled_at.len(), script.deleted, script.kick_offs.len()), (3, 1, 1));
            content_hash(&script.files)
        };
        assert_eq!(kept_hash(&world).await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_had_is_given_up_alone_and_the_next_export_starts_from_the_beginning() {
    let script = || Script {
        files: files(3, 9_000),
        broken: [(1, Code::UpstreamForeignPatient)].into(),
        ..Script::default()
    };
    each(&job(""), script, |world, exports| async move {
        let worker = world.worker(1).await;
        done(&worker).await;
        assert_eq!(world.number("SELECT count(*) FROM exports WHERE state = 'incomplete'").await, 1);
        assert_eq!(world.number("SELECT count(*) FROM export_files WHERE state = 'done'").await, 2);
        let given_up =
            "SELECT count(*) FROM export_files WHERE state = 'given_up' AND code = 'ehr.foreign_patient'";
        assert_eq!(world.number(given_up).await, 1);
        assert_eq!(exports.0.lock().unwrap().deleted, 1);
        exports.0.lock().unwrap().broken.clear();
        done(&worker).await;
        done(&worker).await;
        let since: Vec<String> =
            exports.0.lock().unwrap().kick_offs.iter().map(|k| k.since.clone()).collect();
        assert_eq!(since, ["", "", TAKEN_AT], "what is incomplete is no base for changes since then");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_fails_is_ended_at_the_ehr_too() {
    let script = || {
        let failed = Failed { code: "ehr.error".into(), upstream_status: 500, is_transient: false };
        Script { failed: Some(failed), ..Script::default() }
    };
    each(&job("attempts = 1"), script, |world, exports| async move {
        let worker = world.worker(1).await;
        done(&worker).await;
        assert!(exports.0.lock().unwrap().deleted >= 1);
        assert_eq!(world.number("SELECT count(*) FROM exports WHERE state = 'failed'").await, 1);
        assert_eq!(world.number("SELECT count(*) FROM quarantine").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_and_not_committed_is_cut_off() {
    let script =
        || Script { files: files(1, 900_000), piece_delay: Duration::from_millis(3), ..Script::default() };
    each(&job(""), script, |world, exports| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "export").await.unwrap();
        let committed = "SELECT count(*) FROM export_files WHERE length > 0 AND state = 'waiting'";
        eventually("a frame to be committed", || async { world.number(committed).await > 0 }).await;
        drop(worker);
        for path in world.export_files() {
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            std::io::Write::write_all(&mut file, b"half a frame, and then the power went").unwrap();
        }
        let again = world.worker(1).await;
        again.until(&run, "done").await;
        let lengths: u64 =
            world.export_files().iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
        let committed = world.number("SELECT CAST(SUM(length) AS BIGINT) FROM export_files").await;
        assert_eq!(i64::try_from(lengths).unwrap(), committed);
        let expected = content_hash(&exports.0.lock().unwrap().files);
        assert_eq!(kept_hash(&world).await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_has_not_what_was_committed_fetches_the_file_again() {
    let script =
        || Script { files: files(2, 60_000), piece_delay: Duration::from_millis(2), ..Script::default() };
    each(&job(""), script, |world, exports| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "export").await.unwrap();
        let committed = "SELECT count(*) FROM export_files WHERE length > 0";
        eventually("a frame to be committed", || async { world.number(committed).await > 0 }).await;
        drop(worker);
        for path in world.export_files() {
            std::fs::remove_file(path).unwrap();
        }
        let again = world.worker(1).await;
        again.until(&run, "done").await;
        let expected = content_hash(&exports.0.lock().unwrap().files);
        assert_eq!(kept_hash(&world).await, expected);
        assert_eq!(world.number("SELECT count(*) FROM export_files WHERE state = 'done'").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_lifetime_is_over_or_that_is_erased_leaves_nothing() {
    let script = || Script { files: files(2, 9_000), ..Script::default() };
    each(&job(""), script, |world, _exports| async move {
        let worker = world.worker(1).await;
        done(&worker).await;
        assert_eq!(world.export_files().len(), 2);
        let request = sallyport_proto::jobs::v1::EraseRequest {
            tenant: "general".to_owned(),
            by: "ada".to_owned(),
            reason: "a test".to_owned(),
            ..Default::default()
        };
        worker.client().erase(request).await.unwrap();
        assert!(world.export_files().is_empty());
        for rows in ["SELECT count(*) FROM exports", "SELECT count(*) FROM export_files"] {
            assert_eq!(world.number(rows).await, 0);
        }
        done(&worker).await;
        world.execute("UPDATE exports SET expires_at = 1").await;
        // What has expired is looked for when a worker starts.
        drop(worker);
        let _again = world.worker(1).await;
        eventually("the export to be removed", || async { world.export_files().is_empty() }).await;
        eventually("its row too", || async { world.number("SELECT count(*) FROM exports").await == 0 }).await;
    })
    .await;
}
