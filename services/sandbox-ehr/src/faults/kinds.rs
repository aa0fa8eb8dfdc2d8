//! The catalogue of faults and their names: `name` or `name:argument`, the same in the header and in rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::FhirFault;
use crate::profile::Told;

/// When a fault is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the request reaches its handler, mostly instead of it.
    Before,
    /// In the content of a FHIR answer.
    Fhir,
    /// In the answer to an authorization request.
    Answer,
    /// In a token response.
    Token,
    /// To the bytes of a finished answer.
    After,
}

/// What is wrong with `expires_in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExpiresIn {
    Missing,
    Text,
    Seconds(i64),
}

/// The one thing that is wrong with an id token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdTokenFault {
    Issuer,
    Audience,
    Nonce,
    NoNonce,
    AlgNone,
    Hmac,
    Expired,
    Signature,
    UnknownKid,
    NoKid,
    NoSubject,
    AtHash,
    Missing,
    /// `iss` is the token endpoint, as one product had it for years.
    OldIssuer,
    /// No `fhirUser` though it was granted.
    NoFhirUser,
    /// `fhirUser` is a RelatedPerson who acts for the patient.
    Proxy,
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Wait this many milliseconds before handling.
    Delay(u64),
    /// Close the connection without handling.
    Reset,
    /// Handle, then close the connection instead of answering: the outcome is unknown to the client.
    ResetAfter,
    /// Handle, then answer this 5xx: what was asked for is done and the client is told otherwise.
    ServerAfter(u16),
    /// Handle, then wait this many milliseconds before answering.
    Late(u64),
    Unauthorized,
    UnauthorizedText,
    Forbidden,
    /// 429 that tells the wait in one of its ways.
    TooMany(Told, u32),
    /// This status and nothing else.
    Empty(u16),
    /// No answer within an hour.
    Hang,
    /// JSON nested this deep.
    Deep(u32),
    /// A searchset of this many entries.
    Huge(u32),
    /// This many megabytes of blanks in a Bundle, packed by gzip into a thousandth of it.
    GzipBomb(u32),
    /// The answer under another media type.
    ContentType(&'static str),
    /// The first member of the answer's object twice, with different values.
    DuplicateKeys,
    /// A text in the answer with half of a surrogate pair.
    LoneSurrogate,
    /// A 5xx with an OperationOutcome.
    Server(u16),
    /// An HTML error page with this status, as proxies answer.
    Html(u16),
    /// Half of the body under the full `Content-Length`, then the end of the connection.
    Truncated,
    /// 302 to another host.
    Redirect,
    /// In the content of a FHIR answer.
    Fhir(FhirFault),
    /// RFC 9207 `iss` of another server in the authorization answer.
    WrongIss,
    /// No `iss` in the authorization answer though discovery promises it.
    NoIss,
    /// Another `state` in the authorization answer.
    WrongState,
    /// Fewer scopes granted than agreed to.
    NarrowedScope,
    /// Scopes granted that nobody asked for.
    ForeignScopes,
    /// A patient scope without `patient`.
    PatientMissing,
    ExpiresIn(ExpiresIn),
    IdToken(IdTokenFault),
}

const ID_TOKEN_FAULTS: &[(&str, IdTokenFault)] = &[
    ("wrong-iss", IdTokenFault::Issuer),
    ("wrong-aud", IdTokenFault::Audience),
    ("wrong-nonce", IdTokenFault::Nonce),
    ("no-nonce", IdTokenFault::NoNonce),
    ("alg-none", IdTokenFault::AlgNone),
    ("hmac", IdTokenFault::Hmac),
    ("expired", IdTokenFault::Expired),
    ("signature", IdTokenFault::Signature),
    ("unknown-kid", IdTokenFault::UnknownKid),
    ("no-kid", IdTokenFault::NoKid),
    ("no-sub", IdTokenFault::NoSubject),
    ("wrong-at-hash", IdTokenFault::AtHash),
    ("missing", IdTokenFault::Missing),
    ("old-iss", IdTokenFault::OldIssuer),
    ("no-fhir-user", IdTokenFault::NoFhirUser),
    ("proxy", IdTokenFault::Proxy),
];

