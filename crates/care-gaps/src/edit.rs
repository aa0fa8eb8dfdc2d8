//! What a person may change of a proposal before approving it: the fields that it declares, and nothing else.
//!
//! Whoever shows it, whoever keeps the decision and whoever writes apply the same edits to the same payload by this one function, so
//! that the hash that was approved is that of what is written.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Proposed;

/// A field that may be edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Editable {
    /// As forms and records name it.
    pub field: String,
    /// For people.
    pub label: String,
    /// Where its text stands in the payload: a JSON pointer.
    pub pointer: String,
    /// At most so many characters.
    pub max_chars: usize,
}

/// A field with its new text. Patient data: no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// [`Editable::field`]
    pub field: String,
    /// What it says now.
    pub text: String,
}

/// A payload after its edits. Patient data: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Edited {
    /// Byte for byte what is approved; the proposed one where nothing was changed.
    pub payload: String,
    /// Which fields say something else than was proposed, in the order of their declaration.
    pub fields: Vec<String>,
}

/// Why an edit is none. Names fields that are declared, and never what somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditFault {
    /// Whom the record is about.
    Patient,
    /// A field that is not declared.
    Unknown,
    /// The same field twice.
    Twice(String),
    /// Nothing is left.
    Empty(String),
    /// Too long, and how long it may be.
    TooLong(String, usize),
    /// Control characters, or characters that turn the direction of writing around.
    Control(String),
    /// The payload is not one whose rest would stay as it is.
    Fixed,
}

impl fmt::Display for EditFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Patient => out.write_str("Whom the record is about cannot be edited."),
            Self::Unknown => out.write_str("There is an edit of something that may not be edited."),
            Self::Twice(label) => write!(out, "{label}: edited twice."),
            Self::Empty(label) => {
                write!(out, "{label}: must not be empty. Reject the proposal if there is nothing to say.")
            }
            Self::TooLong(label, max) => write!(out, "{label}: at most {max} characters."),
            Self::Control(label) => write!(out, "{label}: holds control characters; type it anew."),
            Self::Fixed => out.write_str("This proposal cannot be edited."),
        }
    }
}

/// What names the patient in the resources that are proposed; a field of that name is never declared.
const PATIENTS: [&str; 4] = ["patient", "subject", "for", "beneficiary"];

impl Proposed {
    /// What would be written after these edits.
    ///
    /// # Errors
    /// [`EditFault`] for the first edit that is none.
    pub fn edited(&self, edits: &[Edit]) -> Result<Edited, EditFault> {
        let unedited = || Edited { payload: self.payload.clone(), fields: Vec::new() };
        if edits.is_empty() {
            return Ok(unedited());
        }
        for (index, edit) in edits.iter().enumerate() {
            self.check(edit, edits.get(..index).unwrap_or_default())?;
        }
        let mut value: Value = serde_json::from_str(&self.payload).map_err(|_shape| EditFault::Fixed)?;
        let untouched = value.to_string();
        if untouched != self.payload {
            return Err(EditFault::Fixed);
        }
        let mut fields = Vec::new();
        for declared in &self.editable {
            let Some(edit) = edits.iter().find(|edit| edit.field == declared.field) else { continue };
            let Some(Value::String(text)) = value.pointer_mut(&declared.pointer) else {
                return Err(EditFault::Fixed);
            };
            if *text != edit.text {
                text.clone_from(&edit.text);
                fields.push(declared.field.clone());
            }
        }
        if fields.is_empty() { Ok(unedited()) } else { Ok(Edited { payload: value.to_string(), fields }) }
    }

    /// What an editable field says as proposed.
    pub fn text_of(&self, declared: &Editable) -> Option<String> {
        let value: Value = serde_json::from_str(&self.payload).ok()?;
        value.pointer(&declared.pointer)?.as_str().map(str::to_owned)
    }

    fn check(&self, edit: &Edit, before: &[Edit]) -> Result<(), EditFault> {
        let Some(declared) = self.editable.iter().find(|declared| declared.field == edit.field) else {
            let root = edit.field.split(['.', '/', '[']).find(|part| !part.is_empty()).unwrap_or_default();
            let names_patient = PATIENTS.iter().any(|name| name.eq_ignore_ascii_case(root));
            return Err(if names_patient { EditFault::Patient } else { EditFault::Unknown });
        };
        let label = || declared.label.clone();
        if before.iter().any(|other| other.field == edit.field) {
            return Err(EditFault::Twice(label()));
        }
        if edit.text.trim().is_empty() {
            return Err(EditFault::Empty(label()));
        }
        if edit.text.chars().count() > declared.max_chars {
            return Err(EditFault::TooLong(label(), declared.max_chars));
        }
        if edit.text.chars().any(is_control) {
            return Err(EditFault::Control(label()));
        }
        Ok(())
    }
}

/// Characters that nobody sees: they have no place in a chart. A new line is one that people see.
fn is_control(one: char) -> bool {
    (one.is_control() && one != '\n')
        || matches!(one, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
