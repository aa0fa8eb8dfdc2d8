//! What an EHR's answer says about an export.

use std::time::Duration;

use sallyport_egress::{HeaderMap, Url, header};
use sallyport_model::{Code, Micros};
use sallyport_resilience::retry_after;
use sallyport_vendors::Profile;

use super::{Action, Address, Manifest, Prepared, manifest};
use crate::{
    Gateway,
    domain::{handles::What, upstream::Answer},
    error::Refusal,
};

/// Where a step led.
pub(crate) enum Outcome {
    /// The export was begun: the handle of its status.
    Accepted(String),
    /// It is not ready.
    Running(Running),
    /// It is ready, or another part of the manifest.
    Manifest(Manifest),
    /// It is over for the EHR.
    Deleted {
        /// The EHR did not know it any more.
        was_gone: bool,
    },
    /// It failed as a whole.
    Failed { code: Code, status: u16, is_transient: bool },
}

impl Outcome {
    /// The EHR's status, for the record.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Accepted(_) | Self::Running(_) => 202,
            Self::Manifest(_) => 200,
            Self::Deleted { was_gone: true } => 404,
            Self::Deleted { was_gone: false } => 202,
            Self::Failed { status, .. } => *status,
        }
    }
}

/// An export that is under way.
pub(crate) struct Running {
    /// Ask again not before.
    pub(crate) not_before: Micros,
    /// The EHR named the time.
    pub(crate) told_by_ehr: bool,
    /// As far as `X-Progress` is a percentage.
    pub(crate) percent: Option<u8>,
    /// Files that are ready already.
    pub(crate) so_far: Option<Manifest>,
}

/// Without a word of the EHR's, a step that met "too many" is taken again after so long.
const UNTOLD_WAIT_SECONDS: u64 = 60;

/// Reads the answer to a step.
pub(super) fn read(
    gateway: &Gateway,
    prepared: &Prepared<'_>,
    action: &Action,
    answered: Result<Answer, Refusal>,
) -> Result<Outcome, Refusal> {
    match action {
        Action::KickOff(_) => accepted(prepared, answered),
        Action::Poll(_) => polled(gateway, prepared, answered),
        Action::Part(_) => {
            let answer = answered?;
            if answer.status != 200 {
                return Err(Refusal::upstream(Code::BulkInvalid, answer.status));
            }
            manifest::read(prepared, &answer).map(Outcome::Manifest)
        }
        Action::Delete(_) => deleted(answered),
    }
}

fn accepted(prepared: &Prepared<'_>, answered: Result<Answer, Refusal>) -> Result<Outcome, Refusal> {
    let answer = match answered {
        // The EHR takes no export now: that is about exports, not about calls.
        Err(refusal) if refusal.code == Code::UpstreamBusy && refusal.upstream_status != 0 => {
            let retry_after = refusal.retry_after.or(Some(UNTOLD_WAIT_SECONDS));
            return Err(Refusal { code: Code::BulkWait, retry_after, ..refusal });
        }
        other => other?,
    };
    let location = answer.headers.get(header::CONTENT_LOCATION).and_then(|value| value.to_str().ok());
    // Anything but 202 with an address is no export that could be followed or ended (BULK-05).
    let (202, Some(location)) = (answer.status, location) else {
        let what = Some("the kick-off was not answered by an address of its status");
        return Err(Refusal { what, ..Refusal::upstream(Code::BulkInvalid, answer.status) });
    };
    let url = joined(prepared, location).ok_or(Refusal::upstream(Code::BulkInvalid, answer.status))?;
    if !prepared.place.bulk_pins.admits(&url) && !sallyport_model::planted!("manifest-followed-anywhere") {
        return Err(Refusal::upstream(Code::BulkForeignAddress, answer.status));
    }
    let address = Address { url: url.into(), types: prepared.types.clone() };
    prepared.sealer.seal(What::Status, &address).map(Outcome::Accepted)
}

/// An address as the EHR wrote it; a relative one is meant relative to the base.
pub(super) fn joined(prepared: &Prepared<'_>, text: &str) -> Option<Url> {
    Url::parse(&format!("{}/", prepared.place.fhir_base)).ok()?.join(text).ok()
}

