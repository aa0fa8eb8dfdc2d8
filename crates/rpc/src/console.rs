//! The console's callers: `web` asks, and somebody is signed in there. Which method wants which right stands in a list of its
//! own beside the allow-list; who it is, the receiving service asks launch-auth itself. `web` alone opens nothing.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use sallyport_model::{
    Clock, Code, Micros, Secret, TenantId,
    operator::{Operator, Right},
};
use sallyport_proto::{
    convert,
    launch::v1::{ResolveOperatorRequest, operators_client::OperatorsClient},
};
use tonic::{Request, metadata::MetadataMap, metadata::MetadataValue};

use crate::{Transport, code_of, once_more};

/// Method path and the rights of which somebody at the console needs one.
pub type ConsoleList = &'static [(&'static str, &'static [Right])];

/// The console's cookie, on calls that `web` makes for somebody who is signed in there.
pub const OPERATOR_METADATA: &str = "sallyport-operator-bin";

/// How long an answer about a session is used: a session that was ended is dead everywhere after this.
const KNOWN_FOR_MICROS: Micros = 2_000_000;

/// More sessions than this are not remembered at a time.
const REMEMBERED_MAX: usize = 1_000;

/// An answer that is on its way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Arc<Operator>, Code>> + Send>>;

/// Says whose session a secret opens.
pub type Sessions = Arc<dyn Fn(Secret<String>) -> Answering + Send + Sync>;

/// Asks launch-auth, and remembers its answer for two seconds. Errors are not remembered, and without launch-auth nobody is
/// let in.
pub fn sessions(launch_auth: Transport, clock: Arc<dyn Clock>) -> Sessions {
    let asking =
        Arc::new(Remembering { client: OperatorsClient::new(launch_auth), clock, known: Mutex::default() });
    Arc::new(move |secret| {
        let asking = Arc::clone(&asking);
        Box::pin(async move { asking.resolve(&secret).await })
    })
}

type Known = HashMap<[u8; 32], (Arc<Operator>, Micros)>;

struct Remembering {
    client: OperatorsClient<Transport>,
    clock: Arc<dyn Clock>,
    /// By the SHA-256 of the secret.
    known: Mutex<Known>,
}

impl Remembering {
    async fn resolve(&self, secret: &Secret<String>) -> Result<Arc<Operator>, Code> {
        let digest = digest(secret);
        let asked_at = self.clock.now();
        let is_fresh = |at: Micros| (0..KNOWN_FOR_MICROS).contains(&asked_at.saturating_sub(at));
        if let Some((operator, at)) = self.known().get(&digest)
            && is_fresh(*at)
        {
            return Ok(Arc::clone(operator));
        }
        let message = ResolveOperatorRequest { session_secret: secret.expose().clone(), is_active: false };
        let answer = once_more(|| {
            let (mut client, message) = (self.client.clone(), message.clone());
            async move { client.resolve(message).await }
        });
        let answer = answer.await.map_err(|status| code_of(&status))?.into_inner();
        let operator = Arc::new(convert::operator(&answer).map_err(|_malformed| Code::Internal)?);
        let mut known = self.known();
        known.retain(|_, (_, at)| is_fresh(*at));
        if known.len() < REMEMBERED_MAX {
            known.insert(digest, (Arc::clone(&operator), asked_at));
        }
        Ok(operator)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(secret: &Secret<String>) -> [u8; 32] {
    let mut out = [0; 32];
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.expose().as_bytes());
    out.copy_from_slice(hash.as_ref());
    out
}

/// Puts the console's cookie on a call.
pub fn signed_in<T>(request: &mut Request<T>, secret: &Secret<String>) {
    let mut value = MetadataValue::from_bytes(secret.expose().as_bytes());
    value.set_sensitive(true);
    request.metadata_mut().insert_bin(OPERATOR_METADATA, value);
}

/// The part of a service's door that is for the console.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) list: ConsoleList,
    sessions: Sessions,
}

impl Door {
    pub(crate) fn new(list: ConsoleList, sessions: Sessions) -> Self {
        Self { list, sessions }
    }

    /// The rights of which that method wants one.
    pub(crate) fn rights(&self, path: &str) -> Option<&'static [Right]> {
        self.list.iter().find(|(method, _)| *method == path).map(|(_, rights)| *rights)
    }

    /// Who is signed in, if that is enough.
    ///
    /// # Errors
    /// `rpc.caller_denied` where nobody is; `console.not_permitted`; those of launch-auth.
    pub(crate) async fn admit(
        &self,
        headers: &http::HeaderMap,
        rights: &[Right],
    ) -> Result<Arc<Operator>, Code> {
        let metadata = MetadataMap::from_headers(headers.clone());
        let secret = metadata.get_bin(OPERATOR_METADATA).ok_or(Code::CallerDenied)?;
        let secret = secret.to_bytes().map_err(|_not_base64| Code::CallerDenied)?;
        let secret = String::from_utf8(secret.to_vec()).map_err(|_not_text| Code::CallerDenied)?;
        let operator = (self.sessions)(Secret::new(secret)).await?;
        let may = rights.iter().any(|right| operator.role.may(*right));
        if may || sallyport_model::planted!("console-role-unchecked") {
            Ok(operator)
        } else {
            Err(Code::ConsoleNotPermitted)
        }
    }
}

/// Who asks for something that operators may have.
#[derive(Debug, Clone)]
pub enum Asker {
    /// Who runs the house: by the socket, or with an operator's certificate. They say themselves who they are.
    House,
    /// Somebody at the console.
    Console(Arc<Operator>),
}

/// Who asks, as the door found it.
pub fn asker<T>(request: &Request<T>) -> Asker {
    request.extensions().get::<Arc<Operator>>().cloned().map_or(Asker::House, Asker::Console)
}

impl Asker {
    /// The name for the record: what was told, or at the console whose session it is, whatever was told.
    pub fn named(&self, told: &str) -> String {
        match self {
            Self::House => told.to_owned(),
            Self::Console(operator) => format!("{} (console)", operator.name),
        }
    }

    /// Whether they may ask about that tenant.
    ///
    /// # Errors
    /// `console.tenant_denied`.
    pub fn may_ask_about(&self, tenant: &TenantId) -> Result<(), Code> {
        match self {
            Self::Console(operator)
                if !operator.tenants.contain(tenant)
                    && !sallyport_model::planted!("console-tenant-unchecked") =>
            {
                Err(Code::ConsoleTenantDenied)
            }
            Self::House | Self::Console(_) => Ok(()),
        }
    }

    /// Whether they may ask about everything of the house.
    ///
    /// # Errors
    /// `console.tenant_denied`.
    pub fn may_ask_about_all(&self) -> Result<(), Code> {
        match self {
            Self::Console(operator)
                if operator.tenants != sallyport_model::operator::Tenants::All
                    && !sallyport_model::planted!("console-tenant-unchecked") =>
            {
                Err(Code::ConsoleTenantDenied)
            }
            Self::House | Self::Console(_) => Ok(()),
        }
    }

    /// Whether patients are not shown to them.
    pub fn is_masked(&self) -> bool {
        matches!(self, Self::Console(_))
    }
}
