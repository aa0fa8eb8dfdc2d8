//! Care gaps: measures in rule files, judged over a patient's record, with the evidence for every answer.
//!
//! Level 0: no I/O, no clock. [`RuleSet`] reads the measures that ship with the product and a tenant's own; [`Record`] is
//! what was read of one patient; [`RuleSet::judge`] says for each measure whether the patient is in it, left out, meets it,
//! has a gap, or that it cannot be told, and cites each entry with its version, element, value and date as sent. What is
//! missing or ambiguous never becomes an answer, unless the answer is the same either way.

pub mod codes;
mod day;
mod decimal;
pub mod describe;
mod edit;
pub mod evidence;
mod findings;
mod judge;
mod plan;
mod record;
mod rules;
mod truth;

pub use day::{Day, Days, Step};
pub use decimal::Decimal;
pub use edit::{Edit, EditFault, Editable, Edited};
pub use evidence::{Assessment, Due, Evidence, Outcome, Published, Role, Weight};
pub use findings::{Findings, Proposed};
pub use judge::{Judging, Zone};
pub use plan::{Need, plan};
pub use record::{Kind, Read, Record};
pub use rules::{
    Bound, Conversion, Criterion, Exclusion, FILES, Found, Limit, Measure, Period, Population, Publication,
    RuleError, RuleFile, RuleSet, SameDay, Sex, Test, Timing, Window,
};
pub use truth::Truth;
