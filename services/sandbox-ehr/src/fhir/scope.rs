//! SMART scopes of version 1 and 2, as far as a server that reads, creates and updates needs them
//! (<https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html>).

use url::form_urlencoded;

/// Whose data a scope reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Patient,
    User,
    System,
}

/// What is done, in the letters of version 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interaction {
    Read,
    Search,
    Create,
    Update,
}

/// One resource scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) level: Level,
    kind: String,
    letters: String,
    /// Search parameters to which resources must conform, for example a category.
    pub(crate) constraint: Vec<(String, String)>,
}

impl Scope {
    /// Reads a scope; none for other scopes and for malformed ones, which grant nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (level, rest) = text.split_once('/')?;
        let level = match level {
            "patient" => Level::Patient,
            "user" => Level::User,
            "system" => Level::System,
            _ => return None,
        };
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (kind, actions) = rest.split_once('.')?;
        let is_kind = kind == "*"
            || (kind.starts_with(|c: char| c.is_ascii_uppercase())
                && kind.bytes().all(|b| b.is_ascii_alphabetic()));
        let letters = permissions(actions)?;
        let constraint: Vec<(String, String)> =
            form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        // `?` with nothing behind it is not "everything".
        let is_whole = query.is_none() || !constraint.is_empty();
        (is_kind && is_whole).then(|| Self { level, kind: kind.to_owned(), letters, constraint })
    }

    /// Whether the scope is about this type and interaction.
    pub(crate) fn covers(&self, kind: &str, interaction: Interaction) -> bool {
        let kind_fits = self.kind == "*" || self.kind == kind;
        let letter = match interaction {
            Interaction::Create => 'c',
            Interaction::Read => 'r',
            Interaction::Update => 'u',
            Interaction::Search => 's',
        };
        kind_fits && self.letters.contains(letter)
    }
}

/// The letters of what is allowed; none for letters out of order or unknown.
fn permissions(actions: &str) -> Option<String> {
    match actions {
        // Version 1: `read` means read and search, `write` all else.
        "read" => return Some("rs".to_owned()),
        "*" => return Some("cruds".to_owned()),
        "write" => return Some("cud".to_owned()),
        "" => return None,
        _ => {}
    }
    let mut allowed = "cruds".chars();
    let in_order = actions.chars().all(|letter| allowed.any(|known| known == letter));
    in_order.then(|| actions.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_one_and_two_are_read_alike() {
        let one = Scope::parse("patient/Observation.read").unwrap();
        let two = Scope::parse("patient/Observation.rs").unwrap();
        assert_eq!(one, two);
        assert!(
            one.covers("Observation", Interaction::Read) && one.covers("Observation", Interaction::Search)
        );
        assert!(!one.covers("Condition", Interaction::Read));
        assert!(!Scope::parse("user/*.write").unwrap().covers("Patient", Interaction::Read));
        for (scope, interaction, is_covered) in [
            ("user/*.write", Interaction::Create, true),
            ("user/*.write", Interaction::Update, true),
            ("user/Patient.c", Interaction::Update, false),
            ("user/Patient.rs", Interaction::Create, false),
            ("user/Patient.cruds", Interaction::Update, true),
        ] {
            assert_eq!(Scope::parse(scope).unwrap().covers("Patient", interaction), is_covered, "{scope}");
        }
        let only_read = Scope::parse("user/Patient.r").unwrap();
        assert!(
            only_read.covers("Patient", Interaction::Read)
                && !only_read.covers("Patient", Interaction::Search)
        );
    }

    #[test]
    fn malformed_scopes_grant_nothing() {
        for bad in [
            "patient/Observation.dus",
            "patient/Observation.sr",
            "patient/Observation.",
            "patient/Observation",
            "Patient/Observation.rs",
            "patient/observation.rs",
            "patient/*.rs?",
            "openid",
            "launch/patient",
        ] {
            assert_eq!(Scope::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_constraint_is_kept_with_its_system() {
        let category = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
        let scope = Scope::parse(&format!("patient/Observation.rs?category={category}")).unwrap();
        assert_eq!(scope.constraint, [("category".to_owned(), category.to_owned())]);
    }
}
