//! The current access token of a grant, for fhir-gateway alone: served while it is good, refreshed once when it is not.

use std::{sync::Arc, time::Duration};

use sallyport_model::{Code, EndpointId, GrantId, Micros, RegistrationId, Secret, TenantId};
use sallyport_smart::pkce::sha256;
use tokio::time::Instant;

use crate::{
    domain::refresh::{self, Trigger},
    error::Error,
    sealing::Field,
    store::{Grant, State},
    vault::Vault,
};

/// Between two looks at a refresh that another process makes.
const POLL: Duration = Duration::from_millis(50);

/// A token ready for use.
#[derive(Debug)]
pub(crate) struct AccessToken {
    pub(crate) token: Secret<String>,
    pub(crate) expires_at: Micros,
    pub(crate) granted_scope: String,
    pub(crate) version: i64,
    /// Where it is good, and whose client it was given to.
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    /// Given to the registration itself.
    pub(crate) is_service: bool,
}

/// What to do with a grant when somebody asks for its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// Hand the token out.
    Serve,
    /// Say why not.
    Refuse(Code),
    /// Refresh first.
    Refresh,
    /// Another process is refreshing.
    Wait,
    /// The process that was refreshing has died.
    TakeOver,
}

/// The token of a grant. `rejected` is the SHA-256 of a token that the FHIR server has just refused.
pub(crate) async fn token(
    vault: &Arc<Vault>,
    tenant: &TenantId,
    id: GrantId,
    rejected: Option<[u8; 32]>,
) -> Result<AccessToken, Error> {
    let deadline = Instant::now() + Duration::from_millis(vault.config.access_wait_ms);
    loop {
        let asked = Asked::load(vault, tenant, id, rejected).await?;
        let plan = asked.plan(vault)?;
        if sallyport_model::planted!("refresh-not-single-flight")
            && matches!(plan, Plan::Refresh | Plan::Wait)
        {
            refresh::run_unguarded(vault, &asked.grant).await?;
            continue;
        }
        match plan {
            Plan::Serve => return asked.serve(vault).await,
            Plan::Refuse(code) => return Err(code.into()),
            Plan::Wait if Instant::now() < deadline => tokio::time::sleep(POLL).await,
            Plan::Wait if asked.is_still_good(vault.now()) => return asked.serve(vault).await,
            Plan::Wait => return Err(Code::UpstreamTimeout.into()),
            Plan::Refresh | Plan::TakeOver => {
                let turn = vault.flights.turn(id).await;
                // Whoever had the turn before may have done it already.
                let asked = Asked::load(vault, tenant, id, rejected).await?;
                let again = asked.plan(vault)?;
                if again != plan {
                    continue;
                }
                let outcome = match again {
                    Plan::TakeOver => refresh::take_over(vault, asked.grant, turn).await,
                    _ => refresh::refresh(vault, asked.grant, Trigger::Demand, turn).await,
                };
                if let Err(error) = outcome {
                    return after_failure(vault, tenant, id, rejected, error).await;
                }
            }
        }
    }
}

/// The token as it stands, whatever its state: for the planted leak alone.
pub(crate) async fn peek(vault: &Vault, tenant: &TenantId, id: GrantId) -> Option<Secret<String>> {
    Asked::load(vault, tenant, id, None).await.ok()?.token
}

/// A refresh that failed is no reason to refuse a token that is still good.
async fn after_failure(
    vault: &Arc<Vault>,
    tenant: &TenantId,
    id: GrantId,
    rejected: Option<[u8; 32]>,
    error: Error,
) -> Result<AccessToken, Error> {
    let asked = Asked::load(vault, tenant, id, rejected).await?;
    match asked.plan(vault)? {
        Plan::Serve => asked.serve(vault).await,
        Plan::Refuse(code) if asked.grant.state != State::Active => Err(code.into()),
        _ => Err(error),
    }
}

/// A grant and what is asked of it.
struct Asked {
    grant: Grant,
    token: Option<Secret<String>>,
    is_rejected: bool,
}

