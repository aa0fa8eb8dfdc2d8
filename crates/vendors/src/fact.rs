//! A fact about a product and how surely it is known.

use std::ops::Deref;

/// How surely something is known of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Nobody has looked: what the specification says is assumed.
    Assumed,
    /// Told by a third party, or known to be open.
    Unverified,
    /// Seen on the wire of a vendor's sandbox or fleet.
    Observed,
    /// Said by the vendor's own documentation or live description.
    Documented,
    /// This endpoint's file says otherwise, with an owner, a reason and a last day.
    Overridden,
}

impl Confidence {
    /// For pages and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assumed => "assumed",
            Self::Unverified => "unverified",
            Self::Observed => "observed",
            Self::Documented => "documented",
            Self::Overridden => "overridden",
        }
    }
}

/// A value with its confidence. Reads as the value itself: `*profile.tokens.rotation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact<T> {
    value: T,
    confidence: Confidence,
}

impl<T> Fact<T> {
    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// How surely it is known.
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// Replaced for one endpoint.
    pub(crate) fn overridden(value: T) -> Self {
        Self { value, confidence: Confidence::Overridden }
    }
}

impl<T> Deref for Fact<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What the specification says, of a product that nobody asked.
pub(crate) fn assumed<T>(value: T) -> Fact<T> {
    Fact { value, confidence: Confidence::Assumed }
}

/// What a third party says, or an open question answered on the safe side.
pub(crate) fn unverified<T>(value: T) -> Fact<T> {
    Fact { value, confidence: Confidence::Unverified }
}

/// What was seen on the wire.
pub(crate) fn observed<T>(value: T) -> Fact<T> {
    Fact { value, confidence: Confidence::Observed }
}

/// What the vendor says.
pub(crate) fn documented<T>(value: T) -> Fact<T> {
    Fact { value, confidence: Confidence::Documented }
}
