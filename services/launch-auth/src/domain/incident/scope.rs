//! From what an operator names to what services know: the tenants' files say which endpoints are a vendor's and which
//! registrations an app entry has.

use sallyport_model::{Code, TenantId};
use sallyport_proto::{
    launch::v1::{IncidentScope, incident_scope::What},
    types::v1::selector::By,
};
use sallyport_registry::{Registry, Tenant};

use crate::store::Target;

/// The parts of a scope. One that names nothing, or something that is in no file, is refused: it would revoke nothing
/// and look as if it had.
///
/// # Errors
/// `request.invalid`.
pub(super) fn targets(registry: &Registry, scope: &IncidentScope) -> Result<Vec<Target>, Code> {
    let what = scope.what.as_ref().ok_or(Code::RequestInvalid)?;
    let parts = match (scope.tenant.as_str(), what) {
        ("", What::Vendor(vendor)) => {
            registry.tenants().iter().flat_map(|tenant| at_vendor(tenant, vendor)).collect()
        }
        (name, what) => {
            let tenant = TenantId::parse(name).ok().and_then(|id| registry.tenant(&id));
            of_tenant(tenant.ok_or(Code::RequestInvalid)?, what)
        }
    };
    if parts.is_empty() { Err(Code::RequestInvalid) } else { Ok(parts) }
}

fn of_tenant(tenant: &Tenant, what: &What) -> Vec<Target> {
    let one = |by| vec![part(tenant, by)];
    match what {
        What::Launch(id) if id.len() == 16 => one(By::Launch(id.clone())),
        What::User(user) if !user.issuer.is_empty() && !user.subject.is_empty() => {
            one(By::User(user.clone()))
        }
        What::All(true) => one(By::Tenant(tenant.id.as_str().to_owned())),
        What::Endpoint(name) if tenant.endpoints.iter().any(|e| e.id.as_str() == name) => {
            one(By::Endpoint(name.clone()))
        }
        What::Registration(name) if tenant.registrations.iter().any(|r| r.id.as_str() == name) => {
            one(By::Registration(name.clone()))
        }
        What::Vendor(vendor) => at_vendor(tenant, vendor),
        What::App(app) => {
            let of_app = tenant.registrations.iter().filter(|r| r.app.as_str() == app);
            of_app.map(|r| part(tenant, By::Registration(r.id.as_str().to_owned()))).collect()
        }
        _ => Vec::new(),
    }
}

fn at_vendor(tenant: &Tenant, vendor: &str) -> Vec<Target> {
    let endpoints = tenant.endpoints.iter().filter(|endpoint| endpoint.vendor.as_str() == vendor);
    endpoints.map(|endpoint| part(tenant, By::Endpoint(endpoint.id.as_str().to_owned()))).collect()
}

fn part(tenant: &Tenant, by: By) -> Target {
    Target { tenant: tenant.id.clone(), by, is_done: false, jobs_stopped: 0 }
}
