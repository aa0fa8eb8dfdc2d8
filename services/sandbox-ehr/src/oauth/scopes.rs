//! SMART scopes as the server reads them: v1 (`read`, `write`, `*`) and v2 (`cruds` with an optional
//! search constraint), what a client may ask for given what it was registered with, and words for people.

use std::fmt::Write as _;

use crate::profile::{Profile, ScopeDialect};

/// Who the rights of a resource scope are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Patient,
    User,
    System,
}

/// The five letters of SMART 2 as flags, in the order of the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Permissions([bool; 5]);

const LETTERS: [char; 5] = ['c', 'r', 'u', 'd', 's'];

impl Permissions {
    /// SMART 2.2: letters in the order `cruds`, each at most once, at least one.
    fn parse(text: &str) -> Option<Self> {
        let mut flags = [false; 5];
        let mut rest = text.chars().peekable();
        for (flag, letter) in flags.iter_mut().zip(LETTERS) {
            *flag = rest.next_if_eq(&letter).is_some();
        }
        (rest.next().is_none() && flags.contains(&true)).then_some(Self(flags))
    }

    fn and(self, other: Self) -> Self {
        let mut flags = self.0;
        for (flag, also) in flags.iter_mut().zip(other.0) {
            *flag &= also;
        }
        Self(flags)
    }

    /// `read` where reading or searching is among them, `write` where anything else is.
    fn as_version_1(self) -> Self {
        let [create, read, update, delete, search] = self.0;
        let (reads, writes) = (read || search, create || update || delete);
        Self([writes, reads, writes, writes, reads])
    }

    fn is_none(self) -> bool {
        !self.0.contains(&true)
    }

    fn letters(self) -> String {
        self.0.iter().zip(LETTERS).filter(|(flag, _)| **flag).map(|(_, letter)| letter).collect()
    }
}

/// A scope on FHIR resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourceScope {
    pub(crate) context: Context,
    kind: String,
    permissions: Permissions,
    query: Option<String>,
    is_v1: bool,
}

/// A scope this server understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `openid`, `fhirUser`, `profile`, `online_access`, `offline_access`, `launch`, `launch/patient`,
    /// `launch/encounter`.
    Plain(&'static str),
    Resource(ResourceScope),
}

const PLAIN: [&str; 8] = [
    "openid",
    "fhirUser",
    "profile",
    "launch",
    "launch/patient",
    "launch/encounter",
    "online_access",
    "offline_access",
];

