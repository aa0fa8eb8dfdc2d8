//! The launch context that comes beside a token (SMART 2.2 scopes-and-launch-context §Launch context arrives with your
//! access_token). What decides who the patient is must be well-formed; hints that are not are dropped.

mod fhir_context;

use sallyport_model::{
    ids::{EncounterId, PatientId, is_logical_id},
    scope::{Level, ScopeSet},
};
use serde_json::{Map, Value};

pub use fhir_context::ContextItem;

const INTENT_MAX: usize = 64;
const URL_MAX: usize = 2_048;

/// What the EHR said about the situation of the launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchContext {
    /// The patient in context.
    pub patient: Option<PatientId>,
    /// The encounter in context.
    pub encounter: Option<EncounterId>,
    /// Whether the app must show who the patient is. Absent means yes.
    pub need_patient_banner: bool,
    /// What the person wanted to do; unknown words mean the default view.
    pub intent: Option<String>,
    /// Where the EHR's style sheet is. Never fetched by us.
    pub smart_style_url: Option<String>,
    /// `fhirContext` in the 2.2 shape.
    pub fhir_context: Vec<ContextItem>,
}

/// Why a context cannot be used. Names the member, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContextFault {
    /// Not a JSON object.
    #[error("the launch context is not a json object")]
    NotJson,
    /// A member that decides is malformed.
    #[error("{0} in the launch context is malformed")]
    Malformed(&'static str),
    /// Scopes for one patient were granted, but no patient was named (TOK-10).
    #[error("patient scopes were granted without a patient")]
    PatientMissing,
}

impl LaunchContext {
    /// Parses the context members of a token response; ids longer than the vendor profile's `max_id_length` are
    /// malformed, unknown members are ignored.
    ///
    /// # Errors
    /// [`ContextFault::NotJson`], [`ContextFault::Malformed`].
    pub fn parse(json: &str, max_id_length: usize) -> Result<Self, ContextFault> {
        let members: Map<String, Value> = match json {
            "" => Map::new(),
            text => serde_json::from_str(text).map_err(|_syntax| ContextFault::NotJson)?,
        };
        let patient = id(&members, "patient", max_id_length)?;
        let encounter = id(&members, "encounter", max_id_length)?;
        Ok(Self {
            patient: patient
                .map(PatientId::parse)
                .transpose()
                .map_err(|_shape| ContextFault::Malformed("patient"))?,
            encounter: encounter
                .map(EncounterId::parse)
                .transpose()
                .map_err(|_shape| ContextFault::Malformed("encounter"))?,
            need_patient_banner: need_patient_banner(&members),
            intent: hint(&members, "intent", INTENT_MAX),
            smart_style_url: hint(&members, "smart_style_url", URL_MAX).filter(|u| u.starts_with("https://")),
            fhir_context: fhir_context::parse(members.get("fhirContext")),
        })
    }

    /// TOK-10: scopes bound to a patient need a patient; nothing is guessed.
    ///
    /// # Errors
    /// [`ContextFault::PatientMissing`].
    pub fn check_patient(&self, granted: &ScopeSet) -> Result<(), ContextFault> {
        let is_bound = granted.resources().any(|scope| scope.level == Level::Patient);
        if is_bound && self.patient.is_none() { Err(ContextFault::PatientMissing) } else { Ok(()) }
    }

    /// `fhirContext` as a JSON array in the 2.2 shape.
    pub fn fhir_context_json(&self) -> String {
        serde_json::to_string(&self.fhir_context).unwrap_or_else(|_infallible| "[]".to_owned())
    }
}

fn id<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
    max: usize,
) -> Result<Option<&'a str>, ContextFault> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if is_logical_id(text, max) => Ok(Some(text)),
        Some(_) => Err(ContextFault::Malformed(name)),
    }
}

/// A boolean by the specification; some servers send the string. What is neither means yes, the safe side.
fn need_patient_banner(members: &Map<String, Value>) -> bool {
    match members.get("need_patient_banner") {
        Some(Value::Bool(needed)) => *needed,
        Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
        _ => true,
    }
}

fn hint(members: &Map<String, Value>, name: &str, max: usize) -> Option<String> {
    let text = members.get(name)?.as_str()?;
    let fits = !text.is_empty() && text.len() <= max && text.chars().all(|c| !c.is_control());
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<LaunchContext, ContextFault> {
        LaunchContext::parse(json, 64)
    }

    #[test]
    fn the_whole_context_is_read() {
        let context = parse(
            r#"{"patient":"123","encounter":"e-4","need_patient_banner":false,"intent":"reconcile-medications",
                "smart_style_url":"https://ehr.example/style.json","tenant":"t","access_token":"ignored"}"#,
        )
        .unwrap();
        assert_eq!(context.patient, PatientId::parse("123").ok());
        assert_eq!(context.encounter, EncounterId::parse("e-4").ok());
        assert!(!context.need_patient_banner);
        assert_eq!(context.intent.as_deref(), Some("reconcile-medications"));
        assert_eq!(context.smart_style_url.as_deref(), Some("https://ehr.example/style.json"));
    }

    #[test]
    fn a_banner_is_needed_unless_the_ehr_clearly_says_no() {
        for (json, needed) in [
            ("{}", true),
            (r#"{"need_patient_banner":"false"}"#, false),
            (r#"{"need_patient_banner":"true"}"#, true),
            (r#"{"need_patient_banner":0}"#, true),
            (r#"{"need_patient_banner":null}"#, true),
        ] {
            assert_eq!(parse(json).unwrap().need_patient_banner, needed, "{json}");
        }
    }

    #[test]
    fn a_patient_that_is_not_a_logical_id_is_an_error_and_not_a_guess() {
        let long = format!(r#"{{"patient":"{}"}}"#, "p".repeat(130));
        for bad in [
            r#"{"patient":""}"#,
            r#"{"patient":"Patient/1"}"#,
            r#"{"patient":7}"#,
            r#"{"patient":".."}"#,
            &long,
        ] {
            assert_eq!(parse(bad), Err(ContextFault::Malformed("patient")), "{bad}");
        }
        assert!(LaunchContext::parse(&long, 130).is_ok());
        assert_eq!(parse("[]"), Err(ContextFault::NotJson));
    }

    #[test]
    fn a_patient_grant_without_a_patient_is_refused() {
        let nobody = parse("{}").unwrap();
        let bound = ScopeSet::parse("openid patient/Observation.rs");
        assert_eq!(nobody.check_patient(&bound), Err(ContextFault::PatientMissing));
        assert_eq!(nobody.check_patient(&ScopeSet::parse("user/Observation.rs")), Ok(()));
        assert_eq!(parse(r#"{"patient":"1"}"#).unwrap().check_patient(&bound), Ok(()));
    }

    #[test]
    fn hints_of_an_odd_shape_are_dropped() {
        let context = parse(r#"{"intent":{"a":1},"smart_style_url":"javascript:alert(1)"}"#).unwrap();
        assert_eq!((context.intent, context.smart_style_url), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn no_context_panics(json in ".{0,120}") {
            let _ = parse(&json);
        }
    }
}
