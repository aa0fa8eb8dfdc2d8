//! This service's section of the configuration. Units are in the names; unknown keys are errors.

use std::net::IpAddr;

use url::Url;

/// How launches and sessions behave.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The one origin that browsers know, e.g. `https://app.example.org`. Redirect URIs and CSRF checks use it.
    #[serde(deserialize_with = "url")]
    pub public_url: Url,
    /// A session ends after this long without anything a person did.
    pub session_idle_seconds: u32,
    /// A session ends after this long in any case.
    pub session_absolute_seconds: u32,
    /// The EHR's sign-in must be back within this time; longer makes a stolen state useful for longer.
    pub transaction_seconds: u32,
    /// Live launches per browser; one more ends the oldest.
    pub max_launches_per_browser: u32,
    /// Unauthenticated requests one source may make per minute. Whole hospitals share one address.
    pub requests_per_minute_per_source: u32,
    /// Proxies whose `X-Forwarded-For` is believed. None by default: then the peer's address is the source.
    pub trusted_proxies: Vec<IpAddr>,
    /// Longest wait for an EHR's discovery documents, in milliseconds.
    pub discovery_timeout_ms: u64,
    /// How long a discovery document is used when the EHR says nothing about caching.
    pub discovery_ttl_seconds: u32,
    /// How long an old discovery document is still used when the EHR does not answer.
    pub discovery_stale_seconds: u32,
    /// Longest wait for the token endpoint before the person is told, in milliseconds.
    pub exchange_timeout_ms: u64,
    /// How often expired sessions are ended and outstanding revocations are tried again, in milliseconds.
    pub sweep_interval_ms: u64,
    /// Rows of ended sessions and old launches are kept this long.
    pub retention_days: u32,
    /// A session at the console ends after this long without anything that its owner did.
    pub console_idle_seconds: u32,
    /// A session at the console ends after this long in any case.
    pub console_absolute_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: default_public_url(),
            session_idle_seconds: 15 * 60,
            session_absolute_seconds: 8 * 3_600,
            transaction_seconds: 10 * 60,
            max_launches_per_browser: 8,
            requests_per_minute_per_source: 600,
            trusted_proxies: Vec::new(),
            discovery_timeout_ms: 5_000,
            discovery_ttl_seconds: 3_600,
            discovery_stale_seconds: 24 * 3_600,
            exchange_timeout_ms: 20_000,
            sweep_interval_ms: 10_000,
            retention_days: 7,
            console_idle_seconds: 30 * 60,
            console_absolute_seconds: 8 * 3_600,
        }
    }
}

#[expect(clippy::expect_used, reason = "a literal that a test parses")]
fn default_public_url() -> Url {
    Url::parse("http://localhost:8080").expect("the default public_url is a url")
}

fn url<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(deserializer)?;
    Url::parse(&text).map_err(serde::de::Error::custom)
}

impl Config {
    /// Checks what one key cannot say alone.
    ///
    /// # Errors
    /// A sentence for an operator, naming the key.
    pub fn validate(&self) -> Result<(), &'static str> {
        let is_origin = self.public_url.has_host()
            && self.public_url.path() == "/"
            && self.public_url.query().is_none()
            && self.public_url.fragment().is_none()
            && self.public_url.username().is_empty();
        if !is_origin || !sallyport_smart::discovery::is_transport_safe(&self.public_url, true) {
            return Err(
                "public_url must be https://host[:port], or http on a loopback address, without a path",
            );
        }
        if self.session_idle_seconds == 0 || self.session_idle_seconds > self.session_absolute_seconds {
            return Err("session_idle_seconds must be at least 1 and at most session_absolute_seconds");
        }
        if self.console_idle_seconds == 0 || self.console_idle_seconds > self.console_absolute_seconds {
            return Err("console_idle_seconds must be at least 1 and at most console_absolute_seconds");
        }
        if self.transaction_seconds == 0 || self.transaction_seconds > 600 {
            return Err("transaction_seconds must be 1 to 600");
        }
        if self.max_launches_per_browser == 0 || self.requests_per_minute_per_source == 0 {
            return Err("max_launches_per_browser and requests_per_minute_per_source must be at least 1");
        }
        if self.discovery_timeout_ms == 0 || self.exchange_timeout_ms == 0 || self.sweep_interval_ms == 0 {
            return Err("discovery_timeout_ms, exchange_timeout_ms and sweep_interval_ms must be at least 1");
        }
        Ok(())
    }

    /// `public_url` as browsers send it in `Origin`: no trailing slash.
    pub(crate) fn origin(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }

    /// An absolute URL of ours.
    pub(crate) fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// Microseconds a session lives without activity.
    pub(crate) fn idle_micros(&self) -> i64 {
        i64::from(self.session_idle_seconds) * 1_000_000
    }

    /// Microseconds a session at the console lives without activity.
    pub(crate) fn console_idle_micros(&self) -> i64 {
        i64::from(self.console_idle_seconds) * 1_000_000
    }

    /// Microseconds a session at the console lives at most.
    pub(crate) fn console_absolute_micros(&self) -> i64 {
        i64::from(self.console_absolute_seconds) * 1_000_000
    }

    /// Microseconds a session lives at most.
    pub(crate) fn absolute_micros(&self) -> i64 {
        i64::from(self.session_absolute_seconds) * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
        assert_eq!(Config::default().origin(), "http://localhost:8080");
    }

    #[test]
    fn a_key_that_contradicts_is_named() {
        for (change, key) in [
            (
                Box::new(|c: &mut Config| c.session_idle_seconds = 30_000) as Box<dyn Fn(&mut Config)>,
                "session_idle",
            ),
            (Box::new(|c| c.console_idle_seconds = 30_000), "console_idle"),
            (Box::new(|c| c.transaction_seconds = 601), "transaction"),
            (Box::new(|c| c.public_url = Url::parse("https://a.example/x").unwrap()), "public_url"),
            (Box::new(|c| c.public_url = Url::parse("http://a.example").unwrap()), "public_url"),
        ] {
            let mut config = Config::default();
            change(&mut config);
            assert!(config.validate().is_err_and(|reason| reason.contains(key)), "{key}");
        }
    }
}