impl Asked {
    async fn load(
        vault: &Vault,
        tenant: &TenantId,
        id: GrantId,
        rejected: Option<[u8; 32]>,
    ) -> Result<Self, Error> {
        let grant = vault.store.grant(tenant, id).await?.ok_or(Code::GrantUnknown)?;
        let token = match &grant.sealed.access {
            // What has ended is refused, whether or not it could still be opened.
            _ if matches!(grant.state, State::Dead | State::Revoked) => None,
            Some(sealed) => {
                Some(vault.sealing.open(tenant, id, grant.sealed.data_key, Field::Access, sealed).await?)
            }
            None => None,
        };
        let is_rejected =
            token.as_ref().is_none_or(|token| rejected == Some(sha256(token.expose().as_bytes())));
        Ok(Self { grant, token, is_rejected })
    }

    fn plan(&self, vault: &Vault) -> Result<Plan, Error> {
        let place = vault.place(&self.grant.tenant, &self.grant.registration)?;
        let tokens = &place.profile.tokens;
        let pace = Pace {
            margin: tokens.refresh_margin_seconds.saturating_mul(1_000_000),
            interval: tokens.refresh_interval_seconds.unwrap_or(0).saturating_mul(1_000_000),
        };
        Ok(plan(&self.grant, self.is_rejected, pace, vault.now()))
    }

    fn is_still_good(&self, now: Micros) -> bool {
        !self.is_rejected && self.grant.access_expires_at > now
    }

    async fn serve(self, vault: &Vault) -> Result<AccessToken, Error> {
        let token = self.token.ok_or(Error::Malformed("grants.access_sealed"))?;
        if !self.grant.is_claimed {
            vault.store.claim(self.grant.id, vault.now()).await?;
        }
        crate::leaks::on_answer(&token, &vault.metrics);
        let place = vault.place(&self.grant.tenant, &self.grant.registration)?;
        Ok(AccessToken {
            token,
            expires_at: self.grant.access_expires_at,
            granted_scope: self.grant.granted_scope,
            version: self.grant.version,
            is_service: self.grant.service_scope.is_some(),
            endpoint: place.entry.endpoint.id.clone(),
            registration: self.grant.registration,
        })
    }
}

/// When an EHR wants a token to be refreshed.
#[derive(Clone, Copy)]
struct Pace {
    /// From when this much of a token's life remains.
    margin: Micros,
    /// Not sooner after the last time than this.
    interval: Micros,
}

