//! How much a product takes, what counts, and where it says how long to wait.

use std::time::Duration;

use sallyport_model::Micros;

use crate::{Fact, fact::assumed, setting::words};

words! {
    /// How a window of a limit lies in time.
    WindowKind {
        /// The last so many seconds.
        Rolling = "rolling",
        /// From one full minute of the wall clock to the next.
        MinuteAligned = "minute-aligned",
        /// From midnight to midnight, GMT.
        DayGmt = "day-gmt",
        /// Calls on their way at the same time.
        Concurrent = "concurrent",
    }
}

words! {
    /// Which calls count.
    Counts {
        /// Those to the FHIR base.
        Fhir = "fhir",
        /// Those, and `/authorize` and `/token` too.
        FhirAndAuth = "fhir-and-auth",
        /// Those to the token endpoint.
        Token = "token",
        /// Bulk kick-offs.
        Bulk = "bulk",
    }
}

words! {
    /// Who shares a limit.
    Per {
        /// Everybody at one FHIR base.
        Base = "base",
        /// One client at one base.
        Client = "client",
        /// One address.
        Address = "address",
        /// One signed-in person.
        User = "user",
        /// Not known: everything of ours at the endpoint.
        Unknown = "unknown",
    }
}

words! {
    /// Where it is said how long to wait. They are looked for in the profile's order.
    WaitTold {
        /// `Retry-After`
        RetryAfter = "retry-after",
        /// `RateLimit-Reset`, in seconds or as a Unix time.
        RateLimitReset = "ratelimit-reset",
        /// A sentence in the body.
        Text = "text",
        /// Nowhere; the next full minute is right.
        NextMinute = "next-minute",
        /// Nowhere; midnight GMT is right.
        Midnight = "midnight-gmt",
    }
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How it lies in time.
    pub kind: WindowKind,
    /// How many; `None`: the product has a limit and names no number.
    pub calls: Option<u32>,
    /// How long, in seconds; 0 for [`WindowKind::Concurrent`].
    pub seconds: u32,
    /// Which calls count.
    pub counts: Counts,
    /// Who shares it.
    pub per: Per,
}

impl crate::Setting for Window {
    fn show(&self) -> String {
        let calls = self.calls.map_or_else(|| "?".to_owned(), |calls| calls.to_string());
        let (kind, counts, per) = (self.kind.as_str(), self.counts.as_str(), self.per.as_str());
        format!("{calls}/{}s {kind} {counts} per-{per}", self.seconds)
    }

    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [amount, kind, counts, per] = words.as_slice() else { return None };
        let (calls, seconds) = amount.strip_suffix('s')?.split_once('/')?;
        let calls = if calls == "?" { None } else { Some(u32::read(calls).filter(|calls| *calls > 0)?) };
        let seconds = u32::read(seconds)?;
        let kind = WindowKind::read(kind)?;
        let has_span = (kind == WindowKind::Concurrent) == (seconds == 0);
        let (counts, per) = (Counts::read(counts)?, Per::read(per.strip_prefix("per-")?)?);
        has_span.then_some(Self { kind, calls, seconds, counts, per })
    }

    fn forms() -> String {
        "like \"250/60s minute-aligned fhir-and-auth per-base\" or \"30/0s concurrent fhir per-user\""
            .to_owned()
    }
}

