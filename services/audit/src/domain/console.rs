//! What somebody at the console sees of patients: eight characters in place of each, and who they are for a reason that is
//! recorded first.

use std::collections::BTreeSet;

use sallyport_keyring::DataKey;
use sallyport_model::{TenantId, planted};
use sallyport_proto::{
    audit::v1::{Kind, Mask, Phase, QueryRequest, QueryResponse, Record, UnmaskRequest, UnmaskResponse},
    convert,
    types::v1::actor,
};

use super::{
    Domain,
    query::{self, Look, opened},
};
use crate::{Error, sealed_form::ERASED};

/// A domain of its own: what is shown is no key to the index by which patients are found.
const MASKS: &str = "audit console mask";

/// What stands in the place of a user who is a patient.
const A_PATIENT: &str = "a patient";

/// How many bytes of it are shown, as two characters each.
const MASK_BYTES: usize = 4;

/// How long a reason to unmask is.
const REASON: std::ops::RangeInclusive<usize> = 3..=500;

/// Records of one: intent and outcome.
const PHASES: i32 = 10;

/// Answers one query without patients.
pub(crate) async fn query(domain: &Domain, request: &QueryRequest) -> Result<QueryResponse, Error> {
    let mut response = query::query(domain, request).await?;
    if planted!("console-patients-unmasked") {
        return Ok(response);
    }
    let tenant = TenantId::parse(&request.tenant).map_err(|_alphabet| Error::Invalid("tenant"))?;
    let key = domain.tenant_key(&tenant).await?;
    response.masks = response.records.iter_mut().map(|record| mask(&key, record)).collect();
    Ok(response)
}

/// Takes from a record what says which patient, and gives what is shown instead.
fn mask(key: &DataKey, record: &mut Record) -> Mask {
    let patients = std::mem::take(&mut record.patients);
    let resource_id = std::mem::take(&mut record.resource_id);
    record.encounter = String::new();
    // Why somebody looked is sealed in every look: a name may stand in it also where no patient was asked for.
    let is_look = record.kind() == Kind::AuditQuery;
    let has_detail = is_look && !record.detail.is_empty();
    if is_look {
        record.detail = String::new();
    }
    // Somebody who looks at their own record is a patient too.
    if let Some(actor::Kind::User(user)) = record.actor.as_mut().and_then(|actor| actor.kind.as_mut())
        && is_patient(&user.fhir_user)
    {
        user.fhir_user = String::new();
        A_PATIENT.clone_into(&mut user.subject);
    }
    let shown = |id: &String| {
        // Who was erased is nobody any more, and not the same nobody as another.
        if id == ERASED {
            return ERASED.to_owned();
        }
        let index = key.blind_index(MASKS, &[id.as_bytes()]);
        index.iter().take(MASK_BYTES).map(|byte| format!("{byte:02x}")).collect()
    };
    let has_resource_id = !resource_id.is_empty();
    Mask { patients: patients.iter().map(shown).collect(), has_resource_id, has_detail }
}

/// A reference to a patient, or to one of theirs, relative or absolute.
fn is_patient(reference: &str) -> bool {
    reference.split('/').any(|part| matches!(part, "Patient" | "RelatedPerson"))
}

/// The patients of one record. That they were asked for is durable before they are told.
pub(crate) async fn unmask(
    domain: &Domain,
    request: &UnmaskRequest,
    operator: &str,
) -> Result<UnmaskResponse, Error> {
    let found = find(domain, request).await;
    let record = record_of(request, operator, found.as_ref());
    if !planted!("unmask-unrecorded") {
        domain.audit.event(record).await?;
    }
    found
}

