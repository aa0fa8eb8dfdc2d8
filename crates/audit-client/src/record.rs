//! What every record has, whoever writes it: filled in here, and checked on both ends of the way to the store.

use sallyport_model::{Clock, Micros, RecordId, ServiceName, TenantId};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Phase, Record},
    convert,
};

use crate::trace;

/// Fills in what the recorder knows better than its caller, then checks the shape.
pub(crate) fn complete(
    mut record: Record,
    phase: Phase,
    service: ServiceName,
    clock: &dyn Clock,
) -> Result<Record, &'static str> {
    if record.record_id.is_empty() {
        record.record_id = convert::id_bytes(RecordId::new(clock).uuid());
    }
    record.set_phase(phase);
    if phase == Phase::Intent {
        record.set_outcome(Outcome::Pending);
    }
    record.service = service.as_str().to_owned();
    if record.recorded_at == 0 {
        record.recorded_at = clock.now();
    }
    if record.trace_id.is_empty() {
        record.trace_id = trace::current_id();
    }
    check(&record).map(|_ids| record)
}

/// What identifies a record whose shape is sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The same for intent and outcome.
    pub record: RecordId,
    /// Which of the two, or a single event.
    pub phase: Phase,
    /// What happened.
    pub kind: Kind,
    /// Whose record.
    pub tenant: TenantId,
    /// When, by the recorder's clock.
    pub recorded_at: Micros,
}

/// Checks the shape of a record: kind, phase, tenant, time and id present and known, every id 16 bytes or absent.
///
/// # Errors
/// The name of the first field that is missing or malformed.
pub fn check(record: &Record) -> Result<Identity, &'static str> {
    let phase = Phase::try_from(record.phase).ok().filter(|p| *p != Phase::Unspecified).ok_or("phase")?;
    let kind = Kind::try_from(record.kind).ok().filter(|k| *k != Kind::Unspecified).ok_or("kind")?;
    let outcome = Outcome::try_from(record.outcome).ok().ok_or("outcome")?;
    // An intent is what is still open; whatever is over says how it went.
    if (phase == Phase::Intent) != (outcome == Outcome::Pending) || outcome == Outcome::Unspecified {
        return Err("outcome");
    }
    let tenant = TenantId::parse(&record.tenant).map_err(|_alphabet| "tenant")?;
    let id = convert::record_id(&record.record_id).map_err(|_length| "record_id")?;
    if record.recorded_at <= 0 {
        return Err("recorded_at");
    }
    if record.service.is_empty() {
        return Err("service");
    }
    let optional_ids = [
        (&record.request_id, "request_id"),
        (&record.launch_id, "launch_id"),
        (&record.grant_id, "grant_id"),
        (&record.run_id, "run_id"),
    ];
    if let Some((_, name)) = optional_ids.into_iter().find(|(id, _)| !matches!(id.len(), 0 | 16)) {
        return Err(name);
    }
    let is_trace = record.trace_id.len() == 32 && record.trace_id.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_trace && !record.trace_id.is_empty() {
        return Err("trace_id");
    }
    if record.patients.iter().any(String::is_empty) {
        return Err("patients");
    }
    Ok(Identity { record: id, phase, kind, tenant, recorded_at: record.recorded_at })
}

#[cfg(test)]
mod tests {
    use sallyport_model::TestClock;

    use super::*;

    type Damage = fn(&mut Record);

    fn sound() -> Record {
        let clock = TestClock::at(1_700_000_000_000_000);
        let record = Record {
            kind: Kind::FhirCall.into(),
            tenant: "general-hospital".to_owned(),
            ..Record::default()
        };
        complete(record, Phase::Intent, ServiceName::FhirGateway, &clock).unwrap()
    }

    #[test]
    fn what_the_recorder_knows_is_filled_in() {
        let record = sound();
        assert_eq!((record.service.as_str(), record.recorded_at), ("fhir-gateway", 1_700_000_000_000_000));
        assert_eq!((record.phase(), record.outcome()), (Phase::Intent, Outcome::Pending));
        assert_eq!(check(&record).unwrap().record.uuid().get_version_num(), 7);
    }

    #[test]
    fn what_the_caller_knows_is_kept() {
        let given = Record { recorded_at: 5, trace_id: "a".repeat(32), ..sound() };
        let clock = TestClock::at(9);
        let kept = complete(given.clone(), Phase::Intent, ServiceName::FhirGateway, &clock).unwrap();
        assert_eq!(kept, given);
    }

    #[test]
    fn every_missing_or_malformed_field_is_named() {
        let broken: [(&str, Damage); 12] = [
            ("phase", |r| r.phase = 0),
            ("phase", |r| r.phase = 77),
            ("kind", |r| r.kind = 0),
            ("outcome", |r| r.outcome = 0),
            ("outcome", |r| r.phase = Phase::Outcome.into()),
            ("tenant", |r| r.tenant = String::new()),
            ("tenant", |r| r.tenant = "A*".to_owned()),
            ("record_id", |r| r.record_id = vec![1; 15]),
            ("recorded_at", |r| r.recorded_at = 0),
            ("launch_id", |r| r.launch_id = vec![1; 17]),
            ("trace_id", |r| r.trace_id = "xyz".to_owned()),
            ("patients", |r| r.patients = vec![String::new()]),
        ];
        for (name, damage) in broken {
            let mut record = sound();
            damage(&mut record);
            assert_eq!(check(&record), Err(name));
        }
    }
}
