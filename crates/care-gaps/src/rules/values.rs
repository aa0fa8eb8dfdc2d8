//! Limits on measured values: which value, in which units, against which bound.

use std::sync::Arc;

use toml::Value;

use super::fields::{Fields, Wrong};
use crate::{codes::ValueSet, decimal::Decimal, truth::Truth};

/// What a value is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `≤`
    AtMost(Decimal),
    /// `<`
    Below(Decimal),
    /// `≥`
    AtLeast(Decimal),
    /// `>`
    Above(Decimal),
}

impl Bound {
    /// In words, before the unit.
    pub fn words(self) -> String {
        match self {
            Self::AtMost(limit) => format!("at most {limit}"),
            Self::Below(limit) => format!("below {limit}"),
            Self::AtLeast(limit) => format!("at least {limit}"),
            Self::Above(limit) => format!("above {limit}"),
        }
    }

    /// Whether a value holds it. `comparator` is the one sent with the value: `<` 7.0 says only that it is less.
    pub fn holds(self, value: Decimal, comparator: Option<&str>) -> Truth {
        let (limit, is_upper) = match self {
            Self::AtMost(limit) | Self::Below(limit) => (limit, true),
            Self::AtLeast(limit) | Self::Above(limit) => (limit, false),
        };
        let exactly = match self {
            Self::AtMost(limit) => value <= limit,
            Self::Below(limit) => value < limit,
            Self::AtLeast(limit) => value >= limit,
            Self::Above(limit) => value > limit,
        };
        match (comparator, is_upper) {
            (None, _) => exactly.into(),
            // All that is at most, or less than, what was sent: the bound holds if it holds there; it fails for none of
            // them for certain.
            (Some("<="), true) | (Some(">="), false) => {
                if exactly {
                    Truth::Yes
                } else {
                    Truth::Unknown
                }
            }
            (Some("<"), true) => {
                if value <= limit {
                    Truth::Yes
                } else {
                    Truth::Unknown
                }
            }
            (Some(">"), false) => {
                if value >= limit {
                    Truth::Yes
                } else {
                    Truth::Unknown
                }
            }
            // All that is on the other side: fails if the nearest of them fails.
            (Some(">="), true) | (Some("<="), false) => {
                if exactly {
                    Truth::Unknown
                } else {
                    Truth::No
                }
            }
            (Some(">"), true) => {
                if value >= limit {
                    Truth::No
                } else {
                    Truth::Unknown
                }
            }
            (Some("<"), false) => {
                if value <= limit {
                    Truth::No
                } else {
                    Truth::Unknown
                }
            }
            (Some(_), _) => Truth::Unknown,
        }
    }
}

/// Another unit, and how it becomes the limit's own: `value × factor + offset`, rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The unit as sent: UCUM code or written form.
    pub unit: String,
    /// Factor.
    pub factor: Decimal,
    /// Offset.
    pub offset: Decimal,
    /// Digits after the point that are kept.
    pub places: u32,
}

/// Which of several values of one day counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameDay {
    /// The lowest.
    Lowest,
    /// The highest.
    Highest,
}

/// A limit on one value of the last reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its name in rules.
    pub id: String,
    /// What is measured, in words.
    pub what: String,
    /// The codes of the observation, or of a part of one.
    pub codes: Arc<ValueSet>,
    /// The bound.
    pub bound: Bound,
    /// The unit of the bound: UCUM code.
    pub unit: String,
    /// Other written forms of the same unit.
    pub spellings: Vec<String>,
    /// Units that are converted.
    pub conversions: Vec<Conversion>,
    /// Values outside, in the unit of the bound, are not believed.
    pub plausible: Option<(Decimal, Decimal)>,
}

impl Limit {
    /// The bound with its unit, in words.
    pub fn words(&self) -> String {
        let unit = if self.unit == "mm[Hg]" { "mmHg" } else { self.unit.as_str() };
        format!("{} {unit}", self.bound.words())
    }

    /// The value in the unit of the bound; `None` when its unit is missing or another.
    pub(crate) fn in_unit(
        &self,
        value: Decimal,
        code: Option<&str>,
        written: Option<&str>,
    ) -> Option<Decimal> {
        let is = |unit: &str| code == Some(unit) || (code.is_none() && written == Some(unit));
        if is(&self.unit) || self.spellings.iter().any(|spelling| is(spelling)) {
            return Some(value);
        }
        let by = self.conversions.iter().find(|conversion| is(&conversion.unit))?;
        value.converted(by.factor, by.offset, by.places)
    }
}