const PLAIN: &[(&str, Fault)] = &[
    ("reset", Fault::Reset),
    ("reset-after", Fault::ResetAfter),
    ("401", Fault::Unauthorized),
    ("401-text", Fault::UnauthorizedText),
    ("403", Fault::Forbidden),
    ("truncated", Fault::Truncated),
    ("redirect", Fault::Redirect),
    ("hang", Fault::Hang),
    ("duplicate-keys", Fault::DuplicateKeys),
    ("lone-surrogate", Fault::LoneSurrogate),
    ("content-type-html", Fault::ContentType("text/html")),
    ("content-type-text", Fault::ContentType("text/plain")),
    ("content-type-xml", Fault::ContentType("application/fhir+xml")),
    ("content-type-none", Fault::ContentType("")),
    ("foreign-patient", Fault::Fhir(FhirFault::ForeignPatient)),
    ("foreign-next", Fault::Fhir(FhirFault::ForeignNext)),
    ("page-loop", Fault::Fhir(FhirFault::PageLoop)),
    ("page-stall", Fault::Fhir(FhirFault::PageStall)),
    ("page-short", Fault::Fhir(FhirFault::PageShort)),
    ("page-duplicate", Fault::Fhir(FhirFault::PageDuplicate)),
    ("page-expired", Fault::Fhir(FhirFault::PageExpired)),
    ("masked", Fault::Fhir(FhirFault::Masked)),
    ("wrong-iss", Fault::WrongIss),
    ("no-iss", Fault::NoIss),
    ("wrong-state", Fault::WrongState),
    ("narrowed-scope", Fault::NarrowedScope),
    ("foreign-scopes", Fault::ForeignScopes),
    ("patient-missing", Fault::PatientMissing),
];

/// The ways of telling a wait.
const TOO_MANY: &[(&str, Told)] = &[
    ("429", Told::Seconds),
    ("429-date", Told::Date),
    ("429-unix", Told::Unix),
    ("429-text", Told::Text),
    ("429-headers", Told::RateHeaders),
    ("429-untold", Told::Nothing),
];

/// Seconds of `Retry-After` where none are given.
const DEFAULT_RETRY_AFTER: u32 = 1;
/// Status of an HTML error page where none is given.
const DEFAULT_HTML_STATUS: u16 = 502;
/// A lifetime of ten years, for `expires-in:long`.
const LONG_LIFETIME: i64 = 10 * 365 * 24 * 3600;

impl Fault {
    pub(crate) fn stage(self) -> Stage {
        match self {
            Self::Fhir(_) => Stage::Fhir,
            Self::WrongIss | Self::NoIss | Self::WrongState => Stage::Answer,
            Self::NarrowedScope
            | Self::ForeignScopes
            | Self::PatientMissing
            | Self::ExpiresIn(_)
            | Self::IdToken(_) => Stage::Token,
            Self::Truncated
            | Self::ResetAfter
            | Self::ServerAfter(_)
            | Self::Late(_)
            | Self::ContentType(_)
            | Self::DuplicateKeys
            | Self::LoneSurrogate => Stage::After,
            Self::Delay(_)
            | Self::Reset
            | Self::Unauthorized
            | Self::UnauthorizedText
            | Self::Forbidden
            | Self::TooMany(..)
            | Self::Empty(_)
            | Self::Hang
            | Self::Deep(_)
            | Self::Huge(_)
            | Self::GzipBomb(_)
            | Self::Server(_)
            | Self::Html(_)
            | Self::Redirect => Stage::Before,
        }
    }
}

