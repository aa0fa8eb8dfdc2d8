//! The catalogue of faults and their names: `name` or `name:argument`, the same in the header and in rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    /// Handle, then wait this many milliseconds before answering.
    Late(u64),
    Unauthorized,
    UnauthorizedText,
    Forbidden,
    /// 429 with `Retry-After` in seconds.
    TooMany(u32),
    /// A 5xx with an OperationOutcome.
    Server(u16),
    /// An HTML error page with this status, as proxies answer.
    Html(u16),
    /// Half of the body under the full `Content-Length`, then the end of the connection.
    Truncated,
    /// 302 to another host.
    Redirect,
    ForeignPatient,
    ForeignNext,
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
];

const PLAIN: &[(&str, Fault)] = &[
    ("reset", Fault::Reset),
    ("reset-after", Fault::ResetAfter),
    ("401", Fault::Unauthorized),
    ("401-text", Fault::UnauthorizedText),
    ("403", Fault::Forbidden),
    ("truncated", Fault::Truncated),
    ("redirect", Fault::Redirect),
    ("foreign-patient", Fault::ForeignPatient),
    ("foreign-next", Fault::ForeignNext),
    ("wrong-iss", Fault::WrongIss),
    ("no-iss", Fault::NoIss),
    ("wrong-state", Fault::WrongState),
    ("narrowed-scope", Fault::NarrowedScope),
    ("foreign-scopes", Fault::ForeignScopes),
    ("patient-missing", Fault::PatientMissing),
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
            Self::ForeignPatient | Self::ForeignNext => Stage::Fhir,
            Self::WrongIss | Self::NoIss | Self::WrongState => Stage::Answer,
            Self::NarrowedScope
            | Self::ForeignScopes
            | Self::PatientMissing
            | Self::ExpiresIn(_)
            | Self::IdToken(_) => Stage::Token,
            Self::Truncated | Self::ResetAfter | Self::Late(_) => Stage::After,
            Self::Delay(_)
            | Self::Reset
            | Self::Unauthorized
            | Self::UnauthorizedText
            | Self::Forbidden
            | Self::TooMany(_)
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
        match (name, argument) {
            ("delay", Some(millis)) => millis.parse().map(Self::Delay).map_err(unknown),
            // The token endpoint has done its work when the answer is late: the outcome is unknown meanwhile.
            ("late" | "token-delay", Some(millis)) => millis.parse().map(Self::Late).map_err(unknown),
            ("429", None) => Ok(Self::TooMany(DEFAULT_RETRY_AFTER)),
            ("429", Some(seconds)) => seconds.parse().map(Self::TooMany).map_err(unknown),
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
            Self::TooMany(seconds) => write!(f, "429:{seconds}"),
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
    let with_argument = ["delay:<ms>", "late:<ms>", "token-delay:<ms>", "429:<s>", "5xx", "html:<status>"];
    let lifetimes = ["expires-in:missing", "expires-in:string", "expires-in:long", "expires-in:<s>"];
    let named = PLAIN.iter().map(|(name, _)| (*name).to_owned());
    let id_token = ID_TOKEN_FAULTS.iter().map(|(name, _)| format!("id-token:{name}"));
    named
        .chain(with_argument.iter().chain(&lifetimes).map(|name| (*name).to_owned()))
        .chain(id_token)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_printed_by_the_name_it_is_read_from() {
        let texts =
            ["delay:250", "late:10", "429:7", "503", "html:500", "expires-in:missing", "expires-in:string"];
        let plain = PLAIN.iter().map(|(name, _)| (*name).to_owned());
        let id_token = ID_TOKEN_FAULTS.iter().map(|(name, _)| format!("id-token:{name}"));
        for text in texts.iter().map(|text| (*text).to_owned()).chain(plain).chain(id_token) {
            assert_eq!(text.parse::<Fault>().map(|fault| fault.to_string()), Ok(text));
        }
    }

    #[test]
    fn names_outside_the_catalogue_are_refused() {
        for text in ["", "404", "600", "delay", "delay:x", "id-token:odd", "reset:1", "expires-in"] {
            assert_eq!(text.parse::<Fault>(), Err(UnknownFault), "{text}");
        }
    }
}
