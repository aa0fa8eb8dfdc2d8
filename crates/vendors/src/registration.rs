//! What somebody who registers an app has to know.

use crate::{Fact, Text, fact::assumed, setting::words};

words! {
    /// How a sandbox is come by.
    SandboxAccess {
        /// Nothing to ask for.
        Open = "open",
        /// A free account.
        SelfService = "self-service",
        /// Somebody has to admit one.
        Approval = "approval",
        /// One runs it oneself.
        Local = "local",
        /// There is none known.
        None = "none",
    }
}

words! {
    /// Who starts an app.
    Launch {
        /// The EHR.
        Ehr = "ehr",
        /// A clinician, from the app.
        Provider = "provider-standalone",
        /// A patient, from the app.
        Patient = "patient-standalone",
        /// A service, without a person.
        Backend = "backend",
    }
}

/// Registering.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The FHIR base of the sandbox.
    pub sandbox: Fact<Text>,
    /// How it is come by.
    pub access: Fact<SandboxAccess>,
    /// Who has to agree before production.
    pub approval: Fact<Text>,
    /// How long that takes, in days. No vendor publishes it.
    pub approval_days: Fact<Option<u32>>,
    /// Who starts an app.
    pub launches: Fact<Vec<Launch>>,
    /// Spellings of scopes that a registration may choose.
    pub scope_versions: Fact<Vec<Text>>,
    /// Test patients and people.
    pub test_users: Fact<Vec<Text>>,
    /// What a registration must say.
    pub metadata: Fact<Vec<Text>>,
    /// Test and production have client ids of their own.
    pub client_id_by_environment: Fact<bool>,
    /// Secrets end at a date.
    pub secret_expires: Fact<bool>,
}

impl Registration {
    /// What every EHR asks for.
    pub(crate) fn standard() -> Self {
        Self {
            sandbox: assumed(Text::Borrowed("none known")),
            access: assumed(SandboxAccess::None),
            approval: assumed(Text::Borrowed("ask the vendor")),
            approval_days: assumed(None),
            launches: assumed(vec![Launch::Ehr, Launch::Patient]),
            scope_versions: assumed(Vec::new()),
            test_users: assumed(Vec::new()),
            metadata: assumed(crate::setting::texts(&["name", "redirect URI", "scopes"])),
            client_id_by_environment: assumed(false),
            secret_expires: assumed(false),
        }
    }
}
