//! Reports that are signed with a log's key: notes that no checkpoint can be taken for, and that cannot be taken for one.

use crate::{Note, NoteError, VerifierKey};

/// The first line. No origin is this, and what follows is no number as in a checkpoint.
const HEADING: &str = "sallyport incident report v1";

/// A report whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReport {
    /// A JSON object.
    pub body: String,
    /// The name under which it was signed.
    pub signer: String,
}

/// What is signed: the heading and the body, which is a JSON object without empty lines.
///
/// # Errors
/// [`NoteError::Malformed`].
pub fn report_text(body: &str) -> Result<String, NoteError> {
    let body = body.trim_end();
    let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(body).is_ok();
    if !is_object || !body.starts_with('{') || body.contains("\n\n") {
        return Err(NoteError::Malformed);
    }
    Ok(format!("{HEADING}\n{body}\n"))
}

/// Whether a file is meant to be a report.
pub fn is_report(bytes: &[u8]) -> bool {
    bytes.starts_with(HEADING.as_bytes())
}

/// Checks a report's signature: by that key under whatever name, because one key signs for all logs of an instance.
///
/// # Errors
/// [`NoteError`] when it is no report, or was changed, or another key signed it.
pub fn verify_report(bytes: &[u8], key: &VerifierKey) -> Result<SignedReport, NoteError> {
    let note = Note::parse(bytes)?;
    let body = note.text().strip_prefix(HEADING).and_then(|rest| rest.strip_prefix('\n'));
    let body = body.ok_or(NoteError::Malformed)?.to_owned();
    if report_text(&body)? != note.text() {
        return Err(NoteError::Malformed);
    }
    let mut outcome = NoteError::NotSigned;
    for signature in note.signatures() {
        let named = key.named(&signature.name)?;
        match note.signed_by(&named) {
            Ok(_) => return Ok(SignedReport { body, signer: signature.name.clone() }),
            Err(NoteError::NotSigned) => {}
            Err(error) => outcome = error,
        }
    }
    Err(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, KeyKind, SigningKey};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed("sallyport/audit/_system", KeyKind::Log, &[seed; 32]).unwrap()
    }

    fn signed(body: &str) -> String {
        let mut note = Note::unsigned(report_text(body).unwrap()).unwrap();
        key(7).sign(&mut note, 0);
        note.to_string()
    }

    #[test]
    fn a_report_verifies_and_an_altered_one_does_not() {
        let text = signed("{\n  \"sessions\": 3\n}");
        let report = verify_report(text.as_bytes(), key(7).verifier()).unwrap();
        assert_eq!(
            (report.body.trim_end(), report.signer.as_str()),
            ("{\n  \"sessions\": 3\n}", "sallyport/audit/_system")
        );
        let other_name = key(7).verifier().named("sallyport/audit/general").unwrap();
        assert!(verify_report(text.as_bytes(), &other_name).is_ok(), "one key signs for all logs");
        assert_eq!(verify_report(text.as_bytes(), key(8).verifier()), Err(NoteError::NotSigned));
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] ^= 1;
            assert!(verify_report(&altered, key(7).verifier()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn neither_a_report_nor_a_checkpoint_passes_for_the_other() {
        for body in ["", "5", "[]", "{", "{}\n\n{}", "5\nAAAA"] {
            assert_eq!(report_text(body), Err(NoteError::Malformed), "{body:?}");
        }
        let origin = "sallyport/audit/_system".to_owned();
        let checkpoint = Checkpoint { origin, size: 5, root: crate::Hash::leaf(b"x") }.sign(&key(7)).unwrap();
        assert!(!is_report(checkpoint.to_string().as_bytes()));
        assert!(verify_report(checkpoint.to_string().as_bytes(), key(7).verifier()).is_err());
        let report = report_text("{}").unwrap();
        assert!(is_report(report.as_bytes()));
        assert!(Checkpoint::parse(&report).is_err());
    }
}