impl Scope {
    /// Reads one scope; `None` for what the grammar does not know, which servers may ignore.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(plain) = PLAIN.iter().find(|plain| **plain == text) {
            return Some(Self::Plain(plain));
        }
        let (context, rest) = text.split_once('/')?;
        let context = match context {
            "patient" => Context::Patient,
            "user" => Context::User,
            "system" => Context::System,
            _ => return None,
        };
        let (kind, rights) = rest.split_once('.')?;
        let is_type =
            kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.chars().all(char::is_alphanumeric);
        if !is_type && kind != "*" {
            return None;
        }
        let (rights, query) = rights.split_once('?').map_or((rights, None), |(r, q)| (r, Some(q.to_owned())));
        if query.as_deref().is_some_and(|query| !query.contains('=')) {
            return None;
        }
        let (letters, is_v1) = match rights {
            "read" => ("rs", true),
            "write" => ("cud", true),
            "*" => ("cruds", true),
            letters => (letters, false),
        };
        if is_v1 && query.is_some() {
            return None;
        }
        let permissions = Permissions::parse(letters)?;
        Some(Self::Resource(ResourceScope { context, kind: kind.to_owned(), permissions, query, is_v1 }))
    }

    /// The scope as a product understands it; `None` where it does not.
    fn spoken_by(self, profile: &Profile) -> Option<Self> {
        let Self::Resource(scope) = self else { return Some(self) };
        if scope.kind == "*" && !profile.allows_wildcards {
            return None;
        }
        match profile.scope_dialect {
            ScopeDialect::AsAsked => Some(Self::Resource(scope)),
            ScopeDialect::DropsVersion1 => (!scope.is_v1).then_some(Self::Resource(scope)),
            // Version 1 knows no constraint, so what is granted is wider than what was asked.
            ScopeDialect::AnswersVersion1 => {
                let permissions = scope.permissions.as_version_1();
                Some(Self::Resource(ResourceScope { permissions, query: None, is_v1: true, ..scope }))
            }
        }
    }

    /// The part of this scope that `registered` allows; `None` if nothing is left.
    fn within(&self, registered: &Self) -> Option<Self> {
        let (Self::Resource(asked), Self::Resource(limit)) = (self, registered) else {
            return (self == registered).then(|| self.clone());
        };
        let same_type = limit.kind == "*" || limit.kind == asked.kind;
        let same_query = limit.query.is_none() || limit.query == asked.query;
        let permissions = asked.permissions.and(limit.permissions);
        if limit.context != asked.context || !same_type || !same_query || permissions.is_none() {
            return None;
        }
        Some(Self::Resource(ResourceScope { permissions, ..asked.clone() }))
    }

    /// Whether a person may untick it on the consent page; context and identity belong to the launch.
    pub(crate) fn is_optional(&self) -> bool {
        matches!(self, Self::Resource(_) | Self::Plain("online_access" | "offline_access"))
    }

    fn is_for_system(&self) -> bool {
        matches!(self, Self::Resource(ResourceScope { context: Context::System, .. }))
    }

    pub(crate) fn is_for_patient(&self) -> bool {
        matches!(self, Self::Resource(ResourceScope { context: Context::Patient, .. }))
            || *self == Self::Plain("launch/patient")
    }

    /// What it means, in words for the consent page.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Plain(name) => plain_words(name).to_owned(),
            Self::Resource(scope) => scope.in_words(),
        }
    }
}

fn plain_words(name: &str) -> &'static str {
    match name {
        "openid" => "Know that it is you",
        "fhirUser" => "Know your staff record",
        "profile" => "Know your name",
        "launch" => "Open with what you have open in the EHR",
        "launch/patient" => "Know which patient you chose",
        "launch/encounter" => "Know which encounter you chose",
        "online_access" => "Stay connected while you are signed in",
        "offline_access" => "Stay connected when you are not there",
        _ => "",
    }
}

