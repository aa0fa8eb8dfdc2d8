//! The report: what was asked, what came, what was expected and by which rule. Written so that a vendor's support can read
//! it, and without anything of the patient: ids and values are left out where they are made, not here.

use std::fmt::Write as _;

use serde::Serialize;

use super::row::{Row, State};

/// One thing that was asked.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// Method and address below the FHIR base, ids replaced: `GET Condition?patient={patient}`.
    pub asked: String,
    /// The rule that expects an answer, and which.
    pub expected: &'static str,
    /// What came, in words: counts, statuses, codes.
    pub came: String,
    /// What that makes of it.
    pub state: State,
    /// The exchanges, in their order.
    pub exchanges: Vec<Exchange>,
}

/// One request and its answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Exchange {
    /// Status of the answer at the front door.
    pub status: u16,
    /// Our id of the request, sent to the EHR as `X-Request-Id`.
    pub request_id: String,
    /// The EHR's own id of it, where it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehr_request_id: Option<String>,
    /// The EHR's status, where it was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehr_status: Option<i32>,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The tenant.
    pub tenant: String,
    /// Its endpoint.
    pub endpoint: String,
    /// The vendor profile by which it was spoken to.
    pub vendor: String,
    /// The FHIR base.
    pub fhir_base: String,
    /// On whose authority it was asked.
    pub asked_by: &'static str,
    /// The app's version.
    pub version: String,
    /// When, in UTC.
    pub at: String,
    /// What was asked, in its order.
    pub asked: Vec<Asked>,
    /// The same as cells of the compatibility matrix.
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether all that was tried is as expected, and something was.
    pub fn is_whole(&self) -> bool {
        let is_good = |asked: &Asked| matches!(asked.state, State::Verified | State::Unverified);
        self.asked.iter().all(is_good) && self.asked.iter().any(|asked| asked.state == State::Verified)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = format!(
            "Certification of {}/{} ({}) with Sallyport {}, {}\nFHIR base: {}\nAsked on {}, read-only. No patient data is in this report; ids are left out.\n\n",
            self.tenant, self.endpoint, self.vendor, self.version, self.at, self.fhir_base, self.asked_by
        );
        for asked in &self.asked {
            let _written = writeln!(
                out,
                "{:<11} {}\n            expected  {}\n            came      {}",
                word(asked.state),
                asked.asked,
                asked.expected,
                asked.came
            );
            for exchange in asked.exchanges.iter().filter(|exchange| !exchange.request_id.is_empty()) {
                let _written =
                    write!(out, "            request   {} answered {}", exchange.request_id, exchange.status);
                if let Some(status) = exchange.ehr_status {
                    let _written = write!(out, ", the EHR {status}");
                }
                if let Some(id) = &exchange.ehr_request_id {
                    let _written = write!(out, ", its own id {id}");
                }
                out.push('\n');
            }
        }
        let count = |state| self.asked.iter().filter(|asked| asked.state == state).count();
        let _written = writeln!(
            out,
            "\n{} verified, {} degraded, {} unsupported, {} unverified (nothing to try it with)",
            count(State::Verified),
            count(State::Degraded),
            count(State::Unsupported),
            count(State::Unverified)
        );
        out
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Verified => "verified",
        State::Degraded => "degraded",
        State::Unsupported => "unsupported",
        State::Unverified => "unverified",
    }
}
