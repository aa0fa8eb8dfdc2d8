//! From a file's `[[job]]` to a checked definition. Every refusal says which job and what to write instead.

use std::path::Path;

use sallyport_model::{PatientId, Purpose, ids::is_logical_id};

use super::{Cohort, Hours, Job, JobIdentity, JobKind, Schedule, Stage, Zone};
use crate::{
    App, Feature, FeatureKind, Registration,
    file::{CohortPart, JobPart},
};

/// What a job hangs on.
pub(crate) struct Around<'a> {
    pub(crate) registrations: &'a [Registration],
    pub(crate) features: &'a [Feature],
    pub(crate) apps: &'a [App],
    pub(crate) time_zone: &'a str,
    pub(crate) folder: &'a Path,
}

/// Checks one definition. The error is a sentence for an operator.
pub(crate) fn job_of(part: JobPart, around: &Around<'_>) -> Result<Job, String> {
    let id = part.id.clone();
    checked(part, around).map_err(|reason| format!("job {id} {reason}"))
}

fn checked(part: JobPart, around: &Around<'_>) -> Result<Job, String> {
    let registration =
        around.registrations.iter().find(|r| r.id == part.registration).ok_or_else(|| {
            format!("names the registration {}, which is not in the file", part.registration)
        })?;
    let feature = feature_of(&part, registration, around)?;
    let purpose = Purpose::parse(&part.purpose)
        .ok_or_else(|| format!("has purpose \"{}\", which is not a purpose of use", part.purpose))?;
    if purpose != feature.purpose {
        return Err(format!(
            "has purpose \"{}\", but its feature {} uses data for \"{}\"",
            purpose.as_str(),
            feature.id,
            feature.purpose.as_str()
        ));
    }
    identity_fits(&part, registration, feature)?;
    let zone = Zone::parse(around.time_zone).ok_or_else(|| {
        format!("needs to know the tenant's time, and \"{}\" is not a time zone", around.time_zone)
    })?;
    let cohort = cohort_of(part.cohort, part.kind, around.folder)?;
    let schedule = part.schedule.as_deref().map(str::parse::<Schedule>).transpose();
    let schedule = schedule.map_err(|reason| {
        format!("has a schedule that is not \"minute hour day month weekday\": {reason}")
    })?;
    let hours = Hours::parse(&part.windows, &part.blackout)?;
    if let Some(schedule) = &schedule {
        scheduled_fits(&part.stage, part.identity, schedule, &zone)?;
    }
    let ranged = |name: &str, value: u32, most: u32| match (1..=most).contains(&value) {
        true => Ok(value),
        false => Err(format!("has {name} = {value}; it must be between 1 and {most}")),
    };
    match (part.stage, part.pilot_patients) {
        (Stage::Pilot, None | Some(0)) => {
            return Err("is at stage \"pilot\": say pilot_patients, how many of its cohort".to_owned());
        }
        (Stage::Pilot, Some(_)) | (_, None) => {}
        (stage, Some(_)) => {
            return Err(format!("has pilot_patients, and is at stage \"{}\"", stage.as_str()));
        }
    }
    if part.stage == Stage::Pilot && matches!(cohort, Cohort::Everyone) {
        return Err("is at stage \"pilot\": name its patients, a pilot is never everyone".to_owned());
    }
    Ok(Job {
        batch_size: ranged("batch_size", part.batch_size, 1_000)?,
        parallel_batches: ranged("parallel_batches", part.parallel_batches, 64)?,
        attempts: ranged("attempts", part.attempts, 20)?,
        keep_days: ranged("keep_days", part.keep_days, 3_650)?,
        calls_per_minute: part
            .calls_per_minute
            .map(|calls| ranged("calls_per_minute", calls, 60_000))
            .transpose()?,
        id: part.id,
        title: part.title,
        kind: part.kind,
        feature: part.feature,
        registration: part.registration,
        purpose,
        identity: part.identity,
        cohort,
        schedule,
        hours,
        is_on: part.on,
        stage: part.stage,
        pilot_patients: part.pilot_patients,
        options: part.options,
    })
}

