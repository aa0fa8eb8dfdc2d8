//! The five features that ship with the product (docs/ARCHITECTURE.md, "Features").

use crate::{Feature, check::feature_of, file::FeatureFile};

const FILE: &str = include_str!("features.toml");

/// The built-in features.
///
/// # Errors
/// A text that names what is wrong in `features.toml`; a test keeps that from happening.
pub(crate) fn features() -> Result<Vec<Feature>, String> {
    let file: FeatureFile = toml::from_str(FILE).map_err(|e| e.message().to_owned())?;
    file.feature.into_iter().map(feature_of).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_five_features_are_well_formed() {
        let ids: Vec<String> = super::features().unwrap().iter().map(|f| f.id.to_string()).collect();
        assert_eq!(
            ids,
            [
                "patient-summary",
                "medication-reconciliation",
                "care-gap-alerting",
                "care-gap-cards",
                "clinical-documentation",
                "population-report"
            ]
        );
    }
}
