//! Text from the log as people read it: nothing in it moves a terminal's cursor, and codes in the words of a patient.

/// What a terminal would obey, or would show in another order than it stands, as a space.
pub(crate) fn text(text: &str) -> String {
    text.chars().map(|c| if is_shown(c) { c } else { ' ' }).collect()
}

/// JSON that a terminal obeys as little: what [`text`] takes out is escaped.
pub(super) fn json(value: &serde_json::Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if is_shown(c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

fn is_shown(c: char) -> bool {
    let turns_around =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns_around && c != '\u{2028}' && c != '\u{2029}'
}

/// What a purpose of use (v3 ActReason) means.
pub(super) fn purpose(code: &str) -> &str {
    match code {
        "TREAT" => "your treatment",
        "ETREAT" | "BTG" => "an emergency",
        "HPAYMT" => "payment for your care",
        "HOPERAT" => "running the organisation",
        "HSYSADMIN" => "keeping the system in order",
        "PATRQT" => "a request of yours",
        "PUBHLTH" => "public health",
        "HRESCH" | "CLINTRCH" => "research",
        "HQUALIMP" => "improving the quality of care",
        "CAREMGT" | "COC" => "coordinating your care",
        "" => "a purpose that was not recorded",
        other => other,
    }
}

/// What a type of resource holds.
pub(super) fn kind(resource_type: &str) -> &str {
    match resource_type {
        "Patient" => "who you are",
        "AllergyIntolerance" => "allergies",
        "Condition" => "health problems and diagnoses",
        "MedicationRequest" | "MedicationStatement" | "MedicationOrder" | "Medication" => "medicines",
        "Observation" => "measurements and laboratory results",
        "DiagnosticReport" => "reports of examinations",
        "DocumentReference" | "Binary" => "documents",
        "Encounter" => "visits",
        "Immunization" => "vaccinations",
        "Procedure" => "procedures",
        "CarePlan" | "Goal" => "care plans",
        "CareTeam" | "Practitioner" | "PractitionerRole" => "who takes care of you",
        "Coverage" => "insurance",
        "ServiceRequest" => "orders",
        "Task" | "Communication" => "tasks and messages",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_as_a_command() {
        let hostile = "a\u{1b}[2Jb\u{9b}31mc\u{7}d\r\ne\u{202e}f\u{2066}";
        assert_eq!(text(hostile), "a [2Jb 31mc d  e f ");
        let json = json(&serde_json::json!({ "x": hostile }));
        assert!(json.chars().all(is_shown), "{json}");
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["x"], hostile, "and nothing is lost");
    }
}
