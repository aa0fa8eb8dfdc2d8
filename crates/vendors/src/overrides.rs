//! Facts by name: what an endpoint may override, and what the page about the products shows.

mod facts;
mod rules;

pub use facts::FACTS;

use crate::{Profile, Setting, Shown};

/// A fact of a profile, by name.
pub struct Named {
    /// `part.field`
    pub name: &'static str,
    /// Reads it.
    pub get: fn(&Profile) -> Shown,
    /// Replaces it; the error says what may be written.
    set: fn(&mut Profile, &str) -> Result<(), String>,
    /// What may be written.
    pub forms: fn() -> String,
}

impl Named {
    /// The part of the profile it belongs to.
    pub fn part(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(part, _)| part)
    }

    /// Whether it is a fact about registering, for people: there is nothing that an override would change.
    pub fn is_for_people(&self) -> bool {
        self.part() == "registration" || self.name == "place.base_pattern"
    }
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Why an override cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// There is no such fact.
    #[error("there is no behaviour \"{key}\" to override; there are {known}")]
    Unknown {
        /// As written.
        key: String,
        /// What there is.
        known: String,
    },
    /// The value is none of this fact.
    #[error("{key} must be {forms}")]
    Value {
        /// Which.
        key: String,
        /// What may be written.
        forms: String,
    },
}

/// Names of what may be overridden.
pub fn keys() -> impl Iterator<Item = &'static str> {
    FACTS.iter().filter(|fact| !fact.is_for_people()).map(|fact| fact.name).chain(rules::FORMS)
}

impl Profile {
    /// Overrides one fact. The value is as an endpoint's file writes it.
    ///
    /// # Errors
    /// [`OverrideError`], which says what there is, or what may be written.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), OverrideError> {
        let bad = |forms| OverrideError::Value { key: key.to_owned(), forms };
        if let Some(fact) = FACTS.iter().find(|fact| fact.name == key && !fact.is_for_people()) {
            return (fact.set)(self, value).map_err(bad);
        }
        match rules::set(&mut self.search, key, value) {
            Some(outcome) => outcome.map_err(bad),
            None => Err(OverrideError::Unknown {
                key: key.to_owned(),
                known: keys().collect::<Vec<_>>().join(", "),
            }),
        }
    }
}

/// The forms of a fact's type, found by the compiler.
fn forms_of<T: Setting>(_: fn(&Profile) -> &crate::Fact<T>) -> String {
    T::forms()
}

#[cfg(test)]
mod tests;