fn polled(
    gateway: &Gateway,
    prepared: &Prepared<'_>,
    answered: Result<Answer, Refusal>,
) -> Result<Outcome, Refusal> {
    let answer = match answered {
        Ok(answer) => answer,
        Err(refusal) => return failed(refusal),
    };
    match answer.status {
        200 => manifest::read(prepared, &answer).map(Outcome::Manifest),
        202 => {
            let now = gateway.clock.now();
            let told = told(&answer.headers, now);
            let so_far = manifest::partial(prepared, &answer)?;
            Ok(Outcome::Running(Running {
                not_before: now.saturating_add(pace(&prepared.profile, told)),
                told_by_ehr: told.is_some(),
                percent: percent(&answer.headers),
                so_far,
            }))
        }
        status => Err(Refusal::upstream(Code::BulkInvalid, status)),
    }
}

/// An error that is the export's, not the call's (BULK-07).
fn failed(refusal: Refusal) -> Result<Outcome, Refusal> {
    let status = refusal.upstream_status;
    let is_of_the_call = status == 0
        || matches!(refusal.code, Code::UpstreamUnauthorized | Code::UpstreamRedirect | Code::UpstreamBusy);
    if is_of_the_call {
        return Err(refusal);
    }
    // Most products mean "for now" by 5xx; whoever polls decides how often to believe it.
    let is_transient = status >= 500 || refusal.retry_after.is_some();
    Ok(Outcome::Failed { code: refusal.code, status, is_transient })
}

fn deleted(answered: Result<Answer, Refusal>) -> Result<Outcome, Refusal> {
    match answered {
        Ok(_) => Ok(Outcome::Deleted { was_gone: false }),
        Err(refusal) if matches!(refusal.code, Code::UpstreamNotFound | Code::UpstreamGone) => {
            Ok(Outcome::Deleted { was_gone: true })
        }
        Err(refusal) => Err(refusal),
    }
}

/// What the EHR says about when to ask again, whatever its size.
fn told(headers: &HeaderMap, now: Micros) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    retry_after::parse(value, now, Duration::MAX)
}

/// How long to wait, in microseconds: as told, but neither sooner nor later than the product's facts say.
fn pace(profile: &Profile, told: Option<Duration>) -> Micros {
    let seconds = |n: i64| n.max(1).saturating_mul(1_000_000);
    let (least, most) = (seconds(*profile.bulk.poll_seconds), seconds(*profile.bulk.poll_cap_seconds));
    let told = told.map(|wait| Micros::try_from(wait.as_micros()).unwrap_or(Micros::MAX));
    told.unwrap_or(least).max(least).min(most.max(least))
}

/// The percentage in `X-Progress`, which is free text of up to 100 characters.
fn percent(headers: &HeaderMap) -> Option<u8> {
    let text = headers.get("x-progress")?.to_str().ok().filter(|text| text.len() <= 100)?;
    let (before, _) = text.split_once('%')?;
    let before = before.trim_end();
    let digits = before.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |at| at + 1);
    let whole = before.get(digits..)?.split('.').next()?;
    whole.parse().ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use sallyport_egress::HeaderValue;
    use sallyport_model::VendorId;

    use super::*;

    #[test]
    fn the_pace_is_the_ehrs_within_what_the_product_is_known_for() {
        let profile = sallyport_vendors::profile(&VendorId::parse("oracle").unwrap()).unwrap();
        let minutes = |n: u64| Some(Duration::from_secs(n * 60));
        assert_eq!(pace(profile, None), 600_000_000);
        assert_eq!(pace(profile, minutes(1)), 600_000_000, "never sooner than the product's own pace");
        assert_eq!(pace(profile, minutes(20)), 1_200_000_000);
        assert_eq!(
            pace(profile, minutes(300)),
            1_800_000_000,
            "five hours are looked into before they are over"
        );
    }

    #[test]
    fn progress_is_a_percentage_or_nothing() {
        let percent_of = |text: &'static str| {
            percent(&HeaderMap::from_iter([("x-progress".parse().unwrap(), HeaderValue::from_static(text))]))
        };
        assert_eq!(percent_of("37%"), Some(37));
        assert_eq!(percent_of("Processed 42.9 % of it"), Some(42));
        for words in ["in progress", "%", "300%", "patient Jane at %"] {
            assert_eq!(percent_of(words), None, "{words}");
        }
    }
}
