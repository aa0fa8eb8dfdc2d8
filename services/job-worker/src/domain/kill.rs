//! The kill switch: everything of a tenant or of a vendor stops, and nothing starts until somebody says so.

use std::sync::Arc;

use sallyport_model::{Code, TenantId, VendorId};

use crate::{
    error::Error,
    records::{self, Because},
    worker::Worker,
};

/// Whose jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    Tenant(TenantId),
    Vendor(VendorId),
}

impl Whose {
    /// Exactly one of both: naming nothing is not naming all.
    pub(crate) fn of(worker: &Worker, tenant: &str, vendor: &str) -> Result<Self, Code> {
        match (tenant, vendor) {
            (tenant, "") => {
                let id = TenantId::parse(tenant).map_err(|_shape| Code::RequestInvalid)?;
                worker.registry.tenant(&id).map(|_| Self::Tenant(id)).ok_or(Code::RequestInvalid)
            }
            ("", vendor) => VendorId::parse(vendor).map(Self::Vendor).map_err(|_shape| Code::RequestInvalid),
            _ => Err(Code::RequestInvalid),
        }
    }

    fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Tenant(id) => ("tenant", id.as_str()),
            Self::Vendor(id) => ("vendor", id.as_str()),
        }
    }

    fn tenant(&self) -> TenantId {
        match self {
            Self::Tenant(id) => id.clone(),
            Self::Vendor(_) => TenantId::system(),
        }
    }
}

/// Stops them. Done even when it cannot be recorded: a full disk must not keep a job running.
pub(crate) async fn kill(worker: &Arc<Worker>, whose: &Whose, because: &Because) -> Result<u64, Error> {
    let recorded = records::of_tenant(worker, whose.tenant().as_str(), "kill", because).await;
    let by = (because.by.as_str(), because.reason.as_str());
    let code = Code::JobKilled.as_str();
    let stopped = worker.store.block(whose.words(), by, code, worker.now()).await?;
    recorded?;
    Ok(stopped)
}

/// Lets them start again.
pub(crate) async fn allow(worker: &Arc<Worker>, whose: &Whose, because: &Because) -> Result<bool, Error> {
    records::of_tenant(worker, whose.tenant().as_str(), "allow", because).await?;
    let (what, name) = whose.words();
    Ok(worker.store.unblock(what, name).await?)
}
