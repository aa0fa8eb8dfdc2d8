//! Proofs of single records, of records from before the log, and through an erasure.

use sallyport_audit::{Order, migrations};
use sallyport_audit_proof::{Finding, Hash, InclusionProof, Leaf, ProofFile};
use sallyport_db::testing::each;
use sallyport_model::{Code, EndpointId, PatientId, TenantId};
use sallyport_proto::audit::v1::{
    Phase, ProveRecordRequest, ProveRecordResponse, QueryRequest, audit_client::AuditClient as Rpc,
};

use crate::{
    house::TENANT,
    ledger::{Ledger, disarm, keys, run},
};

async fn prove(ledger: &Ledger, record: &[u8], phase: Phase) -> Result<ProveRecordResponse, tonic::Status> {
    let request = ProveRecordRequest {
        tenant: TENANT.to_owned(),
        record_id: record.to_vec(),
        phase: phase.into(),
        operator: "olga".to_owned(),
        reason: "test".to_owned(),
    };
    Rpc::new(ledger.house.rpc.clone()).prove_record(request).await.map(tonic::Response::into_inner)
}

fn file(proof: &ProveRecordResponse) -> ProofFile {
    ProofFile::Inclusion(InclusionProof {
        record: String::from_utf8(proof.leaf.clone()).unwrap(),
        index: u64::try_from(proof.index).unwrap(),
        path: proof.path.iter().map(|hash| Hash::from_slice(hash).unwrap().to_string()).collect(),
        checkpoint: proof.checkpoint.clone(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_record_is_proven_by_a_few_hashes_and_another_is_not() {
    each(migrations(), |pool| async move {
        let ledger = Ledger::start(pool).await;
        ledger.record(40).await;
        let query = QueryRequest { patient: "pat-7".to_owned(), ..QueryRequest::default() };
        for record in ledger.house.query(query).await {
            let proof = prove(&ledger, &record.record_id, record.phase()).await.unwrap();
            assert!(proof.path.len() <= 8, "{}", proof.path.len());
            file(&proof).verify(&keys()).unwrap();
            let leaf = String::from_utf8(proof.leaf.clone()).unwrap();
            let forged = ProveRecordResponse {
                leaf: leaf.replace("\"released\":", "\"released\":1").into_bytes(),
                ..proof
            };
            assert_ne!(forged.leaf, leaf.into_bytes());
            assert!(file(&forged).verify(&keys()).is_err());
        }
        let unknown = prove(&ledger, &[9; 16], Phase::Event).await.unwrap_err();
        assert_eq!(sallyport_rpc::code_of(&unknown), Code::RequestInvalid);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_the_log_for_proofs_is_itself_recorded() {
    each(migrations(), |pool| async move {
        let ledger = Ledger::start(pool).await;
        ledger.event("pat-1").await;
        let _leaves = ledger.leaves().await;
        let _unknown = prove(&ledger, &[9; 16], Phase::Event).await;
        ledger.house.settle().await;
        let looks = ledger.house.query(QueryRequest { from: 1, ..QueryRequest::default() }).await;
        let looks: Vec<_> = looks
            .iter()
            .filter(|record| record.service == "audit")
            .map(|record| (record.interaction.as_str(), record.released, record.detail.as_str()))
            .collect();
        assert_eq!(looks, [("export", 1, "test"), ("prove", 0, "test")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_erasure_the_person_is_gone_and_every_proof_holds() {
    each(migrations(), |pool| async move {
        let ledger = Ledger::start(pool).await;
        ledger.record(60).await;
        let query = QueryRequest { patient: "pat-7".to_owned(), ..QueryRequest::default() };
        let before = ledger.house.query(query.clone()).await;
        assert!(!before.is_empty());
        let leaves = ledger.leaves().await;
        let (tenant, endpoint) = (TenantId::parse(TENANT).unwrap(), EndpointId::parse("main").unwrap());
        let patient = PatientId::parse("pat-7").unwrap();
        let order = Order { operator: "olga".to_owned(), reference: "ticket-12".to_owned() };
        assert!(ledger.house.erasure.patient(&tenant, &endpoint, &patient, &order).await.unwrap());
        ledger.house.settle().await;
        ledger.covered().await;
        assert!(
            ledger.house.query(query).await.iter().all(|record| record.service == "audit"),
            "nobody finds them"
        );
        let after = ledger.leaves().await;
        assert_eq!(after[..leaves.len()], leaves, "no leaf changed");
        let report = ledger.verify().await;
        assert_eq!(report.faults, []);
        for record in before.iter().filter(|record| record.service != "audit") {
            let proof = prove(&ledger, &record.record_id, record.phase()).await.unwrap();
            file(&proof).verify(&keys()).unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_from_before_the_log_are_taken_into_it_and_say_so() {
    each(migrations(), |pool| async move {
        let mut ledger = Ledger::start(pool.clone()).await;
        ledger.record(30).await;
        ledger.house.freeze().await;
        // As a version before the log left it.
        disarm(&pool).await;
        for table in ["log_heads", "log_tiles", "log_checkpoints"] {
            run(&pool, &format!("DELETE FROM {table}")).await.unwrap();
        }
        run(&pool, "UPDATE records SET log_index = NULL").await.unwrap();
        std::fs::remove_dir_all(ledger.folder.path().join(TENANT)).unwrap();
        ledger.house = ledger.house.crash_and_restart().await;
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        while ledger.log().await.size < 60 {
            assert!(tokio::time::Instant::now() < deadline, "they are taken into the log");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        ledger.record(5).await;
        let report = ledger.verify().await;
        assert_eq!((report.faults, report.records), (vec![], 70));
        let adopted = |f: &Finding| matches!(f, Finding::Adopted { count: 60, .. });
        assert!(report.findings.iter().any(adopted), "{:?}", report.findings);
        // In the order in which they were stored, and provable like any other.
        let leaves = ledger.leaves().await;
        let leaf = Leaf::parse(&leaves[59]).unwrap();
        assert!(leaf.adopted_at.is_some());
        let id = uuid::Uuid::parse_str(&leaf.record_id).unwrap();
        let phase = Phase::try_from(leaf.phase).unwrap();
        let proof = prove(&ledger, id.as_bytes(), phase).await.unwrap();
        assert_eq!(proof.index, 59);
        file(&proof).verify(&keys()).unwrap();
    })
    .await;
}
