//! The audit service's section of the configuration.

/// How the audit service works.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many messages of records are stored at the same time, 1–16. SQLite has one writer, so more helps only on
    /// Postgres.
    pub consumers: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self { consumers: 1 }
    }
}

impl Config {
    /// Checks what serde cannot.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        if (1..=16).contains(&self.consumers) { Ok(()) } else { Err("audit.consumers must be 1 to 16") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_and_impossible_values_are_refused() {
        assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
        assert!(serde_json::from_str::<Config>(r#"{"consumer": 2}"#).is_err());
        assert!(Config { consumers: 0 }.validate().is_err());
        assert!(Config { consumers: 17 }.validate().is_err());
    }
}
