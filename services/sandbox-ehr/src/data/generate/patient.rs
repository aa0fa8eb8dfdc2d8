//! Registration: the Patient resource and the Coverage.

use serde_json::Value;

use super::{
    cast::{Person, Sex},
    chart::Chart,
    clinic::{HOSPITAL, PAYER, REYES},
    code::{US_CORE, coding, hl7, named},
    moment::{Moment, days_after},
    tree::tree,
};

const STREETS: [&str; 8] = [
    "Cedar Street",
    "Lantern Lane",
    "Harbor Road",
    "Old Mill Way",
    "Juniper Court",
    "Ferry Terrace",
    "Beacon Hill",
    "Saltmarsh Drive",
];
const TOWNS: [(&str, &str); 4] =
    [("Port Ellery", "98000"), ("Greywater", "98001"), ("Northcove", "98002"), ("Elmsford Point", "98003")];

/// Stores who the patient is. One in four has moved: the earlier address is the first version.
pub(super) fn register(chart: &mut Chart<'_>) {
    let registered =
        Moment::at(days_after(chart.today(), -chart.whole(30, 200)).max(chart.person.birth), 9, 12);
    let body = patient(chart);
    if chart.person.number % 4 == 1 {
        let mut before = body.clone();
        if let Some(members) = before.as_object_mut() {
            members.insert("address".to_owned(), tree!([address(chart)]));
        }
        chart.put(&["us-core-patient"], registered.plus(-60 * 24 * 20), before);
    }
    chart.put(&["us-core-patient"], registered, body);
    if !chart.person.is_almost_empty() {
        cover(chart, registered);
    }
}

fn patient(chart: &mut Chart<'_>) -> Value {
    let address = address(chart);
    let ssn = format!("999-{:02}-{:04}", chart.whole(10, 99), chart.whole(1000, 9999));
    let phone = format!("+1 555 555 {:04}", 100 + chart.person.number % 100);
    let person = &chart.person;
    let mut body = tree!({
        "resourceType": "Patient",
        "id": &person.id,
        "extension": extensions(person),
        "active": person.death.is_none(),
        "identifier": identifiers(person, &ssn),
        "name": names(person),
        "telecom": [{ "system": "phone", "value": &phone, "use": "home" }],
        "gender": person.gender,
        "birthDate": person.birth.to_string(),
        "address": [address],
        "communication": [{
            "language": { "coding": [coding("urn:ietf:bcp:47", person.language)], "text": person.language.1 },
            "preferred": true,
        }],
        "managingOrganization": named("Organization", "org-harborlight", HOSPITAL),
    });
    let Some(members) = body.as_object_mut() else { return body };
    if person.is_almost_empty() {
        // Registered at the front desk and nothing more.
        for absent in ["telecom", "address", "communication"] {
            members.remove(absent);
        }
        return body;
    }
    members.insert("generalPractitioner".to_owned(), tree!([named("Practitioner", REYES.id, REYES.name)]));
    if chart.age_on(chart.today()) >= 18.0 {
        let status = if person.number.is_multiple_of(3) { ("S", "Never Married") } else { ("M", "Married") };
        members.insert("maritalStatus".to_owned(), hl7("v3-MaritalStatus", status));
        if person.family.is_ascii() {
            let email = tree!({ "system": "email", "use": "home",
                "value": format!("{}.{}@mail.example", person.family.to_lowercase(), person.number) });
            if let Some(telecom) = members.get_mut("telecom").and_then(Value::as_array_mut) {
                telecom.push(email);
            }
        }
    } else {
        members.insert(
            "contact".to_owned(),
            tree!([{ "relationship": [hl7("v2-0131", ("N", "Next-of-Kin"))],
                     "name": { "text": format!("Parent of {}", person.given) },
                     "telecom": [{ "system": "phone", "value": phone }] }]),
        );
    }
    if let Some(death) = person.death {
        members.insert("deceasedDateTime".to_owned(), tree!(Moment::at(death, 4, 40).local()));
    }
    body
}