pub(super) fn limit(
    id: &str,
    value: &Value,
    place: &str,
    set: impl Fn(&str, String) -> Result<Arc<ValueSet>, Wrong>,
) -> Result<Option<Limit>, Wrong> {
    let mut fields = Fields::of(value, place)?;
    if fields.flag("off")? {
        return Ok(None);
    }
    let codes = set(fields.required_text("codes")?, fields.path("codes"))?;
    let what = fields.text("what")?.unwrap_or(&codes.title).to_owned();
    let unit = fields.required_text("unit")?.to_owned();
    let bound = bound(&mut fields)?;
    let spellings = fields.texts("spelled")?.into_iter().map(str::to_owned).collect();
    let plausible = match fields.texts("plausible")?.as_slice() {
        [] => None,
        [least, most] => match (Decimal::parse(least), Decimal::parse(most)) {
            (Some(least), Some(most)) if least < most => Some((least, most)),
            _ => return Err(Wrong::at(fields.path("plausible"), "two numbers in quotes, the smaller first")),
        },
        _ => return Err(Wrong::at(fields.path("plausible"), "two numbers in quotes, the smaller first")),
    };
    let mut conversions = Vec::new();
    for (name, value) in fields.named("convert")? {
        conversions.push(conversion(value, &format!("{place}.convert.{name}"))?);
    }
    fields.end()?;
    Ok(Some(Limit { id: id.to_owned(), what, codes, bound, unit, spellings, conversions, plausible }))
}

fn bound(fields: &mut Fields<'_>) -> Result<Bound, Wrong> {
    const NUMBER: &str = "a number in quotes, such as \"9.0\"";
    let mut found = Vec::new();
    found.extend(fields.parsed("at_most", Decimal::parse, NUMBER)?.map(Bound::AtMost));
    found.extend(fields.parsed("below", Decimal::parse, NUMBER)?.map(Bound::Below));
    found.extend(fields.parsed("at_least", Decimal::parse, NUMBER)?.map(Bound::AtLeast));
    found.extend(fields.parsed("above", Decimal::parse, NUMBER)?.map(Bound::Above));
    match found.as_slice() {
        [one] => Ok(*one),
        _ => Err(Wrong::at(fields.place(), "use exactly one of at_most, below, at_least, above")),
    }
}

fn conversion(value: &Value, place: &str) -> Result<Conversion, Wrong> {
    let mut fields = Fields::of(value, place)?;
    let unit = fields.required_text("unit")?.to_owned();
    let number = |text: &str| Decimal::parse(text).filter(|n| *n < Decimal::parse("1e9").unwrap_or(*n));
    let factor = fields.parsed("factor", number, "a number in quotes")?;
    let offset = fields.parsed("offset", number, "a number in quotes")?;
    let places = fields.whole("places")?.unwrap_or(6);
    let (Some(factor), Ok(places @ 0..=6)) = (factor, u32::try_from(places)) else {
        return Err(Wrong::at(place, "a conversion needs \"factor\", and \"places\" from 0 to 6"));
    };
    fields.end()?;
    let Some(offset) = offset.or_else(|| Decimal::parse("0")) else {
        return Err(Wrong::at(place, "\"offset\" is not a number"));
    };
    Ok(Conversion { unit, factor, offset, places })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_to_the_last_digit_and_a_comparator_is_not_a_value() {
        let number = |text: &str| Decimal::parse(text).unwrap();
        let at_most = Bound::AtMost(number("9.0"));
        let below = Bound::Below(number("140"));
        let at_least = Bound::AtLeast(number("60"));
        let above = Bound::Above(number("60"));
        for (bound, value, comparator, expected) in [
            (at_most, "9.0", None, Truth::Yes),
            (at_most, "9.01", None, Truth::No),
            (at_most, "9.0", Some("<="), Truth::Yes),
            (at_most, "9.1", Some("<="), Truth::Unknown),
            (at_most, "9.0", Some("<"), Truth::Yes),
            (at_most, "4.0", Some("<"), Truth::Yes),
            (at_most, "15", Some("<"), Truth::Unknown),
            (at_most, "14", Some(">"), Truth::No),
            (at_most, "9.0", Some(">"), Truth::No),
            (at_most, "8.9", Some(">"), Truth::Unknown),
            (at_most, "9.0", Some(">="), Truth::Unknown),
            (at_most, "9.1", Some(">="), Truth::No),
            (below, "139", None, Truth::Yes),
            (below, "140", None, Truth::No),
            (below, "140", Some("<"), Truth::Yes),
            (below, "140", Some("<="), Truth::Unknown),
            (below, "140", Some(">="), Truth::No),
            (below, "139", Some(">="), Truth::Unknown),
            (below, "139", Some(">"), Truth::Unknown),
            (below, "140", Some(">"), Truth::No),
            (at_least, "60", None, Truth::Yes),
            (at_least, "60", Some(">"), Truth::Yes),
            (at_least, "59", Some(">"), Truth::Unknown),
            (at_least, "60", Some("<"), Truth::No),
            (at_least, "61", Some("<"), Truth::Unknown),
            (above, "60", None, Truth::No),
            (above, "60", Some(">"), Truth::Yes),
            (above, "60", Some("<="), Truth::No),
            (above, "61", Some("<="), Truth::Unknown),
            (at_most, "1", Some("ad"), Truth::Unknown),
        ] {
            assert_eq!(
                bound.holds(number(value), comparator),
                expected,
                "{} {comparator:?} {value}",
                bound.words()
            );
        }
    }
}
