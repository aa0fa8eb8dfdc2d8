//! Recorded clinical validations: a feature that writes is enabled for a tenant only by one.

use sallyport_clinical::Mapping;
use sallyport_model::scope::{Coverage, Level, Verb};

use crate::{App, Endpoint, Feature, FeatureKind, Validation, file::ValidationPart};

/// Puts the validations of a file to their features.
pub(crate) fn record(parts: Vec<ValidationPart>, features: &mut [Feature]) -> Result<(), String> {
    for part in parts {
        let id = part.feature;
        let feature = features
            .iter_mut()
            .find(|feature| feature.id == id)
            .ok_or_else(|| format!("a validation names the feature {id}, which does not exist"))?;
        if feature.kind != FeatureKind::InteractiveWrite {
            return Err(format!("a validation names the feature {id}, which writes nothing"));
        }
        if feature.validation.is_some() {
            return Err(format!("feature {id} has two validations; keep the one that counts"));
        }
        if part.by.trim().is_empty() || part.evidence.trim().is_empty() {
            return Err(format!(
                "the validation of {id} must say who validated it (by) and where the evidence is"
            ));
        }
        if part.on.date.is_none() || part.on.time.is_some() {
            return Err(format!("the validation of {id} must say on which day, such as 2026-11-30"));
        }
        let mapping: Mapping = part
            .mapping
            .parse()
            .map_err(|e| format!("the validation of {id}: mapping = \"{}\": {e}", part.mapping))?;
        feature.validation =
            Some(Validation { by: part.by, on: part.on.to_string(), evidence: part.evidence, mapping });
    }
    Ok(())
}

/// What an app entry writes at an endpoint was validated with the endpoint's mapping.
pub(crate) fn check(app: &App, features: &[Feature], endpoint: &Endpoint) -> Result<(), String> {
    let writes =
        features.iter().filter(|f| app.features.contains(&f.id) && f.kind == FeatureKind::InteractiveWrite);
    for feature in writes {
        let Some(validation) = &feature.validation else {
            return Err(format!(
                "app {} has the feature {}, which writes: record its clinical validation in a [[validation]] (by, on, \
                 evidence, mapping), or take it out",
                app.id, feature.id
            ));
        };
        if validation.mapping != endpoint.mapping {
            return Err(format!(
                "app {} has the feature {}, which was validated with mapping {} while endpoint {} uses {}: validate it anew",
                app.id, feature.id, validation.mapping, endpoint.id, endpoint.mapping
            ));
        }
    }
    Ok(())
}

/// What may be written can be looked for: a write whose outcome is not known is not sent again before that.
pub(crate) fn can_look(feature: &Feature) -> Result<(), String> {
    if feature.kind != FeatureKind::InteractiveWrite {
        return Ok(());
    }
    let scopes = feature.required.union(&feature.optional);
    for scope in scopes.resources() {
        let Some(kind) = scope.resource_type.as_deref() else {
            return Err(format!("feature {} writes every type: name those that it writes", feature.id));
        };
        let may = |verb| scopes.coverage(&[Level::Patient, Level::User], kind, verb) == Coverage::Full;
        let creates = scopes.coverage(&[Level::Patient, Level::User], kind, Verb::Create) != Coverage::None;
        let updates = scopes.coverage(&[Level::Patient, Level::User], kind, Verb::Update) != Coverage::None;
        if (creates && !may(Verb::Search)) || (updates && !may(Verb::Read)) {
            return Err(format!(
                "feature {} writes {kind} and could not look for it: it needs the scope to read and search it too",
                feature.id
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use sallyport_model::{FeatureId, TenantId};

    use crate::{Registry, load::tests::SANDBOX};

    const VALIDATION: &str = r#"
[[validation]]
feature = "clinical-documentation"
by = "Dr. A. Reyes, CMIO"
on = 2026-11-30
evidence = "CHG-1042: twenty notes compared in the EHR"
mapping = "2026.1"
"#;

    fn writing(more: &str) -> String {
        let text =
            SANDBOX.replace(r#"["patient-summary"]"#, r#"["patient-summary", "clinical-documentation"]"#);
        text.replace("[policy]", &format!("{more}\n[policy]"))
    }

    fn refusal(text: &str) -> String {
        let loaded = Registry::from_texts(&[(PathBuf::from("t.toml"), text.to_owned())]);
        loaded.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_feature_that_writes_is_not_enabled_without_its_recorded_validation() {
        assert!(refusal(&writing("")).contains("record its clinical validation"));
        let registry = Registry::from_texts(&[(PathBuf::from("t.toml"), writing(VALIDATION))]).unwrap();
        let (tenant, feature) =
            (TenantId::parse("general").unwrap(), FeatureId::parse("clinical-documentation").unwrap());
        let validation = registry.feature(&tenant, &feature).unwrap().validation.clone().unwrap();
        assert_eq!((validation.by.as_str(), validation.on.as_str()), ("Dr. A. Reyes, CMIO", "2026-11-30"));
    }

    #[test]
    fn a_validation_of_another_mapping_counts_for_nothing() {
        let other =
            writing(VALIDATION).replace("vendor = \"sandbox\"", "vendor = \"sandbox\"\nmapping = \"2026.2\"");
        assert!(refusal(&other).contains("validate it anew"), "{}", refusal(&other));
    }

    #[test]
    fn a_validation_says_who_when_and_what_about() {
        for (from, to, why) in [
            ("by = \"Dr. A. Reyes, CMIO\"", "by = \" \"", "who validated it"),
            (
                "evidence = \"CHG-1042: twenty notes compared in the EHR\"",
                "evidence = \"\"",
                "where the evidence is",
            ),
            ("on = 2026-11-30", "on = 10:00:00", "on which day"),
            ("mapping = \"2026.1\"", "mapping = \"1999.1\"", "1999.1"),
            ("\"clinical-documentation\"\nby", "\"patient-summary\"\nby", "writes nothing"),
            ("\"clinical-documentation\"\nby", "\"made-up\"\nby", "does not exist"),
        ] {
            let text = writing(VALIDATION).replace(from, to);
            assert!(refusal(&text).contains(why), "{why}: {}", refusal(&text));
        }
        assert!(refusal(&writing(&VALIDATION.repeat(2))).contains("two validations"));
    }

    #[test]
    fn what_is_written_must_be_possible_to_look_for() {
        let feature = |scopes: &str| {
            writing(&format!(
                "{VALIDATION}\n[[feature]]\nid = \"notes\"\ntitle = \"N\"\nkind = \"interactive-write\"\nrequired = [{scopes}]\n\
                 purpose = \"TREAT\"\nposture = \"p\"\njustification = \"j\"\n"
            ))
        };
        for (scopes, is_taken) in [
            (r#""patient/Observation.c""#, false),
            (r#""patient/Observation.cr""#, false),
            (r#""patient/Observation.u""#, false),
            (r#""patient/*.cruds""#, false),
            (r#""patient/Observation.crs""#, true),
            (r#""patient/Observation.c", "patient/Observation.rs""#, true),
            (r#""patient/Observation.ru""#, true),
        ] {
            assert_eq!(
                refusal(&feature(scopes)).is_empty(),
                is_taken,
                "{scopes}: {}",
                refusal(&feature(scopes))
            );
        }
    }
}