impl ResourceScope {
    fn in_words(&self) -> String {
        let mut verbs: Vec<&str> = Vec::new();
        let letters = self.permissions.letters();
        for (letter, verb) in
            [('r', "read"), ('s', "search"), ('c', "create"), ('u', "change"), ('d', "delete")]
        {
            if letters.contains(letter) {
                verbs.push(verb);
            }
        }
        let mut words = verbs.join(", ");
        if let Some(first) = words.get(..1).map(str::to_uppercase) {
            words.replace_range(..1, &first);
        }
        let kind = if self.kind == "*" { "all records" } else { &self.kind };
        let whose = match self.context {
            Context::Patient => "of this patient",
            Context::User => "that you may see yourself",
            Context::System => "of everybody",
        };
        // Writing into a String cannot fail.
        let _ = write!(words, " {kind} {whose}");
        if let Some(query) = &self.query {
            let _ = write!(words, ", only where {query}");
        }
        words
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scope = match self {
            Self::Plain(name) => return f.write_str(name),
            Self::Resource(scope) => scope,
        };
        let context = match scope.context {
            Context::Patient => "patient",
            Context::User => "user",
            Context::System => "system",
        };
        let letters = scope.permissions.letters();
        let rights = match letters.as_str() {
            "rs" if scope.is_v1 => "read",
            "cud" if scope.is_v1 => "write",
            "cruds" if scope.is_v1 => "*",
            other => other,
        };
        write!(f, "{context}/{}.{rights}", scope.kind)?;
        scope.query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

/// What a client may be granted of what it asks for: each scope cut down to the registered ones, unknown
/// and foreign ones dropped, doubles once.
/// What the profile does not speak is dropped without a word.
/// Rights of a service are never granted to a person's app.
pub(crate) fn grantable(asked: &str, registered: &[String], profile: &Profile) -> Vec<Scope> {
    let mut granted = cut_down(asked, registered, profile);
    granted.retain(|scope| !scope.is_for_system());
    granted
}

/// What a service may be granted of what it asks for.
pub(crate) fn grantable_to_service(asked: &str, registered: &[String], profile: &Profile) -> Vec<Scope> {
    let mut granted = cut_down(asked, registered, profile);
    granted.retain(Scope::is_for_system);
    granted
}

fn cut_down(asked: &str, registered: &[String], profile: &Profile) -> Vec<Scope> {
    let registered: Vec<Scope> = registered.iter().filter_map(|scope| Scope::parse(scope)).collect();
    let mut granted: Vec<Scope> = Vec::new();
    for scope in asked.split(' ').filter_map(Scope::parse).filter_map(|scope| scope.spoken_by(profile)) {
        for part in registered.iter().filter_map(|limit| scope.within(limit)) {
            if !granted.contains(&part) {
                granted.push(part);
            }
        }
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(asked: &str, registered: &[&str]) -> String {
        let registered: Vec<String> = registered.iter().map(|scope| (*scope).to_owned()).collect();
        grantable(asked, &registered, &Profile::STRICT)
            .iter()
            .map(Scope::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn scopes_of_the_smart_examples_are_read_and_printed_unchanged() {
        for text in [
            "patient/Observation.rs",
            "user/*.cruds",
            "system/*.rs",
            "patient/Patient.r",
            "patient/Basic.s?code=https://myapp.example.org|encrypted-phr-access-keys",
            "patient/Observation.read",
            "user/*.*",
            "patient/Condition.write",
            "launch/patient",
            "offline_access",
        ] {
            assert_eq!(Scope::parse(text).map(|scope| scope.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn letters_out_of_order_unknown_or_missing_are_no_scope() {
        for text in [
            "patient/Observation.dus",
            "patient/Observation.sr",
            "patient/Observation.",
            "patient/Observation.rr",
            "Patient/Observation.rs",
            "patient/observation.rs",
            "patient/Observation",
            "patient/Observation.rs?category",
            "patient/Observation.read?category=x",
            "launch/Patient",
            "",
        ] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_request_is_cut_down_to_what_the_client_was_registered_with() {
        assert_eq!(
            granted("openid patient/Observation.cruds", &["openid", "patient/*.rs"]),
            "openid patient/Observation.rs"
        );
        assert_eq!(granted("patient/Observation.*", &["patient/*.read"]), "patient/Observation.read");
        assert_eq!(granted("user/Observation.rs", &["patient/*.cruds"]), "");
        assert_eq!(granted("patient/*.rs", &["patient/Condition.rs"]), "");
        assert_eq!(granted("openid openid", &["openid"]), "openid");
    }

    #[test]
    fn a_constraint_narrows_and_never_widens() {
        let wide = "patient/Observation.rs";
        let narrow = "patient/Observation.rs?category=laboratory";
        assert_eq!(granted(narrow, &[wide]), narrow);
        assert_eq!(granted(wide, &[narrow]), "");
        assert_eq!(granted(narrow, &[narrow]), narrow);
    }

    #[test]
    fn the_consent_page_says_in_words_what_a_scope_allows() {
        let words = |text: &str| Scope::parse(text).unwrap().in_words();
        assert_eq!(words("patient/Observation.rs"), "Read, search Observation of this patient");
        assert_eq!(words("user/*.c"), "Create all records that you may see yourself");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_is_printed_as_it_was_and_reads_the_same(
            context in "patient|user|system", kind in "[*]|[A-Z]?[a-zA-Z]{0,8}", rights in "[cruds]{0,6}|read|write|[*]",
            query in "|[?][a-z]{0,4}=?[a-z|:/.]{0,9}",
        ) {
            let text = format!("{context}/{kind}.{rights}{query}");
            if let Some(scope) = Scope::parse(&text) {
                proptest::prop_assert_eq!(scope.to_string(), text);
            }
        }
    }
}
