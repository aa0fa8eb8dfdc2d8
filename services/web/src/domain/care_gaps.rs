//! What scans have found about the launch's patient, as the gateway released it.

use sallyport_care_gaps::{Assessment, Findings, Outcome};
use sallyport_model::{Code, Micros, RunId, code::Kind};
use sallyport_proto::{
    convert,
    gateway::v1::{CareGapsFound, CareGapsResponse},
};

/// What one job's scan has found. Holds patient data: no `Debug`.
pub(crate) struct Scan {
    /// The job's name for people.
    pub(crate) title: String,
    /// The job's id in the tenant's files.
    pub(crate) job: String,
    pub(crate) run: RunId,
    pub(crate) judged_at: Micros,
    pub(crate) assessments: Vec<Assessment>,
    /// Measures that rest on records which this launch may not see.
    pub(crate) withheld: i32,
}

impl Scan {
    /// What was found with that outcome, in the order of the measures.
    pub(crate) fn with(&self, outcome: Outcome) -> impl Iterator<Item = &Assessment> {
        self.assessments.iter().filter(move |assessment| assessment.outcome == outcome)
    }
}

/// What every scan has found.
pub(crate) struct CareGaps {
    /// A scan is set up for this EHR.
    pub(crate) is_set_up: bool,
    /// The newest first.
    pub(crate) scans: Vec<Scan>,
}

/// What came of asking.
pub(crate) enum Gaps {
    Read(CareGaps),
    /// The gateway refused or failed, or job-worker is not there.
    Refused(Code),
    /// It did not arrive within this page's patience.
    Late,
}

impl Gaps {
    /// The session ended while this was being read.
    pub(crate) fn is_session_over(&self) -> bool {
        matches!(self, Self::Refused(code) if code.kind() == Kind::Unauthenticated)
    }
}

impl TryFrom<CareGapsResponse> for CareGaps {
    type Error = Code;

    fn try_from(answer: CareGapsResponse) -> Result<Self, Code> {
        let scans = answer.found.into_iter().map(Scan::try_from).collect::<Result<_, _>>()?;
        Ok(Self { is_set_up: answer.is_set_up, scans })
    }
}

impl TryFrom<CareGapsFound> for Scan {
    type Error = Code;

    fn try_from(found: CareGapsFound) -> Result<Self, Code> {
        let findings: Findings = serde_json::from_slice(&found.json).map_err(|_not_ours| Code::Internal)?;
        Ok(Self {
            title: found.title,
            job: found.job,
            run: convert::run_id(&found.run_id).map_err(|_length| Code::Internal)?,
            judged_at: found.judged_at,
            assessments: findings.assessments,
            withheld: found.withheld,
        })
    }
}
