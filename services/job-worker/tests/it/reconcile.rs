//! Taking a run's effects back: a plan that changes nothing, and the withdrawal of what nobody has decided on.

use sallyport_model::{RunId, SystemClock};
use sallyport_proto::{
    convert,
    jobs::v1::{ControlRequest, ReconcilePlan},
};

use crate::{
    care_gaps::{SCOPES, chart},
    proposals::{approval, decide, list, proposing, reject, run, settle},
    unfinished::{finish, unfinished},
    world::{Worker, code, each},
};

fn request(run: &[u8], reason: &str) -> ControlRequest {
    ControlRequest { run_id: run.to_vec(), by: "the operator".to_owned(), reason: reason.to_owned() }
}

async fn plan(worker: &Worker, run: &[u8]) -> ReconcilePlan {
    worker.client().reconcile_run(request(run, "a wrong rule")).await.unwrap().into_inner()
}

fn ways(plan: &ReconcilePlan) -> Vec<&str> {
    let mut ways: Vec<&str> = plan.proposals.iter().map(|one| one.way_back.as_str()).collect();
    ways.sort_unstable();
    ways
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_each_effect_with_its_way_back_and_changes_nothing() {
    each(&[proposing("")], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "9.4");
        let worker = world.worker(1).await;
        let started = worker.start("general", "gaps").await.unwrap();
        worker.until(&started, "done").await;
        let run = started.run_id;
        let one = list(&worker, "p000").await.remove(0);
        decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
        settle(&worker, &one.proposal_id, "applied", "").await;
        let other = list(&worker, "p001").await.remove(0).proposal_id;
        let seen = plan(&worker, &run).await;
        assert_eq!(ways(&seen), ["undo", "withdraw"]);
        assert_eq!(ways(&plan(&worker, &run).await), ways(&seen), "a plan changes nothing");
        let written = seen.proposals.iter().find(|one| one.way_back == "undo").unwrap();
        assert_eq!(
            (written.reference.as_str(), written.version.as_str(), &written.proposal_id),
            ("CommunicationRequest/n-1", "1", &one.proposal_id)
        );
        assert_eq!((seen.run.as_ref().unwrap().state.as_str(), seen.has_more), ("done", false));
        assert!(seen.export.is_none());
        let kept: Vec<_> =
            seen.results.iter().map(|one| (one.resource_type.as_str(), one.subjects)).collect();
        assert_eq!(kept, [("care-gaps", 2)]);

        let shown = list(&worker, "p001").await.remove(0);
        decide(&worker, "p001", &other, approval(&shown)).await.unwrap();
        assert_eq!(ways(&plan(&worker, &run).await), ["undo", "wait"]);
        let lost = unfinished(&worker, 0).await.remove(0);
        assert!(finish(&worker, &lost, "unknown", "session.revoked").await);
        assert_eq!(ways(&plan(&worker, &run).await), ["find-out", "undo"]);
        assert!(finish(&worker, &lost, "refused", "write.interrupted").await);
        decide(&worker, "p001", &other, reject("done by phone")).await.unwrap();
        assert_eq!(ways(&plan(&worker, &run).await), ["nothing", "undo"]);

        let records = world.records().await;
        let planned = records.iter().find(|record| record.interaction == "reconcile-plan").unwrap();
        assert_eq!((planned.detail.as_str(), &planned.run_id), ("the operator: a wrong rule", &run));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_withdrew_does_not_come_back_on_the_same_evidence() {
    each(&[proposing("")], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "9.4");
        let worker = world.worker(1).await;
        let started = worker.start("general", "gaps").await.unwrap();
        worker.until(&started, "done").await;
        let withdrawn = worker.client().withdraw_proposals(request(&started.run_id, "a wrong rule")).await;
        assert_eq!(withdrawn.unwrap().into_inner().withdrawn, 2);
        run(&worker).await;
        for patient in ["p000", "p001"] {
            let kept = list(&worker, patient).await.remove(0);
            assert_eq!((kept.state.as_str(), kept.outcome.as_str()), ("withdrawn", "taken-back"));
        }
        chart(&world, "p000", "9.9");
        run(&worker).await;
        let fresh = list(&worker, "p000").await.remove(0);
        assert_eq!((fresh.state.as_str(), fresh.outcome.as_str()), ("open", ""), "new evidence");
        assert_eq!(list(&worker, "p001").await[0].state, "withdrawn");
        // By then nobody would have it before them any more, had it not been withdrawn.
        world.execute("UPDATE proposals SET expires_at = 1 WHERE state = 'withdrawn'").await;
        run(&worker).await;
        let again = list(&worker, "p001").await.remove(0);
        assert_eq!((again.state.as_str(), again.outcome.as_str()), ("open", ""), "its time is over");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawing_takes_back_what_nobody_has_decided_on_with_a_recorded_reason_and_nothing_else() {
    each(&[proposing("")], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "9.4");
        let worker = world.worker(1).await;
        let started = worker.start("general", "gaps").await.unwrap();
        worker.until(&started, "done").await;
        let run = started.run_id;
        let one = list(&worker, "p000").await.remove(0);
        decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
        let mute = worker.client().withdraw_proposals(request(&run, "")).await.unwrap_err();
        assert_eq!(code(&mute), "request.invalid");
        let nobody = convert::id_bytes(RunId::new(&SystemClock).uuid());
        for refused in [
            worker.client().withdraw_proposals(request(&nobody, "x")).await.map(|_| ()),
            worker.client().reconcile_run(request(&nobody, "x")).await.map(|_| ()),
        ] {
            assert_eq!(code(&refused.unwrap_err()), "run.unknown");
        }
        let withdrawn = worker.client().withdraw_proposals(request(&run, "a wrong rule")).await.unwrap();
        assert_eq!(withdrawn.into_inner().withdrawn, 1);
        let other = list(&worker, "p001").await.remove(0);
        assert_eq!(
            (other.state.as_str(), list(&worker, "p000").await[0].state.as_str()),
            ("withdrawn", "approved")
        );
        assert_eq!(ways(&plan(&worker, &run).await), ["nothing", "wait"]);
        let again = worker.client().withdraw_proposals(request(&run, "a wrong rule")).await.unwrap();
        assert_eq!(again.into_inner().withdrawn, 0);
        let late = decide(&worker, "p001", &other.proposal_id, approval(&other)).await.unwrap_err();
        assert_eq!(code(&late), "proposal.decided");
        let records = world.records().await;
        let told: Vec<_> = records.iter().filter(|record| record.interaction == "withdraw").collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].detail.starts_with("the operator: a wrong rule; proposal: "), "{}", told[0].detail);
    })
    .await;
}
