//! SMART scopes, v1 and v2: parse, print, decide (SMART 2.2 §Scopes and launch context).
//!
//! What cannot be parsed gives no permission. A set's union is what counts; a constrained scope
//! (`?category=…`) never covers the unconstrained one; `user/`, `patient/` and `system/` never cover each other.

use std::collections::BTreeSet;

/// Whose data a resource scope speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Bound to the patient of the launch.
    Patient,
    /// What the user may see.
    User,
    /// A client acting for itself.
    System,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }
}

/// A permission on a type (SMART 2.2: c r u d s, in that order).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// create
    Create,
    /// read, vread, instance history
    Read,
    /// update, patch
    Update,
    /// delete
    Delete,
    /// search, type and system history
    Search,
}

impl Verb {
    const ORDER: [(Self, char); 5] = [
        (Self::Create, 'c'),
        (Self::Read, 'r'),
        (Self::Update, 'u'),
        (Self::Delete, 'd'),
        (Self::Search, 's'),
    ];

    fn bit(self) -> u8 {
        match self {
            Self::Create => 1,
            Self::Read => 2,
            Self::Update => 4,
            Self::Delete => 8,
            Self::Search => 16,
        }
    }
}

/// Which spelling a scope was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `.read`, `.write`, `.*`
    V1,
    /// `.cruds`
    V2,
}

/// Whether two names mean one type: DSTU2's MedicationOrder is what MedicationRequest is since.
fn is_same_type(one: &str, other: &str) -> bool {
    let today = |name| if name == "MedicationOrder" { "MedicationRequest" } else { name };
    today(one) == today(other)
}

/// One resource scope, e.g. `patient/Observation.rs?category=…|laboratory`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceScope {
    /// patient, user or system
    pub level: Level,
    /// The resource type, or `None` for `*`.
    pub resource_type: Option<String>,
    verbs: u8,
    /// The constraint after `?`: parameter and value pairs, as written. Empty means unconstrained.
    pub constraint: Vec<(String, String)>,
}

impl ResourceScope {
    /// Parses a resource scope of either dialect; `None` when the text is not one. Out-of-order or unknown letters
    /// are not a scope: servers may ignore them, so they must not count as permission.
    pub fn parse(text: &str) -> Option<Self> {
        let (level, rest) = text.split_once('/')?;
        let level = match level {
            "patient" => Level::Patient,
            "user" => Level::User,
            "system" => Level::System,
            _ => return None,
        };
        let (head, query) = rest.split_once('?').map_or((rest, None), |(h, q)| (h, Some(q)));
        let (resource_type, permission) = head.split_once('.')?;
        let resource_type = match resource_type {
            "*" => None,
            name if is_type_name(name) => Some(name.to_owned()),
            _ => return None,
        };
        let verbs = parse_verbs(permission)?;
        let constraint = match query {
            None => Vec::new(),
            Some(query) => parse_constraint(query)?,
        };
        Some(Self { level, resource_type, verbs, constraint })
    }

    /// Whether it gives `verb`.
    pub fn has(&self, verb: Verb) -> bool {
        self.verbs & verb.bit() != 0
    }

    /// Whether everything `other` permits is permitted by this scope alone.
    pub fn covers(&self, other: &Self) -> bool {
        self.level == other.level
            && match (&self.resource_type, &other.resource_type) {
                (None, _) => true,
                (Some(have), Some(wanted)) => is_same_type(have, wanted),
                (Some(_), None) => false,
            }
            && other.verbs & !self.verbs == 0
            && (self.constraint.is_empty() || self.constraint == other.constraint)
    }

    /// The scope in a dialect. v1 cannot express single letters or constraints: it prints the smallest v1 scope
    /// that covers the verbs.
    pub fn print(&self, dialect: Dialect) -> String {
        let resource_type = self.resource_type.as_deref().unwrap_or("*");
        let level = self.level.as_str();
        match dialect {
            Dialect::V2 => {
                let letters: String =
                    Verb::ORDER.iter().filter(|(v, _)| self.has(*v)).map(|(_, letter)| *letter).collect();
                let mut out = format!("{level}/{resource_type}.{letters}");
                for (n, (name, value)) in self.constraint.iter().enumerate() {
                    out.push(if n == 0 { '?' } else { '&' });
                    out.push_str(name);
                    out.push('=');
                    out.push_str(value);
                }
                out
            }
            Dialect::V1 => {
                let reads = self.has(Verb::Read) || self.has(Verb::Search);
                let writes = self.has(Verb::Create) || self.has(Verb::Update) || self.has(Verb::Delete);
                let permission = match (reads, writes) {
                    (true, true) => "*",
                    (false, true) => "write",
                    _ => "read",
                };
                format!("{level}/{resource_type}.{permission}")
            }
        }
    }
}

