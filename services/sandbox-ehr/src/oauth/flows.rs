//! An authorization on its way: the checked request plus what the person has said so far. It decides which
//! page comes next; pages refer to it by an unguessable handle and it ends with its answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::digest::handle;
use crate::grants::Grant;
use crate::launches::Launch;
use crate::places::Place;
use crate::profile::{ConsentStyle, Profile};

use super::scopes::Scope;

/// A person has this long from page to page, seconds.
const FLOW_SECONDS: i64 = 900;

/// How the answer travels to the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    Query,
    FormPost,
}

/// Where and how the answer goes.
#[derive(Debug, Clone)]
pub(crate) struct ReturnTo {
    pub(crate) redirect_uri: String,
    pub(crate) mode: ResponseMode,
    pub(crate) state: Option<String>,
}

/// One authorization in progress.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) place: Place,
    pub(crate) client_id: String,
    pub(crate) return_to: ReturnTo,
    pub(crate) nonce: Option<String>,
    /// The PKCE challenge, where one was sent and counts.
    pub(crate) challenge: Option<String>,
    pub(crate) scopes: Vec<Scope>,
    /// The launch value and its context; absent in a standalone launch.
    pub(crate) launch: Option<(String, Launch)>,
    pub(crate) user: Option<String>,
    pub(crate) patient: Option<String>,
    pub(crate) encounter: Option<String>,
    pub(crate) is_encounter_settled: bool,
    pub(crate) is_agreed: bool,
}

/// What has to happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Login,
    PickPatient,
    PickEncounter,
    Consent,
    Answer,
}

impl Flow {
    pub(crate) fn next_step(&self, profile: &Profile) -> Step {
        let may_pick = self.launch.is_some() || profile.standalone_has_patient;
        let wants_patient =
            may_pick && (self.scopes.iter().any(Scope::is_for_patient) || self.wants_encounter());
        if self.user.is_none() {
            Step::Login
        } else if wants_patient && self.patient.is_none() {
            Step::PickPatient
        } else if self.launch.is_none() && may_pick && self.wants_encounter() && !self.is_encounter_settled {
            Step::PickEncounter
        } else if !self.is_agreed && self.asks_for_consent(profile) {
            Step::Consent
        } else {
            Step::Answer
        }
    }

    fn wants_encounter(&self) -> bool {
        self.scopes.contains(&Scope::Plain("launch/encounter"))
    }

    /// An app launched from within the EHR was agreed to by the organisation, unless someone wants to see
    /// the page.
    fn asks_for_consent(&self, profile: &Profile) -> bool {
        match (profile.consent, &self.launch) {
            (ConsentStyle::Always, _) | (ConsentStyle::StandaloneOnly, None) => true,
            (ConsentStyle::StandaloneOnly, Some((_, launch))) => launch.shows_consent,
        }
    }

    /// The agreement that a code will stand for.
    pub(crate) fn into_grant(self) -> Grant {
        let launched = self.launch.as_ref().map(|(_, launch)| launch);
        Grant {
            intent: launched.and_then(|launch| launch.intent.clone()),
            // Standalone: the app is alone on the screen, so it must show who the patient is.
            need_patient_banner: launched.is_none_or(|launch| launch.need_patient_banner),
            fhir_context: launched.map(|launch| launch.fhir_context.clone()).unwrap_or_default(),
            launch: self.launch.map(|(value, _)| value),
            place: self.place,
            client_id: self.client_id,
            user: self.user,
            patient: self.patient,
            encounter: self.encounter,
            scopes: self.scopes.iter().map(Scope::to_string).collect(),
            nonce: self.nonce,
            state: self.return_to.state,
        }
    }
}

#[derive(Default)]
pub(crate) struct Flows {
    by_handle: Mutex<HashMap<String, (Flow, i64)>>,
}

impl Flows {
    /// Keeps a flow for its next page.
    pub(crate) fn keep(&self, flow: Flow, now: i64) -> String {
        let mut by_handle = self.by_handle.lock().unwrap_or_else(PoisonError::into_inner);
        by_handle.retain(|_, (_, expires_at)| now < *expires_at);
        let key = handle();
        by_handle.insert(key.clone(), (flow, now + FLOW_SECONDS));
        key
    }

    /// Looks at a flow of this place.
    pub(crate) fn get(&self, key: &str, place: &Place, now: i64) -> Option<Flow> {
        let by_handle = self.by_handle.lock().unwrap_or_else(PoisonError::into_inner);
        let (flow, expires_at) = by_handle.get(key)?;
        (flow.place == *place && now < *expires_at).then(|| flow.clone())
    }

    /// Takes a flow out: each form of each page counts once.
    pub(crate) fn take(&self, key: &str, place: &Place, now: i64) -> Option<Flow> {
        let flow = self.get(key, place, now)?;
        self.by_handle.lock().unwrap_or_else(PoisonError::into_inner).remove(key).map(|_| flow)
    }
}
