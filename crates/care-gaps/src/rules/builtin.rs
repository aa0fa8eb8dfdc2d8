//! The rule files that ship with the product.

/// Name and text of each.
pub const FILES: &[(&str, &str)] = &[
    ("value-sets.toml", include_str!("../../measures/value-sets.toml")),
    ("value-sets-exclusions.toml", include_str!("../../measures/value-sets-exclusions.toml")),
    ("criteria.toml", include_str!("../../measures/criteria.toml")),
    ("diabetes-glycemic-status.toml", include_str!("../../measures/diabetes-glycemic-status.toml")),
    ("blood-pressure-control.toml", include_str!("../../measures/blood-pressure-control.toml")),
    ("colorectal-screening.toml", include_str!("../../measures/colorectal-screening.toml")),
    ("breast-screening.toml", include_str!("../../measures/breast-screening.toml")),
    ("kidney-evaluation.toml", include_str!("../../measures/kidney-evaluation.toml")),
];