async fn find(domain: &Domain, request: &UnmaskRequest) -> Result<UnmaskResponse, Error> {
    let tenant = TenantId::parse(&request.tenant).map_err(|_alphabet| Error::Invalid("tenant"))?;
    if !REASON.contains(&request.reason.trim().chars().count()) {
        return Err(Error::Invalid("reason"));
    }
    let asked = QueryRequest {
        tenant: request.tenant.clone(),
        record_id: request.record_id.clone(),
        limit: PHASES,
        ..QueryRequest::default()
    };
    let filter = query::filter(domain, &tenant, &asked).await?;
    let records = opened(domain, &tenant, &filter).await?;
    if records.is_empty() {
        return Err(Error::Invalid("record_id"));
    }
    let named = records.iter().flat_map(|record| record.patients.clone());
    let patients: BTreeSet<String> = named.filter(|id| id != ERASED).collect();
    let first = |texts: Vec<String>| {
        texts.into_iter().find(|text| !text.is_empty() && text != ERASED).unwrap_or_default()
    };
    let (ids, details) = records.into_iter().map(|record| (record.resource_id, record.detail)).unzip();
    Ok(UnmaskResponse {
        patients: patients.into_iter().collect(),
        resource_id: first(ids),
        detail: first(details),
    })
}

fn record_of(request: &UnmaskRequest, operator: &str, found: Result<&UnmaskResponse, &Error>) -> Record {
    let tenant = TenantId::parse(&request.tenant).unwrap_or_else(|_alphabet| TenantId::system());
    let look = Look::of(found.map(|shown| shown.patients.len()));
    let id = uuid::Uuid::from_slice(&request.record_id)
        .map_or_else(|_| "no record".to_owned(), |id| id.to_string());
    Record {
        kind: Kind::AuditQuery.into(),
        phase: Phase::Event.into(),
        tenant: tenant.as_str().to_owned(),
        actor: Some(convert::operator_actor(operator)),
        patients: found.map(|shown| shown.patients.clone()).unwrap_or_default(),
        purpose: "HSYSADMIN".to_owned(),
        interaction: "unmask".to_owned(),
        resource_types: vec!["AuditEvent".to_owned()],
        detail: format!("record {id}: {}", request.reason.chars().take(*REASON.end()).collect::<String>()),
        outcome: look.outcome.into(),
        released: look.released,
        code: look.code,
        ..Record::default()
    }
}

#[cfg(test)]
mod tests {
    use sallyport_proto::types::v1::{Actor, User};

    use super::*;

    #[test]
    fn nothing_in_a_masked_record_says_which_patient() {
        let key = DataKey::generate();
        let user = User {
            issuer: "https://ehr.example".to_owned(),
            subject: "pat-7".to_owned(),
            fhir_user: "https://ehr.example/fhir/Patient/pat-7".to_owned(),
        };
        let record = Record {
            patients: vec!["pat-7".to_owned(), "pat-8".to_owned(), "pat-7".to_owned()],
            resource_id: "pat-7".to_owned(),
            encounter: "visit-of-pat-7".to_owned(),
            kind: Kind::AuditQuery.into(),
            detail: "the complaint of pat-7".to_owned(),
            actor: Some(Actor { kind: Some(actor::Kind::User(user)) }),
            ..Record::default()
        };
        let mut shown = record.clone();
        let masks = mask(&key, &mut shown);
        assert!(!format!("{shown:?}{masks:?}").contains("pat-"), "{shown:?}");
        let [first, second, third] = masks.patients.as_slice() else { panic!("{masks:?}") };
        assert!(
            first == third
                && first != second
                && first.len() == 8
                && masks.has_resource_id
                && masks.has_detail
        );
        let mut again = record;
        let other = mask(&DataKey::generate(), &mut again);
        assert_ne!(other.patients, masks.patients, "another tenant's key gives other masks");
    }

    #[test]
    fn who_was_erased_is_nobody_and_looks_like_nobody_else() {
        let mut record =
            Record { patients: vec![ERASED.to_owned(), "pat-7".to_owned()], ..Record::default() };
        let masks = mask(&DataKey::generate(), &mut record);
        assert_eq!(masks.patients.first().map(String::as_str), Some(ERASED));
        assert!(masks.patients.last().is_some_and(|shown| shown.len() == 8));
    }

    #[test]
    fn a_practitioner_stays_who_they_are() {
        assert!(is_patient("Patient/1") && is_patient("https://e/fhir/RelatedPerson/1"));
        assert!(!is_patient("Practitioner/1") && !is_patient(""));
    }
}