fn feature_of<'a>(
    part: &JobPart,
    registration: &Registration,
    around: &Around<'a>,
) -> Result<&'a Feature, String> {
    let app = around.apps.iter().find(|app| app.id == registration.app);
    if !app.is_some_and(|app| app.features.contains(&part.feature)) {
        return Err(format!(
            "names the feature {}, which the app of registration {} does not have",
            part.feature, registration.id
        ));
    }
    around
        .features
        .iter()
        .find(|f| f.id == part.feature)
        .ok_or_else(|| format!("names the feature {}, which does not exist", part.feature))
}

/// What the grant will be must be what the job needs: a service's scopes speak of the system, a user's of a patient.
fn identity_fits(part: &JobPart, registration: &Registration, feature: &Feature) -> Result<(), String> {
    let (wanted, words) = match part.identity {
        JobIdentity::Backend => (FeatureKind::Service, "service"),
        JobIdentity::Offline => (FeatureKind::Offline, "offline"),
    };
    if feature.kind != wanted {
        return Err(format!(
            "has identity = \"{}\", which takes a feature of kind \"{words}\"; {} is of another kind",
            part.identity.as_str(),
            feature.id
        ));
    }
    match part.identity {
        JobIdentity::Backend if !registration.backend => Err(format!(
            "has identity = \"backend\", and registration {} is not registered for it: its launches do not have \"backend\"",
            registration.id
        )),
        JobIdentity::Offline if !registration.ehr_launch && !registration.standalone => {
            Err(format!("reads as a user, and registration {} takes no launches", registration.id))
        }
        _ => Ok(()),
    }
}

fn scheduled_fits(
    stage: &Stage,
    identity: JobIdentity,
    schedule: &Schedule,
    zone: &Zone,
) -> Result<(), String> {
    if identity != JobIdentity::Backend {
        // Nobody is there to name the grant, and a session's token is never used unattended.
        return Err(format!(
            "has a schedule and identity = \"{}\": only \"backend\" starts by itself",
            identity.as_str()
        ));
    }
    if *stage == Stage::Internal {
        return Err("has a schedule and is at stage \"internal\": only an operator starts it; use \"pilot\""
            .to_owned());
    }
    // 2000-01-01, far enough from the end of the calendar.
    if schedule.after(946_684_800_000_000, zone).is_none() {
        return Err(format!("has schedule \"{}\", which never comes", schedule.as_str()));
    }
    Ok(())
}

fn cohort_of(part: CohortPart, kind: JobKind, folder: &Path) -> Result<Cohort, String> {
    const SAY: &str = "say exactly one of patients, patients_file, group and everyone = true in [job.cohort]";
    match (part.patients, part.patients_file, part.group, part.everyone) {
        (Some(patients), None, None, false) if !patients.is_empty() => {
            let ids = patients.iter().map(|id| PatientId::parse(id)).collect::<Result<Vec<_>, _>>();
            ids.map(Cohort::Patients)
                .map_err(|_invalid| "has a patient in its cohort that is not a logical id".to_owned())
        }
        (Some(_), None, None, false) => Err(format!("has an empty cohort, which is nobody; {SAY}")),
        (None, Some(file), None, false) => {
            let path = folder.join(file);
            match std::fs::read_to_string(&path) {
                Ok(text) if text.lines().any(|line| !line.trim().is_empty()) => Ok(Cohort::File(path)),
                Ok(_empty) => Err(format!("has a cohort file that names nobody: {}", path.display())),
                Err(_reason) => Err(format!("has a cohort file that cannot be read: {}", path.display())),
            }
        }
        (None, None, Some(group), false) if is_logical_id(&group, 256) => Ok(Cohort::Group(group)),
        (None, None, Some(_), false) => Err("has a group that is not a logical id".to_owned()),
        (None, None, None, true) if kind == JobKind::BulkExport => Ok(Cohort::Everyone),
        (None, None, None, true) => {
            Err(format!("has everyone = true, and kind \"{}\" needs to know whom", kind.as_str()))
        }
        (None, None, None, false) => Err(format!("has no cohort, and no cohort is nobody; {SAY}")),
        _ => Err(format!("has more than one cohort; {SAY}")),
    }
}
