//! Knobs of throttling.

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Over which time requests are counted.
    pub window: Window,
    /// How many are let through in it.
    pub count: u32,
    /// Whether requests to the authorization server count too.
    pub counts_auth: bool,
    /// Status of the refusal.
    pub status: u16,
    /// How the client learns when to come back.
    pub told: Told,
}

/// Over which time requests are counted, by the sandbox's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The last so many seconds.
    Rolling(i64),
    /// The current minute of the wall clock.
    Minute,
    /// The current day in Greenwich.
    Day,
    /// Now: how many are being answered at once.
    Concurrent,
}

/// How the client learns when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Not at all.
    Nothing,
    /// `Retry-After` in seconds.
    Seconds,
    /// `Retry-After` as a date.
    Date,
    /// `Retry-After` as seconds since 1970, which no standard knows.
    Unix,
    /// In the text of an OperationOutcome.
    Text,
    /// `RateLimit-Limit`, `-Remaining` and `-Reset` on every answer, and the same with `X-` before.
    RateHeaders,
}
