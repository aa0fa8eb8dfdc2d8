//! The commands about the audit log, over an audit service of the test's own: export, verification on and off line,
//! proofs, the witness.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::PathBuf, sync::Arc, time::Duration};

use sallyport::{
    audit::{check, disclosures, export, prove_growth, prove_record, verify_exports, verify_instance},
    cli::{DisclosuresArgs, DisclosuresFormat, TrustArgs, Where, WitnessArgs},
    witness::{Look, Witness},
};
use sallyport_audit::{Config, Ports, build, migrations};
use sallyport_audit_client::{AuditClient, Settings};
use sallyport_audit_proof::{Fault, Leaf, WitnessError};
use sallyport_db::{Pool, on_pool};
use sallyport_keyring::{Deployment, KeyEncryptionKey, LocalKey};
use sallyport_model::{Secret, ServiceName, SystemClock};
use sallyport_proto::{
    audit::v1::{Kind, LogStatusRequest, Outcome, Phase, Record, audit_client::AuditClient as Rpc},
    types::v1::{Actor, User, actor},
};
use sallyport_queue::{InProcess, Queue};
use sallyport_rpc::Transport;
use sallyport_telemetry::metrics::Metrics;
use sqlx::AssertSqlSafe;
use tokio::{sync::watch, task::JoinSet};

const TENANT: &str = "general";

