//! Ids as newtypes: a bare `String` or `Uuid` never appears in a signature.
//!
//! Configured names share one small alphabet, because template characters in identities have broken other systems;
//! generated ids are UUID v7, so that rows sort by age.

use crate::clock::Clock;

/// Why a text is not an id. Does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be 1 to {max} characters of {alphabet}")]
pub struct InvalidId {
    /// Which id was asked for, e.g. `tenant id`.
    pub kind: &'static str,
    /// The longest that is allowed, in characters.
    pub max: usize,
    /// The characters allowed, in words.
    pub alphabet: &'static str,
}

const NAME_MAX: usize = 64;
const NAME_ALPHABET: &str = "a-z, 0-9, '-' and '_'";

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Parses a configured name: 1–64 characters of `a-z 0-9 - _`.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is empty, too long or has another character.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let fits = (1..=NAME_MAX).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
                if fits {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { kind: $kind, max: NAME_MAX, alphabet: NAME_ALPHABET })
                }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }
    };
}

name_id!(/** A customer organisation. `_system` owns what has no tenant. */ TenantId, "tenant id");
name_id!(/** A FHIR base registered for a tenant. */ EndpointId, "endpoint id");
name_id!(/** Our client at an endpoint; unique over all tenants because it stands in `/launch/{registration}`. */ RegistrationId, "registration id");
name_id!(/** An app entry: what a launch opens. */ AppId, "app id");
name_id!(/** A named capability with its scopes and purpose. */ FeatureId, "feature id");
name_id!(/** A job's definition within its tenant. */ JobId, "job id");
name_id!(/** A vendor profile: how an endpoint's product behaves. */ VendorId, "vendor id");

impl TenantId {
    /// The reserved tenant that owns what has no tenant, e.g. a launch from an unknown issuer.
    pub fn system() -> Self {
        Self("_system".into())
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A new id (UUID v7) at the clock's time.
            pub fn new(clock: &dyn Clock) -> Self {
                Self(uuid_v7(clock))
            }

            /// Wraps a UUID read from a row or a message.
            pub fn from_uuid(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID, for a row.
            pub fn uuid(&self) -> uuid::Uuid {
                self.0
            }

            /// Parses the hyphenated or simple form.
            ///
            /// # Errors
            /// [`InvalidId`] when it is not a UUID.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                uuid::Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_not_a_uuid| InvalidId { kind: $kind, max: 36, alphabet: "a UUID" })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0.simple())
            }
        }
    };
}

uuid_id!(/** One launch; its simple form is the handle in `/chart/{launch}` and in the cookie's name. */ LaunchId, "launch id");
uuid_id!(/** A stored authorisation in the vault. */ GrantId, "grant id");
uuid_id!(/** One run of a job. */ RunId, "run id");
uuid_id!(/** One batch of a run. */ BatchId, "batch id");
uuid_id!(/** One audit record. */ RecordId, "record id");
uuid_id!(/** One request as the outside sees it (`X-Request-Id`). */ RequestId, "request id");

/// A UUID v7 at the clock's time with 74 random bits.
fn uuid_v7(clock: &dyn Clock) -> uuid::Uuid {
    let millis = u64::try_from(clock.now().div_euclid(1_000)).unwrap_or(0);
    let random = uuid::Uuid::now_v7().into_bytes();
    let mut tail = [0_u8; 10];
    tail.copy_from_slice(random.split_at(6).1);
    uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
}

/// Ids of real EHRs go up to 130 characters (FHIR R4 allows 64), so 256 is the storage bound; the bound that a call
/// must keep is the vendor profile's `max_id_length`.
const LOGICAL_ID_MAX: usize = 256;

macro_rules! phi_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Parses a FHIR logical id: 1–256 characters of `A-Z a-z 0-9 - . _`, not `.` or `..`.
            ///
            /// # Errors
            /// [`InvalidId`] otherwise; the text is not repeated.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                if is_logical_id(text, LOGICAL_ID_MAX) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { kind: $kind, max: LOGICAL_ID_MAX, alphabet: "A-Z, a-z, 0-9, '-', '.' and '_'" })
                }
            }

            /// The id itself: patient data, for the EHR call, the sealed record and the page, never for a log.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!("[", $kind, "]"))
            }
        }
    };
}

phi_id!(/** A Patient's logical id at its endpoint. Identifies a person: constant `Debug`, no `Display`, no `Serialize`. */ PatientId, "patient id");
phi_id!(/** An Encounter's logical id at its endpoint. */ EncounterId, "encounter id");

/// Whether `text` can be a FHIR logical id of at most `max` characters (R4 datatypes §id, plus the `_` that vendors use).
pub fn is_logical_id(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;

    #[test]
    fn configured_names_keep_to_their_alphabet() {
        assert!(TenantId::parse("general-hospital_2").is_ok());
        for bad in ["", "A", "a b", "a/b", "a*", "..", &"x".repeat(65)] {
            assert!(TenantId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_patient_id_never_prints() {
        let id = PatientId::parse("pat-0001").unwrap();
        assert_eq!(format!("{id:?}"), "[patient id]");
    }

    #[test]
    fn logical_ids_refuse_path_tricks() {
        for bad in ["..", ".", "a/b", "a%2eb", "a;b", "", "a b", "é"] {
            assert!(PatientId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(PatientId::parse(&"e".repeat(130)).is_ok());
    }

    #[test]
    fn generated_ids_sort_by_the_clock() {
        let clock = TestClock::at(1_000_000_000_000);
        let first = LaunchId::new(&clock);
        clock.advance(std::time::Duration::from_secs(1));
        assert!(first < LaunchId::new(&clock));
    }
}
