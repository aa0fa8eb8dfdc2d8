//! A chart of twenty years: results every few days, and codes as interfaces of twenty years leave them.

use serde_json::Value;

use super::{
    chart::Chart,
    code::{LOINC, coding, hl7, quantity},
    moment::{Moment, days_after},
    tree::tree,
};

const YEARS: i64 = 20;

/// One kind of result: code, name, unit, usual value and spread, decimals.
struct Series(&'static str, &'static str, &'static str, f64, f64, i32);

const SERIES: [Series; 6] = [
    Series("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", 118.0, 14.0, 0),
    Series("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", 1.1, 0.1, 2),
    Series("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", 4.2, 0.2, 1),
    Series("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 13.2, 0.6, 1),
    Series("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 7.1, 0.4, 1),
    Series("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "m[IU]/L", 2.1, 0.5, 2),
];

/// Adds results, evenly over twenty years up to today, until there are `wanted` of them.
pub(super) fn fill(chart: &mut Chart<'_>, wanted: usize) {
    let missing = i64::try_from(wanted).unwrap_or(i64::MAX);
    let first = days_after(chart.today(), -YEARS * 365);
    for number in 0..missing {
        let day = days_after(first, number * YEARS * 365 / missing.max(1));
        let Some(series) = SERIES.get(usize::try_from(number).unwrap_or_default() % SERIES.len()) else {
            continue;
        };
        let at = Moment::at(day, 7, number % 60);
        let body = result(chart, series, at, number);
        chart.put(&["us-core-observation-lab"], at.plus(240), body);
    }
}

fn result(chart: &mut Chart<'_>, series: &Series, at: Moment, number: i64) -> Value {
    let Series(code, name, unit, usual, spread, decimals) = *series;
    let value = chart.near(usual, spread);
    let mut body = tree!({
        "resourceType": "Observation",
        "id": chart.next_id("old"),
        "status": "final",
        "category": [hl7("observation-category", ("laboratory", "Laboratory"))],
        "code": { "coding": [coding(LOINC, (code, name))], "text": name },
        "subject": chart.subject(),
        "effectiveDateTime": at.local(),
        "issued": at.plus(240).instant(),
        "valueQuantity": quantity(value, decimals, unit, unit),
    });
    let Some(members) = body.as_object_mut() else { return body };
    match number % 41 {
        // The system by its name instead of its address.
        3 => drop(members.insert("code".to_owned(), tree!({ "coding": [coding("LOINC", (code, name))] }))),
        // A local code alone.
        7 => {
            let local = coding("urn:oid:2.16.840.1.113883.3.9999.1", ("LAB000123", name));
            drop(members.insert("code".to_owned(), tree!({ "coding": [local], "text": name })));
        }
        // No code at all, and blanks behind the text.
        11 => drop(members.insert("code".to_owned(), tree!({ "text": format!("{name}  ") }))),
        // A number as text.
        17 => {
            members.remove("valueQuantity");
            drop(members.insert("valueString".to_owned(), tree!("<0.5 ")));
        }
        // A unit in capitals and no UCUM.
        23 => {
            let shouted = tree!({ "value": value.round(), "unit": unit.to_uppercase() });
            drop(members.insert("valueQuantity".to_owned(), shouted));
        }
        // A reason for absence as if it were a code.
        29 => {
            members.remove("valueQuantity");
            let system = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
            let absent = tree!({ "coding": [coding(system, ("unknown", "Unknown"))] });
            drop(members.insert("valueCodeableConcept".to_owned(), absent));
        }
        // A day without a time.
        31 => drop(members.insert("effectiveDateTime".to_owned(), tree!(at.date.to_string()))),
        _ => {}
    }
    body
}
