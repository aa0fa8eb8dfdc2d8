//! The ledger is gone through at the start and ever after: writes of processes that are gone, and those whose outcome is not
//! known, are looked for. Nothing is sent from here: that takes the person who approved it.

use std::{sync::Arc, time::Duration};

use sallyport_egress::Instant;
use sallyport_model::{Actor, Code, User, scope::ScopeSet};
use tokio::sync::watch;

use super::{down, end_turn, find, sealing::Intent};
use crate::{
    Gateway,
    domain::context,
    error::Refusal,
    store::{End, State, Write},
};

/// Goes through the ledger until shutdown.
pub(crate) async fn run(gateway: Arc<Gateway>, mut shutdown: watch::Receiver<bool>) {
    let pause = Duration::from_millis(gateway.config.write_look_interval_ms);
    loop {
        let round = async {
            if let Err(refusal) = round(&gateway).await {
                tracing::warn!(code = refusal.code.as_str(), "the ledger of writes waits for its next round");
            }
        };
        tokio::select! {
            () = round => {}
            _ = shutdown.wait_for(|over| *over) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = shutdown.wait_for(|over| *over) => return,
        }
    }
}

async fn round(gateway: &Gateway) -> Result<(), Refusal> {
    // Nobody's authorisation is used while it is not known which were withdrawn; no look is lost by waiting.
    if !gateway.sessions.are_known() {
        return Ok(());
    }
    for write in gateway.database.writes_due(gateway.clock.now()).await.map_err(down)? {
        if write.state == State::Executing && !write.is_lease_over {
            continue;
        }
        // What is wrong with one must not keep the others waiting.
        if let Err(refusal) = one(gateway, &write).await {
            tracing::info!(code = refusal.code.as_str(), "a write stays in doubt for now");
        }
    }
    if let Ok(count) = gateway.database.writes_in_doubt().await {
        gateway.metrics.writes_in_doubt(count);
    }
    Ok(())
}

async fn one(gateway: &Gateway, write: &Write) -> Result<(), Refusal> {
    let by = (write.launch, write.grant);
    let lease = gateway.config.write_lease_micros();
    let taken = gateway.database.take_write(write, by, false, lease, gateway.clock.now()).await;
    let Some(epoch) = taken.map_err(|error| down(error.into()))? else { return Ok(()) };
    if write.state == State::Approved {
        // Its process went away before it called the EHR.
        let end = End {
            state: State::Rejected,
            finding: None,
            code: Some(Code::WriteInterrupted),
            result_sealed: None,
            look_at: gateway.clock.now(),
        };
        return end_turn(gateway, write, epoch, &end).await.map(|_is_ours| ());
    }
    let place = gateway.places.of(&write.tenant, &write.endpoint).ok_or(Code::Internal)?;
    let endpoint = gateway.registry.endpoint(&write.tenant, &write.endpoint).ok_or(Code::Internal)?;
    let profile = endpoint.behaviour.now(gateway.clock.now())?;
    let looked = match access(gateway, write).await {
        Ok(access) => {
            let deadline = Instant::now() + Duration::from_millis(gateway.config.call_timeout_ms);
            Box::pin(find::look(gateway, &access, place, profile, write, deadline)).await
        }
        Err(refusal) => Err(refusal),
    };
    find::conclude(gateway, profile, write, epoch, looked).await.map(|_found| ())
}

/// The authority under which it was approved, as long as it lasts.
async fn access(gateway: &Gateway, write: &Write) -> Result<sallyport_model::AccessContext, Refusal> {
    gateway.sessions.check_grant(write.launch, write.grant)?;
    let key = gateway.write_keys.of_row(&write.tenant, write.data_key).await?;
    let intent: Intent = key.open(write.id, "intent", &write.intent_sealed)?;
    let feature = gateway.registry.feature(&write.tenant, &write.feature).ok_or(Code::FeatureUnknown)?;
    let user = User {
        issuer: intent.user_issuer.clone(),
        subject: intent.user_subject.clone(),
        fhir_user: intent.fhir_user.clone(),
    };
    let patients = find::patients_of(&intent)?;
    Ok(context::build_for_ledger(
        write,
        feature,
        Actor::User(user),
        patients,
        ScopeSet::parse(&intent.granted_scope),
    ))
}
