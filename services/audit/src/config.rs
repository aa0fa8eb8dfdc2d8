//! The audit service's section of the configuration.

use std::path::PathBuf;

/// How the audit service works.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many messages of records are stored at the same time, 1–16. SQLite has one writer, so more helps only on
    /// Postgres.
    pub consumers: u8,
    /// How old a tenant's newest records may be without a signed checkpoint, 1–300 seconds.
    pub checkpoint_seconds: u16,
    /// How many records of a tenant may be without a signed checkpoint, 1–1000, before one is signed at once.
    pub checkpoint_records: u16,
    /// What the names of the logs begin with; a slash and the tenant follow. A host name of yours makes it unique.
    /// Changing it begins other logs in the eyes of whoever verifies.
    pub checkpoint_origin: String,
    /// The folder where checkpoints are published, on a disk that whoever rules the database cannot write.
    /// Default: checkpoints in the data folder.
    pub checkpoint_folder: Option<PathBuf>,
    /// The file with the seed of the key that signs checkpoints, 32 bytes, mode 0600. Made where there is none, except
    /// in production. Default: audit-checkpoint.key in the data folder.
    pub checkpoint_key_file: Option<PathBuf>,
    /// Whether each checkpoint is written to standard output too, for a collector to keep.
    pub checkpoint_stdout: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            consumers: 1,
            checkpoint_seconds: 60,
            checkpoint_records: 1_000,
            checkpoint_origin: "sallyport/audit".to_owned(),
            checkpoint_folder: None,
            checkpoint_key_file: None,
            checkpoint_stdout: false,
        }
    }
}

impl Config {
    /// Checks what serde cannot.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let is_origin = |c: char| c.is_ascii_alphanumeric() || "./:-_".contains(c);
        if !(1..=16).contains(&self.consumers) {
            return Err("audit.consumers must be 1 to 16");
        }
        if !(1..=300).contains(&self.checkpoint_seconds) {
            return Err("audit.checkpoint_seconds must be 1 to 300");
        }
        if !(1..=1_000).contains(&self.checkpoint_records) {
            return Err("audit.checkpoint_records must be 1 to 1000");
        }
        if !(1..=200).contains(&self.checkpoint_origin.len())
            || !self.checkpoint_origin.chars().all(is_origin)
        {
            return Err("audit.checkpoint_origin must be 1 to 200 letters, digits and . / : - _");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_and_impossible_values_are_refused() {
        assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
        assert!(serde_json::from_str::<Config>(r#"{"consumer": 2}"#).is_err());
        let wrong = [
            Config { consumers: 0, ..Config::default() },
            Config { consumers: 17, ..Config::default() },
            Config { checkpoint_seconds: 0, ..Config::default() },
            Config { checkpoint_seconds: 301, ..Config::default() },
            Config { checkpoint_records: 0, ..Config::default() },
            Config { checkpoint_records: 1_001, ..Config::default() },
            Config { checkpoint_origin: String::new(), ..Config::default() },
            Config { checkpoint_origin: "a b".to_owned(), ..Config::default() },
            Config { checkpoint_origin: "a+b".to_owned(), ..Config::default() },
            Config { checkpoint_origin: "a\nb".to_owned(), ..Config::default() },
        ];
        assert!(Config::default().validate().is_ok());
        assert!(wrong.iter().all(|config| config.validate().is_err()));
    }
}