/// How long to wait, before it is read: `Value` and `Text` are read by the resilience crate, with its cap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait<'a> {
    /// A header's value: seconds, a Unix time or an HTTP date.
    Value(&'a str),
    /// A sentence; it may hold anything.
    Text(&'a str),
    /// So long.
    Exactly(Duration),
}

/// Throttling.
#[derive(Debug, Clone)]
pub struct Limits {
    /// What the product takes.
    pub windows: Fact<Vec<Window>>,
    /// Statuses that may mean "too many".
    pub statuses: Fact<Vec<u32>>,
    /// Where the wait is told.
    pub wait_told: Fact<Vec<WaitTold>>,
    /// Longest wait believed of this product, in seconds.
    pub wait_cap_seconds: Fact<u64>,
    /// 5xx is also what a fatal error of the request looks like: it is retried once at most, and does not open a breaker alone.
    pub fatal_as_5xx: Fact<bool>,
    /// Some searches hang until the client gives up.
    pub hangs: Fact<bool>,
}

impl Limits {
    /// Nothing known: the gateway's own limits hold.
    pub(crate) fn standard() -> Self {
        Self {
            windows: assumed(Vec::new()),
            statuses: assumed(vec![429, 503]),
            wait_told: assumed(vec![WaitTold::RetryAfter, WaitTold::RateLimitReset, WaitTold::Text]),
            wait_cap_seconds: assumed(3_600),
            fatal_as_5xx: assumed(false),
            hangs: assumed(false),
        }
    }

    /// Where an answer says how long to wait: the first source that says anything. Header names are in lower case.
    pub fn told<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        text: Option<&'a str>,
        now: Micros,
    ) -> Option<Wait<'a>> {
        self.wait_told.iter().find_map(|source| match source {
            WaitTold::RetryAfter => header("retry-after").map(Wait::Value),
            WaitTold::RateLimitReset => {
                header("ratelimit-reset").or_else(|| header("x-ratelimit-reset")).map(Wait::Value)
            }
            WaitTold::Text => text.map(Wait::Text),
            WaitTold::NextMinute => Some(Wait::Exactly(until_next(60, now))),
            WaitTold::Midnight => Some(Wait::Exactly(until_next(86_400, now))),
        })
    }
}

/// Until the next full `seconds` of the epoch's clock. On the edge itself a whole window: the one that has just begun may
/// be the one that is full, if clocks differ.
pub fn until_next(seconds: u32, now: Micros) -> Duration {
    let span = i64::from(seconds.max(1)) * 1_000_000;
    Duration::from_micros((span - now.rem_euclid(span)).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Setting;

    fn told(
        sources: &[WaitTold],
        headers: &[(&str, &'static str)],
        text: Option<&'static str>,
    ) -> Option<Wait<'static>> {
        let limits = Limits { wait_told: assumed(sources.to_vec()), ..Limits::standard() };
        let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        limits.told(header, text, 61_500_000)
    }

    #[test]
    fn the_first_source_that_says_anything_counts() {
        let all = [WaitTold::RetryAfter, WaitTold::RateLimitReset, WaitTold::Text];
        let sentence = Some("Try in another 844 seconds");
        let both = [("retry-after", "3"), ("x-ratelimit-reset", "1")];
        assert!(told(&all, &both, sentence) == Some(Wait::Value("3")));
        assert!(told(&all, &both[1..], sentence) == Some(Wait::Value("1")));
        assert!(told(&all, &[], sentence) == Some(Wait::Text("Try in another 844 seconds")));
        assert!(told(&all, &[], None).is_none());
    }

    #[test]
    fn a_window_that_lies_by_the_clock_ends_by_the_clock() {
        assert!(
            told(&[WaitTold::NextMinute], &[], None) == Some(Wait::Exactly(Duration::from_millis(58_500)))
        );
        assert_eq!(until_next(60, 60_000_000), Duration::from_secs(60));
        assert_eq!(until_next(86_400, 86_399_000_000), Duration::from_secs(1));
        assert_eq!(until_next(60, -1), Duration::from_micros(1));
    }

    #[test]
    fn a_window_is_read_as_it_is_shown() {
        for text in [
            "250/60s minute-aligned fhir-and-auth per-base",
            "30/0s concurrent fhir per-user",
            "?/60s rolling token per-client",
        ] {
            assert_eq!(Window::read(text).map(|window| window.show()).as_deref(), Some(text));
        }
        for bad in [
            "0/60s rolling fhir per-base",
            "5/0s rolling fhir per-base",
            "5/9s concurrent fhir per-base",
            "5/9s rolling",
        ] {
            assert_eq!(Window::read(bad), None, "{bad}");
        }
    }
}
