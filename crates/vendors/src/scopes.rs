//! The scopes a product understands, and what it makes of a request.

use sallyport_model::scope::Dialect;

use crate::{Fact, fact::assumed, setting::words};

words! {
    /// Which spelling is asked for when the registration does not say.
    DialectRule {
        /// What the EHR announces.
        Announced = "announced",
        /// `.read`, `.write`
        V1 = "v1",
        /// `.cruds`
        V2 = "v2",
    }
}

impl DialectRule {
    /// The dialect that is certain without discovery.
    pub fn fixed(self) -> Option<Dialect> {
        match self {
            Self::Announced => None,
            Self::V1 => Some(Dialect::V1),
            Self::V2 => Some(Dialect::V2),
        }
    }
}

words! {
    /// What stands between the level and the resource type.
    Separator {
        /// `patient/Observation.rs`
        Slash = "slash",
        /// `patient.Observation.rs`: the server cannot carry `/`.
        Dot = "dot",
    }
}

/// Scopes.
#[derive(Debug, Clone)]
pub struct Scopes {
    /// Which spelling is asked for.
    pub dialect: Fact<DialectRule>,
    /// What stands before the resource type, in requests and answers.
    pub separator: Fact<Separator>,
    /// Older releases answer in v1 whatever was asked for.
    pub answers_in_v1: Fact<bool>,
    /// Scopes that are not registered vanish from the answer without an error.
    pub drops_silently: Fact<bool>,
    /// `*` may stand for all types.
    pub wildcards: Fact<bool>,
    /// A constraint such as `?category=laboratory` may be asked for.
    pub granular: Fact<bool>,
    /// Longest `scope` of a request, in bytes; beyond it the server refuses the launch.
    pub max_bytes: Fact<Option<usize>>,
    /// Read permits search. Where it does not, both letters are asked for (they always are here).
    pub read_permits_search: Fact<bool>,
    /// Letters of resource types and permissions come back in any case, and twice.
    pub mixed_case: Fact<bool>,
    /// A scope that was granted may still be refused for a type, tenant by tenant.
    pub granted_may_be_refused: Fact<bool>,
}

impl Scopes {
    /// What SMART App Launch 2.2 §Scopes asks for.
    pub(crate) fn standard() -> Self {
        Self {
            dialect: assumed(DialectRule::Announced),
            separator: assumed(Separator::Slash),
            answers_in_v1: assumed(false),
            drops_silently: assumed(false),
            wildcards: assumed(true),
            granular: assumed(true),
            max_bytes: assumed(None),
            read_permits_search: assumed(false),
            mixed_case: assumed(false),
            granted_may_be_refused: assumed(false),
        }
    }
}

/// Levels that stand before a resource type.
const LEVELS: [&str; 3] = ["patient", "user", "system"];

impl Scopes {
    /// A `scope` in the product's spelling.
    pub fn as_sent(&self, scope: &str) -> String {
        let sent = |word: &str| match (*self.separator.value(), word.split_once('/')) {
            (Separator::Dot, Some((level, rest))) if LEVELS.contains(&level) => format!("{level}.{rest}"),
            _ => word.to_owned(),
        };
        scope.split_ascii_whitespace().map(sent).collect::<Vec<_>>().join(" ")
    }

    /// A `scope` of the product's in SMART's spelling. What is not understood stays as it is and permits nothing.
    pub fn as_granted(&self, scope: &str) -> String {
        let granted = |word: &str| {
            let word = match (*self.separator.value(), word.split_once('.')) {
                (Separator::Dot, Some((level, rest))) if LEVELS.contains(&level) => format!("{level}/{rest}"),
                _ => word.to_owned(),
            };
            if *self.mixed_case.value() { lower_permission(&word) } else { word }
        };
        scope.split_ascii_whitespace().map(granted).collect::<Vec<_>>().join(" ")
    }
}

/// `user/Binary.Read` means `user/Binary.read`. Types keep their case: it is part of their name.
fn lower_permission(word: &str) -> String {
    let (head, query) = word.split_once('?').map_or((word, None), |(head, query)| (head, Some(query)));
    let lowered = match (head.contains('/'), head.rsplit_once('.')) {
        (true, Some((resource, permission))) => format!("{resource}.{}", permission.to_ascii_lowercase()),
        _ => head.to_owned(),
    };
    query.map_or(lowered.clone(), |query| format!("{lowered}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_carry_a_slash_is_asked_and_understood_with_dots() {
        let dotted = Scopes { separator: assumed(Separator::Dot), ..Scopes::standard() };
        let scope = "openid launch/patient patient/Patient.rs user/*.cruds?category=a/b";
        let sent = "openid launch/patient patient.Patient.rs user.*.cruds?category=a/b";
        assert_eq!(dotted.as_sent(scope), sent);
        assert_eq!(dotted.as_granted(sent), scope);
        assert_eq!(dotted.as_granted(scope), scope, "what was never spelled otherwise stays");
        assert_eq!(Scopes::standard().as_sent(scope), scope);
        assert_eq!(Scopes::standard().as_granted(sent), sent, "dots mean nothing elsewhere");
    }

    #[test]
    fn a_permission_in_capitals_counts_only_where_the_product_is_known_for_it() {
        let mixed = Scopes { mixed_case: assumed(true), ..Scopes::standard() };
        let scope = "user/Binary.Read user/Observation.RS?category=Lab Patient.Read openid fhirUser";
        assert_eq!(
            mixed.as_granted(scope),
            "user/Binary.read user/Observation.rs?category=Lab Patient.Read openid fhirUser"
        );
        assert_eq!(Scopes::standard().as_granted(scope), scope);
    }
}