fn plan(grant: &Grant, is_rejected: bool, pace: Pace, now: Micros) -> Plan {
    // A token that never lives as long as the margin would be refreshed for each call: a quarter of its life will do.
    let margin = pace.margin.min((grant.access_expires_at - grant.refreshed_at) / 4);
    let is_good = !is_rejected && grant.access_expires_at > now;
    let may_refresh = grant.not_before.max(grant.refreshed_at + pace.interval) <= now;
    let is_fresh = is_good && grant.access_expires_at - now > margin;
    match grant.state {
        State::Revoked => Plan::Refuse(Code::GrantRevoked),
        State::Dead => Plan::Refuse(Code::GrantDead),
        State::Active | State::Refreshing | State::Uncertain if is_fresh => Plan::Serve,
        State::Uncertain => Plan::Refuse(Code::GrantUncertain),
        State::Refreshing if grant.is_lease_over => Plan::TakeOver,
        State::Refreshing => Plan::Wait,
        State::Active if grant.is_renewable() && may_refresh => Plan::Refresh,
        State::Active if is_good => Plan::Serve,
        State::Active if grant.is_renewable() => Plan::Refuse(Code::UpstreamBusy),
        State::Active => Plan::Refuse(Code::GrantDead),
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::{LaunchId, RegistrationId, TestClock};

    use super::*;
    use crate::store::Sealed;

    const NOW: Micros = 1_700_000_000_000_000;
    const MINUTE: Micros = 60_000_000;

    fn grant(state: State, remaining: Micros, renewable: bool) -> Grant {
        let clock = TestClock::at(NOW);
        Grant {
            id: GrantId::new(&clock),
            tenant: TenantId::parse("t").unwrap(),
            registration: RegistrationId::parse("r").unwrap(),
            launch: LaunchId::new(&clock),
            state,
            version: 1,
            sealed: Sealed {
                data_key: uuid::Uuid::nil(),
                access: Some(vec![1]),
                refresh: renewable.then(|| vec![2]),
            },
            access_expires_at: NOW + remaining,
            granted_scope: String::new(),
            token_endpoint: String::new(),
            issuer: String::new(),
            revocation_endpoint: String::new(),
            introspection_endpoint: String::new(),
            service_scope: None,
            refreshed_at: NOW - 10 * MINUTE,
            is_claimed: true,
            failures: 0,
            not_before: 0,
            lease_epoch: 1,
            is_lease_over: false,
            upstream_attempts: 0,
        }
    }

    fn plan_of(grant: &Grant, is_rejected: bool) -> Plan {
        plan(grant, is_rejected, Pace { margin: MINUTE, interval: 0 }, NOW)
    }

    #[test]
    fn a_good_token_is_served_and_one_in_its_margin_is_refreshed() {
        assert_eq!(plan_of(&grant(State::Active, 2 * MINUTE, true), false), Plan::Serve);
        assert_eq!(plan_of(&grant(State::Active, MINUTE, true), false), Plan::Refresh);
        assert_eq!(plan_of(&grant(State::Active, 2 * MINUTE, true), true), Plan::Refresh);
    }

    #[test]
    fn a_short_lived_token_is_used_for_three_quarters_of_its_life() {
        let short = Grant { refreshed_at: NOW, ..grant(State::Active, MINUTE / 3, true) };
        assert_eq!(plan_of(&short, false), Plan::Serve);
        let late = Grant { refreshed_at: NOW - MINUTE, ..grant(State::Active, MINUTE / 3, true) };
        assert_eq!(plan_of(&late, false), Plan::Refresh);
    }

    #[test]
    fn a_token_that_cannot_be_renewed_is_served_to_its_end() {
        assert_eq!(plan_of(&grant(State::Active, 1, false), false), Plan::Serve);
        assert_eq!(plan_of(&grant(State::Active, 0, false), false), Plan::Refuse(Code::GrantDead));
        assert_eq!(plan_of(&grant(State::Active, MINUTE, false), true), Plan::Refuse(Code::GrantDead));
    }

    #[test]
    fn after_a_failure_nothing_is_sent_before_the_pause_is_over() {
        let resting = Grant { not_before: NOW + 1, ..grant(State::Active, 1, true) };
        assert_eq!(plan_of(&resting, false), Plan::Serve);
        assert_eq!(plan_of(&resting, true), Plan::Refuse(Code::UpstreamBusy));
        let rested = Grant { not_before: NOW, ..resting };
        assert_eq!(plan_of(&rested, true), Plan::Refresh);
    }

    #[test]
    fn an_ehr_that_throttles_refreshes_is_not_asked_again_too_soon() {
        let slow = |grant: &Grant, is_rejected| {
            plan(grant, is_rejected, Pace { margin: MINUTE, interval: MINUTE }, NOW)
        };
        let just_now = Grant { refreshed_at: NOW - MINUTE + 1, ..grant(State::Active, 9 * MINUTE, true) };
        assert_eq!(slow(&just_now, false), Plan::Serve);
        assert_eq!(slow(&just_now, true), Plan::Refuse(Code::UpstreamBusy), "it would be throttled");
        let before = Grant { refreshed_at: NOW - MINUTE, ..just_now };
        assert_eq!(slow(&before, true), Plan::Refresh);
    }

    #[test]
    fn an_uncertain_grant_is_never_refreshed() {
        for is_rejected in [false, true] {
            let uncertain = grant(State::Uncertain, MINUTE, true);
            assert_eq!(plan_of(&uncertain, is_rejected), Plan::Refuse(Code::GrantUncertain));
        }
        assert_eq!(plan_of(&grant(State::Uncertain, 2 * MINUTE, true), false), Plan::Serve);
    }

    #[test]
    fn a_refresh_elsewhere_is_waited_for_and_a_dead_one_taken_over() {
        let elsewhere = grant(State::Refreshing, 0, true);
        assert_eq!(plan_of(&elsewhere, false), Plan::Wait);
        let left = Grant { is_lease_over: true, ..elsewhere };
        assert_eq!(plan_of(&left, false), Plan::TakeOver);
        assert_eq!(plan_of(&grant(State::Refreshing, 2 * MINUTE, true), false), Plan::Serve);
    }

    #[test]
    fn what_has_ended_is_refused_however_good_the_token_looks() {
        assert_eq!(
            plan_of(&grant(State::Revoked, 9 * MINUTE, true), false),
            Plan::Refuse(Code::GrantRevoked)
        );
        assert_eq!(plan_of(&grant(State::Dead, 9 * MINUTE, true), false), Plan::Refuse(Code::GrantDead));
    }
}
