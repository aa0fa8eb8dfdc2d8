//! Who may see what, for one call: built in one place (the gateway), checked on the way in and on the way out.
//!
//! There is no `Option` here that means "no filter": what is absent denies.

use crate::{
    Micros,
    ids::{EncounterId, EndpointId, FeatureId, GrantId, LaunchId, PatientId, RegistrationId, TenantId},
    scope::ScopeSet,
};

/// A service of the house, as it is known to its peers (SAN URI `spiffe://sallyport/<name>` on the wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceName {
    /// Launches and sessions.
    LaunchAuth,
    /// Tokens.
    TokenVault,
    /// FHIR calls.
    FhirGateway,
    /// Background jobs.
    JobWorker,
    /// The audit log.
    Audit,
    /// Pages.
    Web,
    /// The front door, where it is a process of its own.
    Edge,
    /// The operators' command line.
    Operator,
}

impl ServiceName {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::LaunchAuth,
        Self::TokenVault,
        Self::FhirGateway,
        Self::JobWorker,
        Self::Audit,
        Self::Web,
        Self::Edge,
        Self::Operator,
    ];

    /// Reads a name as certificates and configuration write it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// The name in configuration, certificates and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LaunchAuth => "launch-auth",
            Self::TokenVault => "token-vault",
            Self::FhirGateway => "fhir-gateway",
            Self::JobWorker => "job-worker",
            Self::Audit => "audit",
            Self::Web => "web",
            Self::Edge => "edge",
            Self::Operator => "operator",
        }
    }
}

/// A person, known by (issuer, subject), never by e-mail or `fhirUser` alone (OIDC Core §5.7).
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// `iss` of the id_token.
    pub issuer: String,
    /// `sub` of the id_token.
    pub subject: String,
    /// `fhirUser` as sent, absolute or relative, if any.
    pub fhir_user: Option<String>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[user]")
    }
}

/// On whose behalf a call is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in person.
    User(User),
    /// A registered client acting for itself (SMART Backend Services).
    Service(RegistrationId),
}

/// Which patients a call may touch. `None` denies everything that belongs to a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patients {
    /// Exactly this one: every interactive launch.
    One(PatientId),
    /// A cohort fixed when the run started.
    Cohort(Vec<PatientId>),
    /// No patient at all.
    None,
}

impl Patients {
    /// Whether `id` is covered. An empty cohort covers nobody.
    pub fn covers(&self, id: &str) -> bool {
        match self {
            Self::One(one) => one.expose() == id,
            Self::Cohort(many) => many.iter().any(|p| p.expose() == id),
            Self::None => false,
        }
    }
}

/// What gives the right to make calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authority {
    /// An interactive launch.
    Launch(LaunchId),
    /// A job's run.
    Run(uuid::Uuid),
}

impl From<LaunchId> for Authority {
    fn from(launch: LaunchId) -> Self {
        Self::Launch(launch)
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Launch(launch) => launch.fmt(f),
            Self::Run(run) => write!(f, "run {run}"),
        }
    }
}

/// Purpose of use (HL7 v3 ActReason). Required on every call, never defaulted silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Purpose {
    /// Treatment.
    Treat,
    /// Emergency treatment.
    Etreat,
    /// Break the glass.
    Btg,
    /// Payment.
    Hpaymt,
    /// Health-care operations.
    Hoperat,
    /// Research.
    Hresch,
    /// Public health.
    Pubhlth,
    /// At the patient's request.
    Patrqt,
    /// System administration.
    Hsysadmin,
}

impl Purpose {
    /// Every purpose with its code.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Treat, "TREAT"),
        (Self::Etreat, "ETREAT"),
        (Self::Btg, "BTG"),
        (Self::Hpaymt, "HPAYMT"),
        (Self::Hoperat, "HOPERAT"),
        (Self::Hresch, "HRESCH"),
        (Self::Pubhlth, "PUBHLTH"),
        (Self::Patrqt, "PATRQT"),
        (Self::Hsysadmin, "HSYSADMIN"),
    ];

    /// The code, e.g. `TREAT`.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(p, _)| *p == self).map_or("", |(_, code)| code)
    }

    /// The purpose with that code; an unknown code is `None`, which callers refuse.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, c)| *c == code).map(|(p, _)| *p)
    }
}

/// What the tenant's policy said, and by which rule; part of the audit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyDecision {
    /// Permitted by the rule of that name.
    Permit(String),
    /// Denied by the rule of that name, or by `default` when no rule matched.
    Deny(String),
}

impl PolicyDecision {
    /// `permit:<rule>` or `deny:<rule>`, as the record carries it.
    pub fn label(&self) -> String {
        match self {
            Self::Permit(rule) => format!("permit:{rule}"),
            Self::Deny(rule) => format!("deny:{rule}"),
        }
    }
}

/// Everything that decides on one call.
#[derive(Debug, Clone)]
pub struct AccessContext {
    /// Whose data.
    pub tenant: TenantId,
    /// Which FHIR base.
    pub endpoint: EndpointId,
    /// The launch or run behind it.
    pub authority: Authority,
    /// The authorisation whose token will be attached.
    pub grant: GrantId,
    /// On whose behalf.
    pub actor: Actor,
    /// Which patients.
    pub patients: Patients,
    /// The encounter in context, when the EHR gave one. Narrows nothing by itself.
    pub encounter: Option<EncounterId>,
    /// What the EHR granted (not what was asked).
    pub granted: ScopeSet,
    /// The feature this call runs under.
    pub feature: FeatureId,
    /// What that feature may use: the gateway refuses what is outside even if the token would allow it.
    pub feature_scopes: ScopeSet,
    /// Why.
    pub purpose: Purpose,
    /// After this instant the context is dead.
    pub expires_at: Micros,
}
