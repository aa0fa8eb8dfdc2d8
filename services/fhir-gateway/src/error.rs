//! Why a call is refused or failed: a stable code, words of ours, and what the EHR said as a number.

use sallyport_egress::EgressError;
use sallyport_fhir::{
    Fault, Rejection,
    outcome::{self, EhrSaid, Told},
};
use sallyport_model::{Code, RequestId};
use sallyport_vendors::search::{Refused, Why};

/// The end of a call that released nothing. Never holds input or an EHR's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The stable code.
    pub(crate) code: Code,
    /// What about the call, in words of ours.
    pub(crate) what: Option<&'static str>,
    /// Sets of search parameters of which the EHR needs one as a whole.
    pub(crate) needed: Vec<Vec<&'static str>>,
    /// Seconds to wait, where the EHR or a limit named them.
    pub(crate) retry_after: Option<u64>,
    /// The EHR's status; 0 when it was not called or did not answer.
    pub(crate) upstream_status: u16,
    /// What of the EHR's error may be told.
    pub(crate) ehr: Option<Box<EhrSaid>>,
    /// How what is granted differs from what a run pinned.
    pub(crate) scope_change: Option<Box<ScopeChange>>,
}

/// A difference between the scopes that a run pinned and those that are granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScopeChange {
    /// Pinned, and not granted any more.
    pub(crate) lost: Vec<String>,
    /// Granted, and not pinned.
    pub(crate) added: Vec<String>,
}

impl Refusal {
    pub(crate) fn new(code: Code) -> Self {
        Self {
            code,
            what: None,
            needed: Vec::new(),
            retry_after: None,
            upstream_status: 0,
            ehr: None,
            scope_change: None,
        }
    }

    pub(crate) fn because(code: Code, what: &'static str) -> Self {
        Self { what: Some(what), ..Self::new(code) }
    }

    pub(crate) fn upstream(code: Code, status: u16) -> Self {
        Self { upstream_status: status, ..Self::new(code) }
    }

    /// As an OperationOutcome.
    pub(crate) fn outcome(&self, request_id: RequestId) -> Vec<u8> {
        outcome::write(&Told {
            code: self.code,
            what: self.what,
            needed: &self.needed,
            request_id: &request_id.to_string(),
            ehr: self.ehr.as_deref(),
        })
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let code = refused.code;
        match refused.why {
            Why::Missing(needed) => Self { needed, ..Self::new(code) },
            Why::Undeclared(_) => {
                Self::because(code, "this EHR does not know a parameter and would ignore it")
            }
            Why::Apart(..) => Self::because(code, "this EHR does not take two of the parameters together"),
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::because(rejection.code, rejection.what)
    }
}

impl From<EgressError> for Refusal {
    fn from(error: EgressError) -> Self {
        let code = match error {
            EgressError::NotPinned => Code::UpstreamForeignLink,
            EgressError::Timeout => Code::UpstreamTimeout,
            EgressError::AddressRefused | EgressError::Unreachable | EgressError::Interrupted => {
                Code::UpstreamUnreachable
            }
            EgressError::TooLarge => Code::UpstreamTooLarge,
            EgressError::Redirect(status) => return Self::upstream(Code::UpstreamRedirect, status),
            EgressError::Invalid => Code::UpstreamInvalid,
        };
        Self::new(code)
    }
}

/// An answer of 200 that cannot be used.
pub(crate) fn unusable(fault: Fault, status: u16) -> Refusal {
    let (code, what) = match fault {
        Fault::TooLarge => (Code::UpstreamTooLarge, "the answer is too large"),
        Fault::TooManyEntries => (Code::UpstreamTooLarge, "the bundle has too many entries"),
        Fault::TooDeep => (Code::UpstreamInvalid, "the answer is nested too deeply"),
        Fault::DuplicateKey | Fault::EscapedKey | Fault::LoneSurrogate | Fault::TooManyKeys => {
            (Code::UpstreamInvalid, "the answer could be read in more than one way")
        }
        Fault::NotUtf8 | Fault::NotJson => (Code::UpstreamInvalid, "the answer is not JSON"),
        Fault::WrongShape(_) => (Code::UpstreamInvalid, "the answer is not what was asked for"),
    };
    Refusal { what: Some(what), ..Refusal::upstream(code, status) }
}
