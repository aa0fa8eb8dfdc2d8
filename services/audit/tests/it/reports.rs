//! Reports of incidents: signed with the key that signs the logs, recorded by their hash, and never a checkpoint.

use sallyport_audit::migrations;
use sallyport_audit_proof::{VerifierKey, verify_report};
use sallyport_db::testing::each;
use sallyport_model::Code;
use sallyport_proto::audit::v1::{
    Kind, LogStatusRequest, QueryRequest, SignReportRequest, audit_client::AuditClient as Rpc,
};
use sallyport_rpc::code_of;

use crate::house::{House, TENANT, read, succeeded};

async fn sign(house: &House, body: &str, reason: &str) -> Result<String, tonic::Status> {
    let request =
        SignReportRequest { body: body.to_owned(), operator: "olga".to_owned(), reason: reason.to_owned() };
    Rpc::new(house.rpc.clone()).sign_report(request).await.map(|answer| answer.into_inner().note)
}

#[tokio::test]
async fn a_report_is_signed_with_the_logs_key_and_its_hash_is_on_the_log() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        house.gateway.event(succeeded(read("pat-1", "dr-who"))).await.unwrap();
        house.settle().await;
        let note = sign(&house, "{\n  \"sessions\": 3\n}", "incident 7").await.unwrap();
        // Whoever has the key of any log has the key of reports.
        let status = LogStatusRequest { tenant: TENANT.to_owned() };
        let status = Rpc::new(house.rpc.clone()).log_status(status).await.unwrap().into_inner();
        let key = VerifierKey::parse(&status.logs[0].key).unwrap();
        let report = verify_report(note.as_bytes(), &key).unwrap();
        assert_eq!(report.body, "{\n  \"sessions\": 3\n}\n");
        let altered = note.replace("3", "2");
        verify_report(altered.as_bytes(), &key).unwrap_err();
        house.settle().await;
        let request = QueryRequest { tenant: "_system".to_owned(), from: 1, ..QueryRequest::default() };
        let record = house.query(request).await.into_iter().find(|r| r.kind() == Kind::Operator).unwrap();
        assert_eq!(record.interaction, "sign-report");
        assert!(
            record.detail.starts_with("sha256 ") && record.detail.ends_with(" : incident 7"),
            "{}",
            record.detail
        );
        for (body, reason) in [("{}", ""), ("5\nAAAA", "r"), ("", "r"), ("{}\n\n{}", "r")] {
            let refused = sign(&house, body, reason).await.unwrap_err();
            assert_eq!(code_of(&refused), Code::RequestInvalid, "{body:?} {reason:?}");
        }
        let large = format!("{{\"x\": \"{}\"}}", "y".repeat(100_000));
        assert_eq!(code_of(&sign(&house, &large, "r").await.unwrap_err()), Code::RequestInvalid);
    })
    .await;
}
