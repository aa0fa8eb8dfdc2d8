//! A tenant's policy: purpose × resource type × security label × jurisdiction → permit or deny, on every call.

use sallyport_model::{PolicyDecision, Purpose};

/// Labels (HL7 v3 Confidentiality and friends) that a policy knows without being told: unrestricted to normal.
/// Every other label needs a rule that names it; unknown means deny.
const ORDINARY_LABELS: [&str; 4] = ["U", "L", "M", "N"];

/// Tags that servers put into `meta.security` and that say nothing about sensitivity.
const TECHNICAL_LABELS: [&str; 2] = ["SUBSETTED", "HTEST"];

/// One line of a policy. All given members must match; an empty list matches nothing, `*` matches all.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in records.
    pub name: String,
    /// Purposes of use.
    pub purposes: Vec<String>,
    /// Resource types.
    pub types: Vec<String>,
    /// The labels this rule is about. A rule without labels is about resources with ordinary labels only.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Jurisdictions, compared with the tenant's; `*` for any.
    #[serde(default = "any")]
    pub jurisdictions: Vec<String>,
    /// `true` permits, `false` denies.
    pub permit: bool,
}

fn any() -> Vec<String> {
    vec!["*".to_owned()]
}

/// The rules of a tenant, in order; the first that matches decides, none denies.
#[derive(Debug, Clone)]
pub struct Policy {
    /// In order of precedence.
    pub rules: Vec<Rule>,
    /// Where the tenant is, e.g. `US-MA`.
    pub jurisdiction: String,
}

impl Policy {
    /// Decides on a resource type with the labels of one resource (none before the answer is known). A resource with
    /// several labels needs a permit for each that is not ordinary.
    pub fn decide(&self, purpose: Purpose, resource_type: &str, labels: &[&str]) -> PolicyDecision {
        let mut special = labels
            .iter()
            .filter(|l| !ORDINARY_LABELS.contains(l) && !TECHNICAL_LABELS.contains(l))
            .peekable();
        if special.peek().is_none() {
            return self.first(purpose, resource_type, None);
        }
        let mut last = PolicyDecision::Deny("default".to_owned());
        for label in special {
            last = self.first(purpose, resource_type, Some(label));
            if matches!(last, PolicyDecision::Deny(_)) {
                if sallyport_model::planted!("policy-unknown-label-permits") {
                    return PolicyDecision::Permit("planted".to_owned());
                }
                return last;
            }
        }
        last
    }

    fn first(&self, purpose: Purpose, resource_type: &str, label: Option<&str>) -> PolicyDecision {
        let hit = self.rules.iter().find(|rule| {
            names(&rule.purposes, purpose.as_str())
                && names(&rule.types, resource_type)
                && names(&rule.jurisdictions, &self.jurisdiction)
                && match label {
                    Some(label) => rule.labels.iter().any(|l| l == label),
                    None => rule.labels.is_empty(),
                }
        });
        match hit {
            Some(rule) if rule.permit => PolicyDecision::Permit(rule.name.clone()),
            Some(rule) => PolicyDecision::Deny(rule.name.clone()),
            None => PolicyDecision::Deny("default".to_owned()),
        }
    }
}

fn names(list: &[String], value: &str) -> bool {
    list.iter().any(|item| item == "*" || item == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, purpose: &str, types: &[&str], labels: &[&str], permit: bool) -> Rule {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Rule {
            name: name.into(),
            purposes: vec![purpose.into()],
            types: own(types),
            labels: own(labels),
            jurisdictions: any(),
            permit,
        }
    }

    fn policy() -> Policy {
        Policy {
            rules: vec![
                rule("no-coverage", "TREAT", &["Coverage"], &[], false),
                rule("treatment", "TREAT", &["*"], &[], true),
                rule("treatment-restricted", "TREAT", &["Condition"], &["R"], true),
            ],
            jurisdiction: "US".into(),
        }
    }

    #[test]
    fn the_first_matching_rule_decides_and_none_denies() {
        let policy = policy();
        assert_eq!(
            policy.decide(Purpose::Treat, "Condition", &[]),
            PolicyDecision::Permit("treatment".into())
        );
        assert_eq!(
            policy.decide(Purpose::Treat, "Coverage", &[]),
            PolicyDecision::Deny("no-coverage".into())
        );
        assert_eq!(policy.decide(Purpose::Hresch, "Condition", &[]), PolicyDecision::Deny("default".into()));
    }

    #[test]
    fn an_unknown_label_denies_and_each_special_label_needs_its_rule() {
        let policy = policy();
        assert!(matches!(policy.decide(Purpose::Treat, "Condition", &["N"]), PolicyDecision::Permit(_)));
        assert!(matches!(policy.decide(Purpose::Treat, "Condition", &["R"]), PolicyDecision::Permit(_)));
        assert!(matches!(policy.decide(Purpose::Treat, "Condition", &["R", "ETH"]), PolicyDecision::Deny(_)));
        assert!(matches!(policy.decide(Purpose::Treat, "Observation", &["R"]), PolicyDecision::Deny(_)));
    }

    #[test]
    fn an_empty_policy_denies_everything() {
        let policy = Policy { rules: vec![], jurisdiction: "US".into() };
        assert!(matches!(policy.decide(Purpose::Treat, "Patient", &[]), PolicyDecision::Deny(_)));
    }
}
