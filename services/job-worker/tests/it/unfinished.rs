//! Approvals whose end nobody told: listed without a patient, and ended once by what the ledger says.

use sallyport_model::ServiceName;
use sallyport_proto::jobs::v1::{
    CountProposalsRequest, FinishRequest, ListUnfinishedRequest, Proposal, Unfinished,
    proposals_client::ProposalsClient,
};

use crate::{
    care_gaps::{SCOPES, chart},
    proposals::{approval, decide, list, proposing, run, settle},
    world::{Worker, code, each},
};

pub(crate) async fn unfinished(worker: &Worker, untouched_for_ms: i64) -> Vec<Unfinished> {
    let mut client = ProposalsClient::new(worker.transport(ServiceName::FhirGateway));
    let request = ListUnfinishedRequest { untouched_for_ms, after: Vec::new() };
    client.list_unfinished(request).await.unwrap().into_inner().proposals
}

pub(crate) async fn finish(worker: &Worker, one: &Unfinished, outcome: &str, code: &str) -> bool {
    let reference = if outcome == "applied" { "CommunicationRequest/n-7" } else { "" };
    let request = FinishRequest {
        proposal_id: one.proposal_id.clone(),
        tenant: one.tenant.clone(),
        touched_at: one.touched_at,
        outcome: outcome.to_owned(),
        code: code.to_owned(),
        reference: reference.to_owned(),
        version: String::new(),
    };
    let mut client = ProposalsClient::new(worker.transport(ServiceName::FhirGateway));
    client.finish(request).await.unwrap().into_inner().is_finished
}

async fn now(worker: &Worker, patient: &str) -> (String, String, String) {
    let Proposal { state, outcome, code, .. } = list(worker, patient).await.remove(0);
    (state, outcome, code)
}

fn is(state: &str, outcome: &str, code: &str) -> (String, String, String) {
    (state.to_owned(), outcome.to_owned(), code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_whose_end_nobody_told_is_listed_and_ended_by_the_ledger_once() {
    each(&[proposing("")], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        let worker = world.worker(1).await;
        run(&worker).await;
        let one = list(&worker, "p000").await.remove(0);
        assert!(unfinished(&worker, 0).await.is_empty(), "nobody has approved it");
        decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
        assert!(unfinished(&worker, 3_600_000).await.is_empty(), "it may be under way");
        let first = unfinished(&worker, 0).await.remove(0);
        assert_eq!(
            (&first.proposal_id, first.tenant.as_str(), first.endpoint.as_str(), first.outcome.as_str()),
            (&one.proposal_id, "general", "main", "")
        );
        decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
        let outdated = finish(&worker, &first, "refused", "write.interrupted").await;
        assert!(!outdated, "somebody has approved it once more");
        assert_eq!(now(&worker, "p000").await, is("approved", "", ""));
        let again = unfinished(&worker, 0).await.remove(0);
        assert!(finish(&worker, &again, "refused", "write.interrupted").await);
        assert_eq!(now(&worker, "p000").await, is("open", "refused", "write.interrupted"));
        assert!(!finish(&worker, &again, "applied", "").await, "it is over");

        decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
        let doubtful = unfinished(&worker, 0).await.remove(0);
        assert!(finish(&worker, &doubtful, "unknown", "session.revoked").await);
        let counted = worker.client().count_proposals(CountProposalsRequest::default()).await.unwrap();
        let told: Vec<_> =
            counted.into_inner().counts.into_iter().map(|one| (one.state, one.outcome, one.code)).collect();
        assert_eq!(told, [is("approved", "unknown", "session.revoked")]);
        let still = unfinished(&worker, 0).await.remove(0);
        assert_eq!((still.touched_at, still.code.as_str()), (doubtful.touched_at, "session.revoked"));
        assert!(finish(&worker, &still, "applied", "").await);
        assert_eq!(now(&worker, "p000").await, is("approved", "applied", ""));
        assert_eq!(list(&worker, "p000").await[0].reference, "CommunicationRequest/n-7");
        assert!(unfinished(&worker, 0).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ehr_has_is_not_open_whoever_opened_it_again() {
    each(&[proposing("")], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        let worker = world.worker(1).await;
        run(&worker).await;
        let one = list(&worker, "p000").await.remove(0);
        decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
        let found = unfinished(&worker, 0).await.remove(0);
        assert!(finish(&worker, &found, "refused", "write.interrupted").await);
        let late = settle(&worker, &one.proposal_id, "applied", "").await;
        assert_eq!((late.state.as_str(), late.outcome.as_str()), ("approved", "applied"));
        let again = decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
        assert_eq!(again.outcome, "applied");
        let mut client = ProposalsClient::new(worker.transport(ServiceName::Web));
        let denied = client.list_unfinished(ListUnfinishedRequest::default()).await.unwrap_err();
        assert_eq!(code(&denied), "rpc.caller_denied");
    })
    .await;
}