/// A name that is not in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this fault is not known: see the catalogue at GET /_admin/faults")]
pub(crate) struct UnknownFault;

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (name, argument) = text.split_once(':').map_or((text, None), |(name, arg)| (name, Some(arg)));
        if let (Some((_, fault)), None) = (PLAIN.iter().find(|(known, _)| *known == name), argument) {
            return Ok(*fault);
        }
        let unknown = |_| UnknownFault;
        if let Some((_, told)) = TOO_MANY.iter().find(|(known, _)| *known == name) {
            let seconds =
                argument.map_or(Ok(DEFAULT_RETRY_AFTER), |seconds| seconds.parse().map_err(unknown));
            return seconds.map(|seconds| Self::TooMany(*told, seconds));
        }
        match (name, argument) {
            ("delay", Some(millis)) => millis.parse().map(Self::Delay).map_err(unknown),
            // The token endpoint has done its work when the answer is late: the outcome is unknown meanwhile.
            ("late" | "token-delay", Some(millis)) => millis.parse().map(Self::Late).map_err(unknown),
            ("after", Some(status)) => match status.parse() {
                Ok(code @ 500..=599) => Ok(Self::ServerAfter(code)),
                _ => Err(UnknownFault),
            },
            ("empty", Some(status)) => status.parse().map(Self::Empty).map_err(unknown),
            ("deep", Some(levels)) => levels.parse().map(Self::Deep).map_err(unknown),
            ("huge", Some(entries)) => entries.parse().map(Self::Huge).map_err(unknown),
            ("gzip-bomb", Some(megabytes)) => megabytes.parse().map(Self::GzipBomb).map_err(unknown),
            ("html", None) => Ok(Self::Html(DEFAULT_HTML_STATUS)),
            ("html", Some(status)) => status.parse().map(Self::Html).map_err(unknown),
            ("expires-in", Some("missing")) => Ok(Self::ExpiresIn(ExpiresIn::Missing)),
            ("expires-in", Some("string")) => Ok(Self::ExpiresIn(ExpiresIn::Text)),
            ("expires-in", Some("long")) => Ok(Self::ExpiresIn(ExpiresIn::Seconds(LONG_LIFETIME))),
            ("expires-in", Some(seconds)) => {
                seconds.parse().map(|s| Self::ExpiresIn(ExpiresIn::Seconds(s))).map_err(unknown)
            }
            ("id-token", Some(which)) => {
                let known = ID_TOKEN_FAULTS.iter().find(|(name, _)| *name == which);
                known.map(|(_, fault)| Self::IdToken(*fault)).ok_or(UnknownFault)
            }
            (status, None) => match status.parse() {
                Ok(code @ 500..=599) => Ok(Self::Server(code)),
                _ => Err(UnknownFault),
            },
            _ => Err(UnknownFault),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = PLAIN.iter().find(|(_, fault)| fault == self) {
            return f.write_str(name);
        }
        match self {
            Self::Delay(millis) => write!(f, "delay:{millis}"),
            Self::Late(millis) => write!(f, "late:{millis}"),
            Self::ServerAfter(status) => write!(f, "after:{status}"),
            Self::TooMany(told, seconds) => {
                let known = TOO_MANY.iter().find(|(_, listed)| listed == told);
                write!(f, "{}:{seconds}", known.map_or("429", |(name, _)| name))
            }
            Self::Empty(status) => write!(f, "empty:{status}"),
            Self::Deep(levels) => write!(f, "deep:{levels}"),
            Self::Huge(entries) => write!(f, "huge:{entries}"),
            Self::GzipBomb(megabytes) => write!(f, "gzip-bomb:{megabytes}"),
            Self::Server(status) => write!(f, "{status}"),
            Self::Html(status) => write!(f, "html:{status}"),
            Self::ExpiresIn(ExpiresIn::Missing) => f.write_str("expires-in:missing"),
            Self::ExpiresIn(ExpiresIn::Text) => f.write_str("expires-in:string"),
            Self::ExpiresIn(ExpiresIn::Seconds(seconds)) => write!(f, "expires-in:{seconds}"),
            Self::IdToken(fault) => {
                let known = ID_TOKEN_FAULTS.iter().find(|(_, listed)| listed == fault);
                write!(f, "id-token:{}", known.map_or("", |(name, _)| name))
            }
            _ => Ok(()),
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Every name, for people who ask what there is.
pub(crate) fn catalogue() -> Vec<String> {
    let with_argument = [
        "delay:<ms>",
        "late:<ms>",
        "token-delay:<ms>",
        "5xx",
        "after:<5xx>",
        "html:<status>",
        "empty:<status>",
        "deep:<levels>",
        "huge:<entries>",
        "gzip-bomb:<MB>",
    ];
    let waits = TOO_MANY.iter().map(|(name, _)| format!("{name}:<s>"));
    let lifetimes = ["expires-in:missing", "expires-in:string", "expires-in:long", "expires-in:<s>"];
    let named = PLAIN.iter().map(|(name, _)| (*name).to_owned());
    let id_token = ID_TOKEN_FAULTS.iter().map(|(name, _)| format!("id-token:{name}"));
    named
        .chain(with_argument.iter().chain(&lifetimes).map(|name| (*name).to_owned()))
        .chain(waits)
        .chain(id_token)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_printed_by_the_name_it_is_read_from() {
        let texts = [
            "delay:250",
            "late:10",
            "after:502",
            "429:7",
            "429-date:7",
            "empty:200",
            "deep:9",
            "huge:3",
            "gzip-bomb:64",
            "503",
            "html:500",
            "expires-in:missing",
            "expires-in:string",
        ];
        let plain = PLAIN.iter().map(|(name, _)| (*name).to_owned());
        let id_token = ID_TOKEN_FAULTS.iter().map(|(name, _)| format!("id-token:{name}"));
        for text in texts.iter().map(|text| (*text).to_owned()).chain(plain).chain(id_token) {
            assert_eq!(text.parse::<Fault>().map(|fault| fault.to_string()), Ok(text));
        }
    }

    #[test]
    fn names_outside_the_catalogue_are_refused() {
        for text in
            ["", "404", "600", "delay", "delay:x", "id-token:odd", "after:200", "reset:1", "expires-in"]
        {
            assert_eq!(text.parse::<Fault>(), Err(UnknownFault), "{text}");
        }
    }
}
