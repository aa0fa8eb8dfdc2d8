//! A refusal: the stable code, and what the page that shows it needs to know. Nothing in it comes from the request.

use sallyport_model::{Code, LaunchId, RegistrationId, TenantId};

/// Why something is refused, where it is shown, and how the person can go on.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    /// The registration whose EHR may frame the page; `None` when it is not known.
    pub(crate) registration: Option<RegistrationId>,
    /// Where the same launch opens in a window of its own, after a blocked cookie.
    pub(crate) new_window: Option<NewWindow>,
    /// For the record.
    pub(crate) tenant: Option<TenantId>,
    /// For the record.
    pub(crate) launch: Option<LaunchId>,
    /// One word of ours for the record, e.g. which error an EHR reported.
    pub(crate) detail: &'static str,
}

/// A launch to start again outside the frame. `Debug` is constant: the launch token is the EHR's.
#[derive(Clone)]
pub(crate) struct NewWindow {
    /// A path and query of ours.
    pub(crate) href: String,
}

impl std::fmt::Debug for NewWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[new window]")
    }
}

impl Refusal {
    /// A refusal about which nothing more is known.
    pub(crate) fn new(code: Code) -> Self {
        Self { code, registration: None, new_window: None, tenant: None, launch: None, detail: "" }
    }

    /// Says which registration it is about.
    pub(crate) fn at(mut self, tenant: &TenantId, registration: &RegistrationId) -> Self {
        self.tenant = Some(tenant.clone());
        self.registration = Some(registration.clone());
        self
    }

    /// Says which launch it is about.
    pub(crate) fn of(mut self, launch: LaunchId) -> Self {
        self.launch = Some(launch);
        self
    }

    /// Adds a word of ours.
    pub(crate) fn with_detail(mut self, detail: &'static str) -> Self {
        self.detail = detail;
        self
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

/// A database that does not answer is a part that is not available; the driver's text stays in the log.
pub(crate) fn unavailable(error: &sallyport_db::Error) -> Code {
    let code = error.code();
    tracing::error!(code = code.as_str(), error.kind = "database", "a statement failed");
    code
}