fn names(person: &Person) -> Value {
    let given: Vec<&str> = person.given.split(' ').collect();
    let mut all = vec![tree!({
        "use": "official", "family": person.family, "given": given.clone(),
        "text": format!("{} {}", person.given, person.family),
    })];
    if person.sex == Sex::Female && person.number.is_multiple_of(5) {
        all.push(tree!({ "use": "maiden", "family": "Amadi", "given": given }));
    }
    Value::Array(all)
}

fn identifiers(person: &Person, ssn: &str) -> Value {
    let mut all = vec![tree!({
        "use": "usual",
        "type": { "coding": [coding("http://terminology.hl7.org/CodeSystem/v2-0203", ("MR", "Medical record number"))],
                  "text": "MRN" },
        "system": "https://sandbox.sallyport.example/mrn",
        "value": format!("HL{:06}", 410_000 + person.number * 37),
        "assigner": { "display": HOSPITAL },
    })];
    if !person.is_almost_empty() {
        all.push(tree!({
            "type": { "coding": [coding("http://terminology.hl7.org/CodeSystem/v2-0203", ("SS", "Social Security number"))] },
            "system": "http://hl7.org/fhir/sid/us-ssn", "value": ssn,
        }));
        all.push(tree!({ "use": "old", "system": "https://legacy.sallyport.example/chart",
                         "value": format!("C-{:05}", person.number * 113) }));
    }
    Value::Array(all)
}

fn extensions(person: &Person) -> Value {
    let sex = if person.sex == Sex::Female { "F" } else { "M" };
    let birth_sex = tree!({ "url": format!("{US_CORE}us-core-birthsex"), "valueCode": sex });
    if person.is_almost_empty() {
        return tree!([birth_sex]);
    }
    let cdc = "urn:oid:2.16.840.1.113883.6.238";
    let ethnicity =
        if person.hispanic { ("2135-2", "Hispanic or Latino") } else { ("2186-5", "Not Hispanic or Latino") };
    tree!([
        { "url": format!("{US_CORE}us-core-race"), "extension": [
            { "url": "ombCategory", "valueCoding": coding(cdc, person.race) },
            { "url": "text", "valueString": person.race.1 } ] },
        { "url": format!("{US_CORE}us-core-ethnicity"), "extension": [
            { "url": "ombCategory", "valueCoding": coding(cdc, ethnicity) },
            { "url": "text", "valueString": ethnicity.1 } ] },
        birth_sex,
    ])
}

fn address(chart: &mut Chart<'_>) -> Value {
    let house = chart.whole(2, 480);
    let street = chart.pick(&STREETS).copied().unwrap_or_default();
    let (town, postcode) = chart.pick(&TOWNS).copied().unwrap_or_default();
    tree!({ "use": "home", "line": [format!("{house} {street}")], "city": town, "state": "WA",
            "postalCode": postcode, "country": "US" })
}

fn cover(chart: &mut Chart<'_>, registered: Moment) {
    let id = chart.next_id("cov");
    let start = days_after(chart.today(), -700).max(chart.person.birth);
    let status = if chart.person.death.is_some() { "cancelled" } else { "active" };
    let member = format!("EM{:07}", chart.whole(1_000_000, 9_999_999));
    let body = tree!({
        "resourceType": "Coverage", "id": id, "status": status,
        "type": hl7("v3-ActCode", ("PPO", "preferred provider organization policy")),
        "subscriberId": &member,
        "beneficiary": chart.subject(),
        "relationship": hl7("subscriber-relationship", ("self", "Self")),
        "period": { "start": start.to_string() },
        "payor": [named("Organization", "org-evergreen", PAYER)],
        "identifier": [{ "type": hl7("v2-0203", ("MB", "Member Number")),
                         "system": "https://evergreen.sallyport.example/member", "value": member }],
    });
    chart.put(&["us-core-coverage"], registered, body);
}