fn is_type_name(name: &str) -> bool {
    name.len() <= 64
        && name.as_bytes().first().is_some_and(u8::is_ascii_uppercase)
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn parse_verbs(text: &str) -> Option<u8> {
    const RS: u8 = 2 | 16;
    const CUD: u8 = 1 | 4 | 8;
    match text {
        "read" => return Some(RS),
        "write" => return Some(CUD),
        "*" => return Some(RS | CUD),
        "" => return None,
        _ => {}
    }
    let mut verbs = 0;
    let mut order = Verb::ORDER.iter();
    for letter in text.chars() {
        let (verb, _) = order.by_ref().find(|(_, l)| *l == letter)?;
        verbs |= verb.bit();
    }
    Some(verbs)
}

fn parse_constraint(query: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=')?;
        // Modifiers and chains in constraints are experimental: what they would narrow is not known, so they give nothing.
        if name.is_empty()
            || value.is_empty()
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        {
            return None;
        }
        pairs.push((name.to_owned(), value.to_owned()));
    }
    pairs.sort();
    Some(pairs)
}

/// Why a call is, or is not, covered by a set of scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage<'a> {
    /// An unconstrained scope covers it.
    Full,
    /// Only constrained scopes cover it: each returned resource must satisfy at least one of these.
    Constrained(Vec<&'a ResourceScope>),
    /// Nothing covers it.
    None,
}

/// A set of scopes. The empty set permits nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSet {
    resources: BTreeSet<ResourceScope>,
    others: BTreeSet<String>,
}

impl ScopeSet {
    /// Reads a space-separated `scope` string; unknown and malformed members become plain words that permit nothing.
    pub fn parse(text: &str) -> Self {
        let mut set = Self::default();
        for word in text.split_ascii_whitespace() {
            match ResourceScope::parse(word) {
                Some(scope) => {
                    set.resources.insert(scope);
                }
                None => {
                    set.others.insert(word.to_owned());
                }
            }
        }
        set
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.others.is_empty()
    }

    /// The resource scopes.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceScope> {
        self.resources.iter()
    }

    /// The other words: `openid`, `fhirUser`, `launch`, …
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(String::as_str)
    }

    /// Whether a word such as `openid` is in it.
    pub fn has_word(&self, word: &str) -> bool {
        self.others.contains(word)
    }

    /// Adds a word such as `launch/patient`.
    pub fn add_word(&mut self, word: &str) {
        self.others.insert(word.to_owned());
    }

    /// Adds a resource scope.
    pub fn add(&mut self, scope: ResourceScope) {
        self.resources.insert(scope);
    }

    /// Everything of both.
    pub fn union(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.resources.extend(other.resources.iter().cloned());
        out.others.extend(other.others.iter().cloned());
        out
    }

    /// Whether every verb of `wanted` is permitted. Several scopes may share the work (`.rs` and `.cud` make `.cruds`),
    /// as long as each covers its verbs without a narrower constraint.
    pub fn covers(&self, wanted: &ResourceScope) -> bool {
        Verb::ORDER.iter().filter(|(verb, _)| wanted.has(*verb)).all(|(verb, _)| {
            let single = ResourceScope { verbs: verb.bit(), ..wanted.clone() };
            self.resources.iter().any(|have| have.covers(&single))
        })
    }

    /// How `verb` on `resource_type` is covered at the given levels.
    pub fn coverage(&self, levels: &[Level], resource_type: &str, verb: Verb) -> Coverage<'_> {
        let mut constrained = Vec::new();
        for scope in &self.resources {
            let fits = levels.contains(&scope.level)
                && scope.has(verb)
                && scope.resource_type.as_deref().is_none_or(|t| is_same_type(t, resource_type));
            if fits && scope.constraint.is_empty() {
                return Coverage::Full;
            }
            if fits {
                constrained.push(scope);
            }
        }
        if constrained.is_empty() { Coverage::None } else { Coverage::Constrained(constrained) }
    }

    /// The set as a `scope` string in one dialect (v1 and v2 are never mixed in a request).
    pub fn print(&self, dialect: Dialect) -> String {
        let mut words: BTreeSet<String> = self.others.clone();
        words.extend(self.resources.iter().map(|scope| scope.print(dialect)));
        words.into_iter().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests;
