//! `sallyport.keys.v1.DataKeys`: how a service's data keys stand, and their wrapping anew. For operators alone; each call that
//! changes something is recorded before it does.

use std::sync::Arc;

use async_trait::async_trait;
use sallyport_audit_client::AuditClient;
use sallyport_keyring::Keyring;
use sallyport_model::{Code, ServiceName, TenantId};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Record},
    convert,
    keys::v1::{
        RewrapRequest, RewrapResponse, StatusRequest, StatusResponse,
        data_keys_server::{DataKeys as Contract, DataKeysServer},
    },
};
use sallyport_rpc::status;
use tonic::{Request, Response, Status};

use crate::{DataKeys, Error, WrappedKey, keys::rewrap};

/// How many keys one call wraps anew at most.
const LIMIT_MAX: i32 = 500;

/// Where wrapped keys are.
#[async_trait]
pub trait WrappedKeys: Send + Sync + 'static {
    /// Every key.
    async fn all(&self) -> Result<Vec<WrappedKey>, Error>;

    /// Stores another wrapping of a key, if it is still wrapped as it was read.
    async fn replace_wrapping(&self, key: &WrappedKey, wrapped: &[u8]) -> Result<bool, Error>;
}

/// The contract over one service's keys.
pub struct Keeper {
    service: ServiceName,
    ring: Arc<Keyring>,
    keys: Arc<dyn WrappedKeys>,
    purposes: &'static [&'static str],
    audit: AuditClient,
}

impl Keeper {
    /// Over keys in a form of the service's own.
    pub fn new(
        service: ServiceName,
        ring: Arc<Keyring>,
        keys: Arc<dyn WrappedKeys>,
        purposes: &'static [&'static str],
        audit: AuditClient,
    ) -> Self {
        Self { service, ring, keys, purposes, audit }
    }

    /// Over the table of [`DataKeys`].
    pub fn over(service: ServiceName, keys: &DataKeys, audit: AuditClient) -> Self {
        Self::new(service, Arc::clone(keys.ring()), Arc::new(keys.table().clone()), keys.purposes(), audit)
    }

    /// As a route of the service's server.
    pub fn server(self) -> DataKeysServer<impl Contract> {
        DataKeysServer::new(self)
    }

    fn is_current(&self, key: &WrappedKey, version: u64) -> bool {
        self.ring.keeper().version_of(&key.wrapped).is_ok_and(|wrapped_by| wrapped_by == version)
    }

    async fn wrap_anew(&self, request: &RewrapRequest) -> Result<RewrapResponse, Code> {
        let limit = usize::try_from(request.limit).ok().filter(|_| (1..=LIMIT_MAX).contains(&request.limit));
        let limit = limit.ok_or(Code::RequestInvalid)?;
        let reason = &request.reason;
        if !convert::is_reason(reason) {
            return Err(Code::RequestInvalid);
        }
        let record = Record {
            kind: Kind::Operator.into(),
            outcome: Outcome::Success.into(),
            service: self.service.as_str().to_owned(),
            tenant: TenantId::system().as_str().to_owned(),
            actor: Some(convert::anonymous()),
            detail: reason.clone(),
            ..Record::default()
        };
        self.audit.event(record).await.map_err(|_error| Code::AuditUnavailable)?;
        self.next(limit).await.map_err(|error| error.code())
    }

    async fn next(&self, limit: usize) -> Result<RewrapResponse, Error> {
        let version = self.ring.keeper().current_version().await?;
        let keys = self.keys.all().await?;
        let outdated: Vec<&WrappedKey> = keys.iter().filter(|key| !self.is_current(key, version)).collect();
        let (mut rewrapped, mut left) = (0, count(outdated.len()));
        // One that does not open any more is passed over: those behind it must not wait for it.
        for key in outdated {
            if rewrapped == count(limit) {
                break;
            }
            if rewrap(&self.ring, self.keys.as_ref(), self.purposes, key).await? {
                (rewrapped, left) = (rewrapped + 1, left - 1);
            } else {
                tracing::warn!(reason = "key", "a data key stays as it is wrapped");
            }
        }
        Ok(RewrapResponse { rewrapped, outdated: left })
    }

    async fn standing(&self) -> Result<StatusResponse, Error> {
        let keeper = self.ring.keeper();
        let version = keeper.current_version().await.unwrap_or(0);
        let keys = self.keys.all().await?;
        let outdated = keys.iter().filter(|key| !self.is_current(key, version)).count();
        let oldest = keys.iter().filter_map(|key| keeper.version_of(&key.wrapped).ok()).min();
        Ok(StatusResponse {
            kek_version: version,
            keys: count(keys.len()),
            outdated: count(outdated),
            oldest_version: oldest.unwrap_or(0),
        })
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[async_trait]
impl Contract for Keeper {
    async fn rewrap(&self, request: Request<RewrapRequest>) -> Result<Response<RewrapResponse>, Status> {
        self.wrap_anew(request.get_ref()).await.map(Response::new).map_err(status)
    }

    async fn status(&self, _request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        self.standing().await.map(Response::new).map_err(|error| status(error.code()))
    }
}
