//! EHR launches: the context (who, which patient, which encounter) behind an opaque `launch` value.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::digest::opaque;
use crate::places::Place;
use crate::profile::Profile;

/// Kept at most; the oldest go first.
const MOST_LAUNCHES: usize = 10_000;

/// The context of one EHR launch.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) place: Place,
    pub(crate) client_id: String,
    pub(crate) clinician: String,
    pub(crate) patient: Option<String>,
    pub(crate) encounter: Option<String>,
    pub(crate) intent: Option<String>,
    pub(crate) need_patient_banner: bool,
    pub(crate) fhir_context: Vec<Value>,
    pub(crate) shows_consent: bool,
    pub(crate) created_at: i64,
}

/// Why a launch value was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaunchRefused {
    Unknown,
    Expired,
    OtherClient,
}

impl LaunchRefused {
    /// The sentence for `error_description`.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Unknown => "the launch value is not known: launch the app from the EHR again",
            Self::Expired => "the launch value is too old: launch the app from the EHR again",
            Self::OtherClient => "the launch value was made for another app",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Launches {
    by_value: Mutex<HashMap<String, Launch>>,
}

impl Launches {
    /// Stores a launch and returns its opaque value.
    pub(crate) fn create(&self, launch: Launch) -> String {
        let value = opaque();
        let mut by_value = self.by_value.lock().unwrap_or_else(PoisonError::into_inner);
        if by_value.len() >= MOST_LAUNCHES {
            let oldest =
                by_value.iter().min_by_key(|(_, launch)| launch.created_at).map(|(value, _)| value.clone());
            oldest.and_then(|value| by_value.remove(&value));
        }
        by_value.insert(value.clone(), launch);
        value
    }

    /// The launch behind a value that `client_id` presents at `place`.
    pub(crate) fn present(
        &self,
        value: &str,
        client_id: &str,
        place: &Place,
        profile: &Profile,
        now: i64,
    ) -> Result<Launch, LaunchRefused> {
        let mut by_value = self.by_value.lock().unwrap_or_else(PoisonError::into_inner);
        let launch =
            by_value.get(value).filter(|launch| launch.place == *place).ok_or(LaunchRefused::Unknown)?;
        if launch.client_id != client_id {
            return Err(LaunchRefused::OtherClient);
        }
        if now >= launch.created_at + profile.launch_seconds {
            return Err(LaunchRefused::Expired);
        }
        let launch = launch.clone();
        if profile.is_launch_one_time {
            by_value.remove(value);
        }
        Ok(launch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { profile: "strict".to_owned(), tenant: "general".to_owned() }
    }

    fn launch() -> Launch {
        Launch {
            place: place(),
            client_id: "app".to_owned(),
            clinician: "c".to_owned(),
            patient: Some("p".to_owned()),
            encounter: None,
            intent: None,
            need_patient_banner: true,
            fhir_context: Vec::new(),
            shows_consent: false,
            created_at: 1000,
        }
    }

    #[test]
    fn a_launch_value_serves_its_own_client_at_its_own_place_until_it_is_old() {
        let launches = Launches::default();
        let value = launches.create(launch());
        let present = |client: &str, place: &Place, now| {
            launches.present(&value, client, place, &Profile::STRICT, now).map(|launch| launch.patient)
        };
        assert_eq!(present("app", &place(), 1299), Ok(Some("p".to_owned())));
        assert_eq!(present("app", &place(), 1300), Err(LaunchRefused::Expired));
        assert_eq!(present("other", &place(), 1001), Err(LaunchRefused::OtherClient));
        let elsewhere = Place { tenant: "lakeside".to_owned(), ..place() };
        assert_eq!(present("app", &elsewhere, 1001), Err(LaunchRefused::Unknown));
    }

    #[test]
    fn a_one_time_launch_value_is_gone_after_its_first_use() {
        let once = Profile { is_launch_one_time: true, ..Profile::STRICT };
        let launches = Launches::default();
        let value = launches.create(launch());
        assert!(launches.present(&value, "app", &place(), &once, 1001).is_ok());
        assert_eq!(
            launches.present(&value, "app", &place(), &once, 1001).err(),
            Some(LaunchRefused::Unknown)
        );
    }
}
