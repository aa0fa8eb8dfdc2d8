//! The kill switch: everything of a tenant, a vendor, an endpoint or a registration stops, and nothing starts until
//! somebody says so; or what runs on certain grants stops.

use std::sync::Arc;

use sallyport_model::{Code, EndpointId, GrantId, Micros, RegistrationId, TenantId, VendorId};
use sallyport_proto::{convert, jobs::v1::KillRequest};

use crate::{
    error::Error,
    records::{self, Because},
    store::Place,
    worker::Worker,
};

/// Whose jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    Tenant(TenantId),
    Vendor(VendorId),
    Endpoint(TenantId, EndpointId),
    Registration(RegistrationId),
    Grants(TenantId, Vec<GrantId>),
}

/// The most grants that one request names.
const GRANTS_MAX: usize = 1_000;

impl Whose {
    /// Exactly one: naming nothing is not naming all.
    pub(crate) fn of(worker: &Worker, asked: &KillRequest) -> Result<Self, Code> {
        let invalid = Code::RequestInvalid;
        let tenant = || {
            let id = TenantId::parse(&asked.tenant).map_err(|_shape| invalid)?;
            worker.registry.tenant(&id).map(|_known| id).ok_or(invalid)
        };
        let words = [&asked.vendor, &asked.endpoint, &asked.registration];
        match (words.map(String::as_str), asked.grants.as_slice()) {
            (["", "", ""], []) => tenant().map(Self::Tenant),
            ([vendor, "", ""], []) if asked.tenant.is_empty() => {
                VendorId::parse(vendor).map(Self::Vendor).map_err(|_shape| invalid)
            }
            (["", endpoint, ""], []) => {
                Ok(Self::Endpoint(tenant()?, EndpointId::parse(endpoint).map_err(|_shape| invalid)?))
            }
            (["", "", registration], []) if asked.tenant.is_empty() => {
                RegistrationId::parse(registration).map(Self::Registration).map_err(|_shape| invalid)
            }
            (["", "", ""], grants) if grants.len() <= GRANTS_MAX => {
                let ids = grants.iter().map(|id| convert::grant_id(id)).collect::<Result<_, _>>();
                Ok(Self::Grants(tenant()?, ids.map_err(|_shape| invalid)?))
            }
            _ => Err(invalid),
        }
    }

    /// What rows are compared with.
    fn places(&self) -> Vec<Place> {
        let named = |what, name: String| vec![Place { what, name, grant: None }];
        match self {
            Self::Tenant(id) => named("tenant", id.as_str().to_owned()),
            Self::Vendor(id) => named("vendor", id.as_str().to_owned()),
            Self::Endpoint(tenant, id) => named("endpoint", format!("{tenant}/{id}")),
            Self::Registration(id) => named("registration", id.as_str().to_owned()),
            Self::Grants(tenant, grants) => {
                let place = |grant: &GrantId| Place {
                    what: "grant",
                    name: tenant.as_str().to_owned(),
                    grant: Some(grant.uuid()),
                };
                grants.iter().map(place).collect()
            }
        }
    }

    fn tenant(&self, worker: &Worker) -> TenantId {
        match self {
            Self::Tenant(id) | Self::Endpoint(id, _) | Self::Grants(id, _) => id.clone(),
            Self::Registration(id) => worker
                .registry
                .registration(id)
                .map_or_else(TenantId::system, |entry| entry.tenant.id.clone()),
            Self::Vendor(_) => TenantId::system(),
        }
    }
}

/// How many runs were stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// Now; or would be.
    pub(crate) now: i64,
    /// Since the moment that was asked for, now included.
    pub(crate) since: i64,
}

/// How many would be stopped.
pub(crate) async fn would(worker: &Arc<Worker>, whose: &Whose) -> Result<Stopped, Error> {
    let mut open = 0;
    for place in whose.places() {
        open += worker.store.count_open(&place).await?;
    }
    Ok(Stopped { now: open, since: 0 })
}

/// Stops them. Done even when it cannot be recorded: a full disk must not keep a job running.
pub(crate) async fn kill(
    worker: &Arc<Worker>,
    whose: &Whose,
    because: &Because,
    since: Micros,
) -> Result<Stopped, Error> {
    let recorded = records::of_tenant(worker, whose.tenant(worker).as_str(), "kill", because).await;
    let by = (because.by.as_str(), because.reason.as_str());
    let code = Code::JobKilled.as_str();
    let mut stopped = Stopped { now: 0, since: 0 };
    for place in whose.places() {
        let rows = worker.store.block(&place, by, code, worker.now()).await?;
        stopped.now += i64::try_from(rows).unwrap_or(i64::MAX);
        stopped.since += worker.store.count_stopped(&place, code, since).await?;
    }
    recorded?;
    Ok(stopped)
}

/// Lets them start again.
pub(crate) async fn allow(worker: &Arc<Worker>, whose: &Whose, because: &Because) -> Result<bool, Error> {
    let places = whose.places();
    let place = places.first().filter(|place| place.grant.is_none()).ok_or(Code::RequestInvalid)?;
    records::of_tenant(worker, whose.tenant(worker).as_str(), "allow", because).await?;
    Ok(worker.store.unblock(place.what, &place.name).await?)
}
