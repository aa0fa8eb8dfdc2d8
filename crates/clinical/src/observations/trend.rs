//! Series over time: the same code in the same unit, facts only, nothing smoothed or guessed.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Level, Observation, ObservationValue, Quantity, ReferenceRange};
use crate::date::Date;

/// How the values run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Every value at least as high as the one before, the last higher than the first.
    Rising,
    /// Every value at most as high as the one before, the last lower than the first.
    Falling,
    /// All the same.
    Steady,
    /// Up and down.
    Varying,
}

/// One point of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Point {
    /// When.
    pub date: Date,
    /// Microseconds since the epoch, for the time axis.
    pub instant: i64,
    /// The number as sent.
    pub value: String,
    /// `Observation/id`.
    #[schema(value_type = String)]
    pub reference: Arc<str>,
    /// Its flag.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub level: Option<Level>,
}

/// A series of the same observation over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Trend {
    /// The key of its observations.
    pub key: String,
    /// Which part: empty, `systolic` or `diastolic`.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub part: String,
    /// The unit to show.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// Oldest first, two or more.
    pub points: Vec<Point>,
    /// How they run.
    pub direction: Direction,
    /// The reference range of the newest point, when it is one plain range in the same unit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub range: Option<ReferenceRange>,
    /// How many more there are that are no plain number ("< 5") or in another unit, and are not in the series.
    pub left_out: usize,
    /// The series in words, the alternative to its picture.
    pub summary: String,
}

/// Every series with two points or more. Expects the observations newest first.
pub(super) fn trends(items: &[Observation]) -> Vec<Trend> {
    let mut series: BTreeMap<(String, &'static str), Vec<(&Observation, Quantity)>> = BTreeMap::new();
    let mut seen: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    for item in items.iter().filter(|item| item.counts()) {
        let parts: Vec<(&'static str, Option<&Quantity>)> = match &item.value.value {
            Some(ObservationValue::Quantity { quantity }) => vec![("", Some(quantity))],
            Some(ObservationValue::BloodPressure { systolic, diastolic }) => {
                vec![("systolic", systolic.as_ref()), ("diastolic", diastolic.as_ref())]
            }
            Some(_) => vec![("", None)],
            None => vec![],
        };
        for (part, quantity) in parts {
            let key = (item.key.clone(), part);
            *seen.entry(key.clone()).or_default() += 1;
            let plain = quantity.filter(|q| q.comparator.is_none() && q.number().is_some());
            if let (Some(quantity), Some(_)) = (plain, item.instant()) {
                series.entry(key).or_default().push((item, quantity.clone()));
            }
        }
    }
    let mut trends = Vec::new();
    for ((key, part), found) in series {
        let total = seen.get(&(key.clone(), part)).copied().unwrap_or(found.len());
        trends.extend(trend(key, part, &found, total));
    }
    trends
}

/// The series in the unit of the newest value.
fn trend(key: String, part: &'static str, found: &[(&Observation, Quantity)], total: usize) -> Option<Trend> {
    let (newest, newest_quantity) = found.first()?;
    let mut points = Vec::new();
    for (item, quantity) in found.iter().rev().filter(|(_, q)| q.same_unit(newest_quantity)) {
        let date = item.when.as_ref()?.value.as_ref()?.start.clone();
        let (Some(date), Some(instant)) = (date, item.instant()) else { continue };
        points.push(Point {
            date,
            instant,
            value: quantity.value.clone(),
            reference: Arc::clone(&item.record.reference),
            level: item.flag.as_ref().and_then(|f| f.value.as_ref()).map(|f| f.level),
        });
    }
    if points.len() < 2 || points.first()?.instant == points.last()?.instant {
        return None;
    }
    let range = match newest.ranges.as_slice() {
        [range] if range.applies_to.is_none() && part.is_empty() && in_unit(range, newest_quantity) => {
            Some(range.clone())
        }
        _ => None,
    };
    let direction = direction(&points);
    let unit = newest_quantity.unit_text().map(ToOwned::to_owned);
    let summary = summary(&points, unit.as_deref(), direction)?;
    Some(Trend {
        key,
        part: part.to_owned(),
        unit,
        left_out: total - points.len(),
        points,
        direction,
        range,
        summary,
    })
}

fn in_unit(range: &ReferenceRange, quantity: &Quantity) -> bool {
    let fits = |bound: &Option<Quantity>| {
        bound.as_ref().is_none_or(|b| (b.unit.is_none() && b.code.is_none()) || b.same_unit(quantity))
    };
    (range.low.is_some() || range.high.is_some()) && fits(&range.low) && fits(&range.high)
}

fn number(point: &Point) -> f64 {
    point.value.parse().unwrap_or(0.0)
}

fn direction(points: &[Point]) -> Direction {
    let pairs = || points.iter().zip(points.iter().skip(1)).map(|(a, b)| (number(a), number(b)));
    let (up, down) = (pairs().any(|(a, b)| b > a), pairs().any(|(a, b)| b < a));
    match (up, down) {
        (true, false) => Direction::Rising,
        (false, true) => Direction::Falling,
        (false, false) => Direction::Steady,
        (true, true) => Direction::Varying,
    }
}

/// `5 values from 6.9 to 8.1 %, 12-Mar-2023 to 12-Mar-2026, rising`.
fn summary(points: &[Point], unit: Option<&str>, direction: Direction) -> Option<String> {
    let by_number = |a: &&Point, b: &&Point| number(a).total_cmp(&number(b));
    let (low, high) = (points.iter().min_by(by_number)?, points.iter().max_by(by_number)?);
    let (first, last) = (points.first()?.date.day_text(), points.last()?.date.day_text());
    let unit = unit.map(|u| format!(" {u}")).unwrap_or_default();
    let run = match direction {
        Direction::Rising => "rising",
        Direction::Falling => "falling",
        Direction::Steady => "steady",
        Direction::Varying => "up and down",
    };
    let span = if low.value == high.value {
        low.value.clone()
    } else {
        format!("from {} to {}", low.value, high.value)
    };
    Some(format!("{} values {span}{unit}, {first} to {last}, {run}", points.len()))
}
