//! The launches that every target is asked for: the same in the driver, which makes their requests, and in the owners
//! beside the gateway, which open them. Nothing here is a secret of anybody's.

use sallyport_model::{LaunchId, Secret, session};

/// The one synthetic patient whose problems are read.
pub(crate) const PATIENT: &str = "bench-patient-1";

/// What was granted: enough for the whole of the built-in chart.
pub(crate) const SCOPES: &str = "openid fhirUser launch patient/Patient.rs patient/Condition.rs \
    patient/MedicationRequest.rs patient/Medication.rs patient/AllergyIntolerance.rs patient/Observation.rs \
    patient/Encounter.rs patient/DocumentReference.rs patient/Binary.rs patient/Coverage.rs patient/Practitioner.rs";

/// One launch.
pub(crate) struct Launch {
    /// Its handle.
    pub(crate) id: LaunchId,
    /// What its cookie holds.
    pub(crate) secret: Secret<String>,
}

impl Launch {
    /// The launch of that number.
    pub(crate) fn numbered(number: usize) -> Option<Self> {
        // The shape of a UUID of version 7, as handles have it.
        let id = LaunchId::parse(&format!("0192f0c1d2e37a4b8c5d{number:012x}")).ok()?;
        Some(Self { id, secret: Secret::new(format!("{number:0>width$}", width = session::SECRET_LENGTH)) })
    }

    /// The number of a launch made by [`numbered`](Self::numbered).
    pub(crate) fn number_of(id: LaunchId) -> Option<usize> {
        let text = id.to_string();
        usize::from_str_radix(text.get(20..)?, 16).ok()
    }

    /// The address of the search below a gateway's origin.
    pub(crate) fn path(&self) -> String {
        format!("/fhir/{}/Condition", self.id)
    }

    /// The `Cookie` header.
    pub(crate) fn cookie(&self) -> String {
        format!("{}={}", session::cookie_name(self.id), self.secret.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_is_found_again_by_its_handle_and_its_cookie_opens_it() {
        let launch = Launch::numbered(1_234).unwrap();
        assert_eq!(Launch::number_of(launch.id), Some(1_234));
        let found = session::find_cookie(&launch.cookie(), launch.id).unwrap();
        assert_eq!(found.expose(), launch.secret.expose());
    }
}