struct Site {
    folder: tempfile::TempDir,
    pool: Pool,
    recorder: AuditClient,
    rpc: Transport,
    tasks: JoinSet<()>,
    _stop: watch::Sender<bool>,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pool = Pool::sqlite(&folder.path().join("audit.sqlite")).await.unwrap();
        pool.migrate(migrations()).await.unwrap();
        let kek: Arc<dyn KeyEncryptionKey> =
            Arc::new(LocalKey::open_or_create(&folder.path().join("kek"), Deployment::Development).unwrap());
        let queue: Arc<dyn Queue> = Arc::new(InProcess::new());
        let (stop, shutdown) = watch::channel(false);
        let (mut tasks, mut clients) = (JoinSet::new(), Vec::new());
        for service in [ServiceName::FhirGateway, ServiceName::Audit] {
            let settings = Settings::new(folder.path().join("spool").join(service.as_str()));
            let clock = Arc::new(SystemClock);
            let (client, relay) =
                AuditClient::open(settings, service, Arc::clone(&kek), clock).await.unwrap();
            tasks.spawn(relay.run(Arc::clone(&queue), shutdown.clone()));
            clients.push(client);
        }
        let own = clients.pop().unwrap();
        let config = Config {
            checkpoint_folder: Some(folder.path().join("checkpoints")),
            checkpoint_seconds: 1,
            ..Config::default()
        };
        let ports = Ports {
            pool: pool.clone(),
            queue,
            kek,
            checkpoint_seed: Secret::new(vec![7; 32]),
            audit: own,
            sessions: Arc::new(|_secret| Box::pin(async { Err(sallyport_model::Code::ConsoleSignedOut) })),
            clock: Arc::new(SystemClock),
            metrics: Metrics::new(),
            shutdown,
        };
        let service = build(config, ports).await.unwrap();
        for task in service.background {
            tasks.spawn(task);
        }
        let rpc = Transport::local(service.rpc.unwrap(), ServiceName::Operator);
        Self { folder, pool, recorder: clients.pop().unwrap(), rpc, tasks, _stop: stop }
    }

    /// Records events and waits until a checkpoint outside covers the whole log.
    async fn record(&self, count: usize) {
        for number in 0..count {
            let record = Record {
                kind: Kind::FhirCall.into(),
                outcome: Outcome::Success.into(),
                tenant: TENANT.to_owned(),
                endpoint: "main".to_owned(),
                patients: vec![format!("pat-{number}")],
                purpose: "TREAT".to_owned(),
                interaction: "read".to_owned(),
                resource_types: vec!["Condition".to_owned()],
                ..Record::default()
            };
            self.recorder.event(record).await.unwrap();
        }
        assert!(self.recorder.drain(Duration::from_secs(60)).await);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let request = LogStatusRequest { tenant: TENANT.to_owned() };
            let mut status = Rpc::new(self.rpc.clone()).log_status(request).await.unwrap().into_inner();
            let log = status.logs.remove(0);
            let newest = log.checkpoints.first().and_then(|note| note.lines().nth(1)?.parse::<i64>().ok());
            if newest == Some(log.size) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "a checkpoint over {} records appears", log.size);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Nothing is appended or signed any more; questions are still answered.
    async fn freeze(&mut self) {
        self.tasks.shutdown().await;
    }

    async fn run(&self, sql: &str) {
        on_pool!(self.pool, |c| sqlx::query(AssertSqlSafe(sql.to_owned())).execute(c).await.map(|_done| ()))
            .unwrap();
    }

    async fn disarm(&self) {
        let names: Vec<String> = on_pool!(self.pool, |c| {
            sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetch_all(c).await
        })
        .unwrap();
        for name in names {
            self.run(&format!("DROP TRIGGER {name}")).await;
        }
    }

    async fn key(&self) -> String {
        let request = LogStatusRequest { tenant: String::new() };
        let status = Rpc::new(self.rpc.clone()).log_status(request).await.unwrap().into_inner();
        // Any tenant's will do: it is the same key under another name.
        status.logs.into_iter().next().unwrap().key
    }

    async fn trust(&self) -> TrustArgs {
        TrustArgs { key: Some(self.key().await), witness_key: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn outside(&self) -> Vec<PathBuf> {
        vec![self.path("checkpoints")]
    }

    async fn witness(&self) -> Witness {
        Witness::open(&WitnessArgs {
            name: "witness.example/w1".to_owned(),
            key_file: self.path("witness.key"),
            state: self.path("witnessed"),
            log_key: self.key().await,
            tenant: Vec::new(),
            every_seconds: 60,
            once: true,
            print_key: false,
            place: Default::default(),
        })
        .unwrap()
    }

    async fn look(&self, witness: &Witness) -> Look {
        witness.look(&self.rpc, TENANT, &format!("sallyport/audit/{TENANT}")).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_verified_live_and_offline_and_an_altered_export_is_not() {
    let site = Site::start().await;
    site.record(30).await;
    let trust = site.trust().await;
    let live = verify_instance(&site.rpc, None, "test", &site.outside(), &trust).await.unwrap();
    assert_eq!(live.exit(), 0, "{:?}", live.lines());
    assert!(live.gaps.is_empty());
    let path = site.path("general.ndjson");
    let (bytes, records) = export(&site.rpc, TENANT, "test", Vec::new()).await.unwrap();
    assert!(records >= 30);
    std::fs::write(&path, &bytes).unwrap();
    let files = [path.clone()];
    let offline = verify_exports(&files, &site.outside(), &trust).unwrap();
    assert!(offline.logs.iter().all(|(_, report, _)| report.is_verified()), "{:?}", offline.lines());
    let without_key = verify_exports(&files, &site.outside(), &TrustArgs::default()).unwrap();
    assert_eq!(without_key.exit(), 1);
    let text = String::from_utf8(bytes).unwrap();
    std::fs::write(&path, text.replacen("\"outcome\":2", "\"outcome\":3", 1)).unwrap();
    let altered = verify_exports(&files, &site.outside(), &trust).unwrap();
    assert_eq!(altered.exit(), 1);
    assert!(altered.lines()[0].starts_with("NOT VERIFIED"), "{:?}", altered.lines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_a_file_that_anybody_checks() {
    let site = Site::start().await;
    site.record(10).await;
    let first = std::fs::read_dir(site.path("checkpoints").join(TENANT)).unwrap().next().unwrap().unwrap();
    let note = std::fs::read_to_string(first.path()).unwrap();
    site.record(10).await;
    let trust = site.trust().await;
    let (bytes, _) = export(&site.rpc, TENANT, "test", Vec::new()).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let line = text.lines().find(|line| line.starts_with("{\"v\":")).unwrap();
    let id = Leaf::parse(line.as_bytes()).unwrap().record_id.into_owned();
    let (record, growth) = (site.path("record.json"), site.path("growth.json"));
    let proof = prove_record(&site.rpc, TENANT, &id, Phase::Event, "test").await.unwrap();
    std::fs::write(&record, proof.to_text()).unwrap();
    assert!(check(&record, &trust).unwrap().starts_with("record 0 is in sallyport/audit/general"));
    let proof = prove_growth(&site.rpc, TENANT, note).await.unwrap();
    std::fs::write(&growth, proof.to_text()).unwrap();
    assert!(check(&growth, &trust).unwrap().contains("are unchanged"));
    assert!(check(&growth, &TrustArgs::default()).is_err(), "without a key it shows nothing");
    std::fs::write(&record, std::fs::read_to_string(&record).unwrap().replace("Condition", "Medication"))
        .unwrap();
    assert!(check(&record, &trust).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_signs_a_log_that_grows_and_the_verifier_can_ask_for_it() {
    let site = Site::start().await;
    site.record(5).await;
    let witness = site.witness().await;
    assert!(matches!(site.look(&witness).await, Look::Signed(5)));
    assert!(matches!(site.look(&witness).await, Look::Nothing));
    site.record(5).await;
    // Started again: it goes on from its disk.
    let witness = site.witness().await;
    assert!(matches!(site.look(&witness).await, Look::Signed(10)));
    let trust = TrustArgs { witness_key: vec![witness.verifier().to_string()], ..site.trust().await };
    let places = [site.path("witnessed")];
    let both = verify_instance(&site.rpc, Some(TENANT), "test", &places, &trust).await.unwrap();
    let report = &both.logs[0].1;
    assert_eq!((report.faults.as_slice(), report.checkpoints, report.covered), (&[][..], 2, 10));
    assert!(report.witnessed_at > 1_700_000_000);
    // The log's own checkpoints lack the witness's word.
    let alone = verify_instance(&site.rpc, Some(TENANT), "test", &site.outside(), &trust).await.unwrap();
    assert_eq!(alone.logs[0].1.faults, [Fault::NoCheckpoint]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_refuses_a_log_that_was_changed_or_cut_off() {
    #[cfg(feature = "planted-bugs")]
    if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
        sallyport_model::planted::set(&[&name]);
    }
    let mut site = Site::start().await;
    site.record(6).await;
    let witness = site.witness().await;
    assert!(matches!(site.look(&witness).await, Look::Signed(6)));
    site.freeze().await;
    site.disarm().await;
    // A checkpoint of another history, signed with the log's own key: only the witness's memory tells.
    let key = sallyport_audit_proof::SigningKey::from_seed(
        &format!("sallyport/audit/{TENANT}"),
        sallyport_audit_proof::KeyKind::Log,
        &[7; 32],
    )
    .unwrap();
    let signed = |size: u64| {
        let (mut tree, mut tiles) = (sallyport_audit_proof::Tree::empty(), Vec::new());
        for number in 0..size {
            tree.push(sallyport_audit_proof::Hash::leaf(&number.to_be_bytes()), &mut tiles);
        }
        let (origin, root) = (key.verifier().name().to_owned(), tree.root());
        let note = sallyport_audit_proof::Checkpoint { origin, size, root }.sign(&key).unwrap();
        (note.to_string(), tree.to_bytes())
    };
    for (size, expected) in [(9, "changed"), (6, "changed"), (4, "shorter")] {
        let (note, edge) = signed(size);
        let (size, edge) = (i64::try_from(size).unwrap(), edge.clone());
        site.run("DELETE FROM log_checkpoints WHERE tenant = 'general'").await;
        on_pool!(site.pool, |c| {
            sqlx::query(
                "INSERT INTO log_checkpoints (tenant, size, signed_at, note) VALUES ('general', $1, 1, $2)",
            )
            .bind(size)
            .bind(note.clone())
            .execute(c)
            .await
            .map(|_done| ())
        })
        .unwrap();
        on_pool!(site.pool, |c| {
            sqlx::query("UPDATE log_heads SET size = $1, edge = $2 WHERE tenant = 'general'")
                .bind(size)
                .bind(edge.clone())
                .execute(c)
                .await
                .map(|_done| ())
        })
        .unwrap();
        match (site.look(&witness).await, expected) {
            (Look::Refused(WitnessError::Changed(_)), "changed")
            | (Look::Refused(WitnessError::Shorter { known: 6, found: 4 }), "shorter") => {}
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_turn_their_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(&[(
        "witness-signs-unchecked",
        "a_witness_refuses_a_log_that_was_changed_or_cut_off",
    )]);
}

fn accounting(format: DisclosuresFormat, for_patient: bool) -> DisclosuresArgs {
    DisclosuresArgs {
        tenant: TENANT.to_owned(),
        patient: "pat-0".to_owned(),
        reason: "request 7".to_owned(),
        since: None,
        until: None,
        format,
        for_patient,
        place: Where::default(),
    }
}

async fn told(site: &Site, args: &DisclosuresArgs) -> (u64, String) {
    let mut out = Vec::new();
    let count = disclosures(&site.rpc, args, &mut out).await.unwrap();
    (count, String::from_utf8(out).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_tells_to_whom_a_patient_was_disclosed_over_any_number_of_pages() {
    let site = Site::start().await;
    // More than a page holds, and somebody else's in between.
    for number in 0..1_205 {
        let user = User {
            issuer: "https://ehr.example".to_owned(),
            subject: "=dr\u{1b}[2J".to_owned(),
            ..User::default()
        };
        let record = Record {
            kind: Kind::FhirCall.into(),
            outcome: Outcome::Success.into(),
            tenant: TENANT.to_owned(),
            endpoint: "main".to_owned(),
            actor: Some(Actor { kind: Some(actor::Kind::User(user)) }),
            patients: vec![if number % 241 == 7 { "pat-1" } else { "pat-0" }.to_owned()],
            purpose: "TREAT".to_owned(),
            interaction: "read".to_owned(),
            resource_types: vec!["Condition".to_owned()],
            released: 1,
            ..Record::default()
        };
        // Not one by one: they share their syncs.
        let pending = site.recorder.begin(record.clone()).unwrap();
        let record_id = pending.record_id().uuid().as_bytes().to_vec();
        site.recorder.outcome(Record { record_id, ..record });
    }
    assert!(site.recorder.drain(Duration::from_secs(60)).await);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let args = accounting(DisclosuresFormat::Json, false);
    let (count, json) = loop {
        let (count, json) = told(&site, &args).await;
        if count == 1_200 && !json.contains("maybe_shown") {
            break (count, json);
        }
        assert!(tokio::time::Instant::now() < deadline, "1,200 disclosures are told, not {count}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let lines: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1_202, "the period, each disclosure, the sum");
    assert_eq!((&lines[0]["is_known"], &lines[1_201]["disclosures"]), (&true.into(), &count.into()));
    for args in [
        accounting(DisclosuresFormat::Text, false),
        accounting(DisclosuresFormat::Csv, false),
        accounting(DisclosuresFormat::Text, true),
    ] {
        let (count, text) = told(&site, &args).await;
        assert_eq!(count, 1_200);
        assert!(!text.contains('\u{1b}'), "nothing moves a terminal");
        assert!(!text.contains(",=dr"), "nothing is a formula");
    }
    let (_, own) = told(&site, &accounting(DisclosuresFormat::Text, true)).await;
    assert!(own.contains("was shown: health problems and diagnoses. For your treatment."), "{own}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patient_whom_the_log_does_not_know_gets_an_answer_that_says_so() {
    let site = Site::start().await;
    let args = accounting(DisclosuresFormat::Text, false);
    let (count, text) = told(&site, &args).await;
    assert_eq!(count, 0);
    assert!(text.contains("or they were erased"), "{text}");
    let (_, own) = told(&site, &DisclosuresArgs { for_patient: true, ..args.clone() }).await;
    assert!(own.contains("We have no record of anybody"), "{own}");
    let unreasoned = DisclosuresArgs { reason: String::new(), ..args };
    disclosures(&site.rpc, &unreasoned, &mut Vec::new()).await.unwrap_err();
}
