//! Where the broker is and how it is used.

use std::{path::PathBuf, time::Duration};

use lapin::uri::AMQPUri;
use sallyport_model::Secret;

/// How to reach the broker. Everything but the URL has a default that fits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `amqp://user:password@host:port/vhost`, or `amqps://` for TLS.
    pub url: Secret<String>,
    /// A PEM file of authorities that may vouch for the broker, beside the public ones. Read at each connecting.
    pub authority: Option<PathBuf>,
    /// Stands before the name of each queue.
    pub prefix: String,
    /// The name that the broker shows for the connection.
    pub name: String,
    /// After this a publish that was not confirmed is [`Unavailable`](crate::PublishError::Unavailable).
    pub publish_timeout: Duration,
    /// How many messages one consumer holds unsettled. They count as delivered when the consumer goes away, so few.
    pub prefetch: u16,
}

/// Why settings cannot be used. The URL itself is never shown, it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not an AMQP URL.
    #[error("the queue's URL is not of the form amqp://user:password@host:port/vhost (or amqps://)")]
    Url,
    /// The file of authorities cannot be read.
    #[error("the queue's file of certificate authorities cannot be read: {0}")]
    Authority(std::io::Error),
}

impl Settings {
    /// The defaults, for the broker at `url`.
    pub fn new(url: Secret<String>) -> Self {
        Self {
            url,
            authority: None,
            prefix: String::new(),
            name: "sallyport".to_owned(),
            publish_timeout: Duration::from_secs(5),
            prefetch: 4,
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.uri()?;
        self.authorities()?;
        Ok(())
    }

    /// What the URL says. Its `Debug` shows the password: never print it.
    pub(super) fn uri(&self) -> Result<AMQPUri, SettingsError> {
        // The parser's own message may quote the URL.
        self.url.expose().parse().map_err(|_may_hold_the_password| SettingsError::Url)
    }

    pub(super) fn authorities(&self) -> Result<Option<String>, SettingsError> {
        let read = self.authority.as_ref().map(std::fs::read_to_string);
        read.transpose().map_err(SettingsError::Authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Settings {
        Settings::new(Secret::new(url.to_owned()))
    }

    #[test]
    fn what_cannot_be_a_broker_is_an_error_that_does_not_show_the_password() {
        for url in ["", "https://canary@broker/", "amqp://user:canary@broker:port/", "amqp//canary"] {
            let error = settings(url).check().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
        assert!(settings("amqp://user:password@broker:5672/%2f").check().is_ok());
        assert!(settings("amqps://user:password@broker/audit").check().is_ok());
    }

    #[test]
    fn settings_never_print_the_url() {
        let shown = format!("{:?}", settings("amqp://user:canary@broker/"));
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_file_of_authorities_that_is_not_there_is_an_error() {
        let missing = Some(PathBuf::from("/nonexistent/authority.pem"));
        let settings = Settings { authority: missing, ..settings("amqps://broker/") };
        assert!(matches!(settings.check(), Err(SettingsError::Authority(_))));
    }
}
