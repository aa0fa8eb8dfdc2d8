//! An approval whose process is killed between any two steps: one record at the EHR or none, and a state that says so, without
//! anybody approving again.

use std::time::Duration;

use sallyport_proto::jobs::v1::Proposal;

use crate::{
    chart::{Chart, Cut},
    proposals::{approval, decide, payload, proposal, propose, writer, written},
    world::{Tab, World, each, until},
};

/// Where the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Killed {
    /// A call to one of our own services stands still there.
    At(&'static str),
    /// The EHR has the request and has done nothing yet: it never will.
    BeforeApplying,
    /// The EHR has done it; its answer is on the way.
    AfterApplying,
}

/// Each step of an approval and the next, and what must come of it: how many records, and the proposal's state, outcome and code.
const STEPS: &[(Killed, usize, (&str, &str, &str))] = &[
    // job-worker was not told yet.
    (Killed::At("decide-before"), 0, ("open", "", "")),
    // It is decided; nobody heard so.
    (Killed::At("decide-after"), 0, ("open", "refused", "write.interrupted")),
    // It stands in the ledger; there is no token yet.
    (Killed::At("token"), 0, ("open", "refused", "write.interrupted")),
    // The ledger says that it is being sent.
    (Killed::BeforeApplying, 0, ("open", "refused", "write.interrupted")),
    (Killed::AfterApplying, 1, ("approved", "applied", "")),
    // The ledger knows how it ended; job-worker does not.
    (Killed::At("settle-before"), 1, ("approved", "applied", "")),
    // Everybody knows but the person.
    (Killed::At("settle-after"), 1, ("approved", "applied", "")),
];

fn posts(world: &World) -> usize {
    world.ehr.seen().iter().filter(|seen| seen.method == "POST").count()
}

fn now(world: &World) -> Proposal {
    world.owners.scans.proposed.lock().unwrap()["a"][0].clone()
}

/// Approves in a process that is killed there.
async fn killed(world: &World, tab: &Tab, there: Killed) {
    let mut chart = Chart::keeping_conditions(true);
    if there == Killed::BeforeApplying {
        chart.cuts.push_back(Cut::BeforeApplying);
    }
    world.ehr.chart(chart);
    let gate = match there {
        Killed::At(place) => {
            world.owners.scans.stop.at(place);
            None
        }
        Killed::BeforeApplying | Killed::AfterApplying => Some(world.ehr.hold()),
    };
    let (doomed, tab) = (world.replica().await, tab.clone());
    let approving = tokio::spawn(async move {
        let text = payload("a");
        decide(&doomed, &tab, approval(&text)).await.map(|_proposal| ())
    });
    match gate {
        Some(gate) => {
            until("the EHR was called", || posts(world) == 1).await;
            approving.abort();
            let _gone = approving.await;
            gate.add_permits(1_000);
        }
        None => {
            until("the approval came as far", || world.owners.scans.stop.is_reached()).await;
            approving.abort();
            let _gone = approving.await;
        }
    }
}

async fn eventually(world: &World, what: &str, wanted: (&str, &str, &str)) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let one = now(world);
        let is = (one.state.as_str(), one.outcome.as_str(), one.code.as_str());
        if is == wanted {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: {is:?} instead of {wanted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn killed_between_any_two_steps_it_settles_by_itself_as_one_record_or_none() {
    for (there, records, wanted) in STEPS {
        each(|world| async move {
            let tab = writer(&world);
            propose(&world, "a", vec![proposal("a", &payload("a"), &[])]);
            killed(&world, &tab, *there).await;
            world.advance(Duration::from_secs(41)).await;
            let what = format!("killed {there:?}");
            eventually(&world, &what, *wanted).await;
            assert_eq!(written(&world), *records, "{what}");
            assert_eq!(now(&world).reference.is_empty(), *records == 0, "{what}");
            let sent = posts(&world);
            // Whatever was said, approving once more makes one record and never a second.
            let again = decide(&world, &tab, approval(&payload("a"))).await.unwrap();
            assert_eq!((again.outcome.as_str(), again.reference.as_str()), ("applied", "Observation/n-1"));
            assert_eq!(written(&world), 1, "{what}");
            assert_eq!(posts(&world) - sent, 1 - *records, "{what}: what is there is not sent again");
        })
        .await;
    }
}

#[tokio::test]
async fn without_the_session_of_whoever_approved_it_it_stays_unknown_until_a_later_one_finds_it() {
    each(|world| async move {
        let tab = writer(&world);
        propose(&world, "a", vec![proposal("a", &payload("a"), &[])]);
        killed(&world, &tab, Killed::AfterApplying).await;
        world.owners.revoke(tab.launch);
        world.advance(Duration::from_secs(41)).await;
        eventually(&world, "signed out", ("approved", "unknown", "session.revoked")).await;
        assert_eq!((posts(&world), written(&world)), (1, 1));
        let later = writer(&world);
        let found = loop {
            match decide(&world, &later, approval(&payload("a"))).await {
                Ok(found) => break found,
                // The background is looking for it at this very moment.
                Err(code) => assert!(code.as_str().starts_with("write."), "{code:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!((found.outcome.as_str(), found.reference.as_str()), ("applied", "Observation/n-1"));
        assert_eq!((posts(&world), written(&world)), (1, 1), "found, not sent again");
    })
    .await;
}

#[tokio::test]
async fn an_approval_that_may_be_under_way_is_left_alone() {
    let world = World::start().await;
    let tab = writer(&world);
    propose(&world, "a", vec![proposal("a", &payload("a"), &[])]);
    killed(&world, &tab, Killed::At("decide-after")).await;
    world.advance(Duration::from_secs(39)).await;
    let asked = world.hops("job-worker");
    until("job-worker was asked three times more", || world.hops("job-worker") > asked + 3).await;
    let one = now(&world);
    assert_eq!((one.state.as_str(), one.outcome.as_str()), ("approved", ""));
}
