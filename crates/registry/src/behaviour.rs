//! How an endpoint behaves: its product's profile, and what its file says otherwise, for as long as somebody stands for it.

use std::sync::Arc;

use sallyport_model::{Code, Micros, VendorId};
use sallyport_vendors::Profile;

use crate::file::OverridePart;

/// One behaviour that is otherwise at this endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Which, as `part.field`.
    pub key: String,
    /// What instead, as the profile's page writes it.
    pub value: String,
    /// Who stands for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, in UTC, as `2027-03-31`.
    pub expires: String,
    /// When that day is over.
    until: Micros,
}

impl Override {
    /// Whether its last day is over.
    pub fn is_expired(&self, now: Micros) -> bool {
        self.until <= now
    }
}

/// An endpoint's profile. It can be read only with the time at hand: what nobody stands for any more is not used.
#[derive(Debug, Clone)]
pub struct Behaviour {
    profile: Arc<Profile>,
    overrides: Vec<Override>,
}

impl Behaviour {
    /// Checks an endpoint's overrides and applies them. The error is a sentence for an operator.
    pub(crate) fn of(vendor: &VendorId, parts: Vec<OverridePart>) -> Result<Self, String> {
        let Some(standard) = sallyport_vendors::profile(vendor) else {
            let known: Vec<&str> = sallyport_vendors::all().iter().map(|profile| profile.id).collect();
            return Err(format!(
                "names the vendor profile {vendor}, which does not exist; there are {}",
                known.join(", ")
            ));
        };
        if parts.is_empty() {
            return Ok(Self { profile: Arc::clone(standard), overrides: Vec::new() });
        }
        let mut profile = standard.as_ref().clone();
        let mut overrides: Vec<Override> = Vec::new();
        for part in parts {
            let part = checked(part)?;
            if overrides.iter().any(|other| other.key == part.key) {
                return Err(format!("overrides {} twice", part.key));
            }
            profile.set(&part.key, &part.value).map_err(|error| format!("override: {error}"))?;
            overrides.push(part);
        }
        Ok(Self { profile: Arc::new(profile), overrides })
    }

    /// The profile as it holds now.
    ///
    /// # Errors
    /// [`Code::EndpointOverrideExpired`] after the last day of any override: what it was for may still be so, and the
    /// standard behaviour may lose data or end sign-ins.
    pub fn now(&self, now: Micros) -> Result<&Arc<Profile>, Code> {
        let is_over = self.expired(now).next().is_some();
        if is_over && !sallyport_model::planted!("expired-override-used") {
            return Err(Code::EndpointOverrideExpired);
        }
        Ok(&self.profile)
    }

    /// The profile whether or not overrides have expired: for pages, and for giving back what is held already.
    pub fn known(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// What is otherwise here.
    pub fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// Overrides whose last day is over.
    pub fn expired(&self, now: Micros) -> impl Iterator<Item = &Override> {
        self.overrides.iter().filter(move |part| part.is_expired(now))
    }
}

fn checked(part: OverridePart) -> Result<Override, String> {
    let OverridePart { key, value, owner, reason, expires } = part;
    for (name, text) in [("owner", &owner), ("reason", &reason)] {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(format!("override of {key}: {name} is empty or has control characters"));
        }
    }
    let value = written(&value).ok_or_else(|| {
        format!("override of {key}: a value is a text, a whole number, true, false, or a list of texts")
    })?;
    let day = match (expires.date, expires.time, expires.offset) {
        (Some(date), None, None) => last_moment(&date),
        _ => None,
    };
    let until = day
        .ok_or_else(|| format!("override of {key}: expires is a day, such as 2027-03-31, without quotes"))?;
    Ok(Override { key, value, owner, reason, expires: expires.to_string(), until })
}

/// A TOML value as profiles write it.
fn written(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(all) if all.is_empty() => Some("none".to_owned()),
        toml::Value::Array(all) => {
            let texts = all.iter().map(|one| written(one).filter(|_| !one.is_array()));
            Some(texts.collect::<Option<Vec<_>>>()?.join(", "))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// When a day is over, in UTC.
fn last_moment(date: &toml::value::Date) -> Option<Micros> {
    let (year, month, day) =
        (date.year.try_into().ok()?, date.month.try_into().ok()?, date.day.try_into().ok()?);
    let next = jiff::civil::Date::new(year, month, day).ok()?.tomorrow().ok()?;
    let moment = jiff::tz::Offset::UTC.to_timestamp(next.at(0, 0, 0, 0)).ok()?;
    Some(moment.as_microsecond())
}

#[cfg(test)]
mod tests;
