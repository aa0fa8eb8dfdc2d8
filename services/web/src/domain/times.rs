//! Our own times in the tenant's zone. Clinical times stay as the EHR sent them.

use jiff::{Timestamp, tz::TimeZone};
use sallyport_clinical::date::Parts;
use sallyport_model::Micros;

/// The zone in which a page shows its own times, and the page's "now".
#[derive(Clone)]
pub(crate) struct Times {
    zone: TimeZone,
    zone_name: String,
    pub(crate) now: Micros,
}

const UTC: &str = "UTC";

impl Times {
    /// A zone name that the machine does not know gives UTC, which is then what the page says.
    pub(crate) fn new(zone_name: &str, now: Micros) -> Self {
        match TimeZone::get(zone_name) {
            Ok(zone) if !zone_name.is_empty() => Self { zone, zone_name: zone_name.to_owned(), now },
            _ => Self { zone: TimeZone::UTC, zone_name: UTC.to_owned(), now },
        }
    }

    /// `14:02`, with the day in front when it is not today.
    pub(crate) fn clock(&self, micros: Micros) -> String {
        let Some(at) = self.zoned(micros) else { return String::new() };
        let is_today = self.zoned(self.now).is_some_and(|now| now.date() == at.date());
        at.strftime(if is_today { "%H:%M" } else { "%d-%b-%Y %H:%M" }).to_string()
    }

    /// Day, time and zone in full, for hover.
    pub(crate) fn full(&self, micros: Micros) -> String {
        self.zoned(micros)
            .map(|at| format!("{} {}", at.strftime("%d-%b-%Y %H:%M:%S"), self.zone_name))
            .unwrap_or_default()
    }

    /// Day and time to the second, without the zone: the page says it once.
    pub(crate) fn seconds(&self, micros: Micros) -> String {
        self.zoned(micros).map(|at| at.strftime("%d-%b-%Y %H:%M:%S").to_string()).unwrap_or_default()
    }

    /// The zone in which times are shown.
    pub(crate) fn zone_name(&self) -> &str {
        &self.zone_name
    }

    /// For `datetime` attributes.
    pub(crate) fn machine(&self, micros: Micros) -> String {
        Timestamp::from_microsecond(micros).map(|t| t.to_string()).unwrap_or_default()
    }

    /// Today in the tenant's zone, for ages.
    pub(crate) fn today(&self) -> Parts {
        let Some(now) = self.zoned(self.now) else { return sallyport_clinical::date::utc_parts(self.now) };
        Parts {
            year: i32::from(now.year()),
            month: u8::try_from(now.month()).ok(),
            day: u8::try_from(now.day()).ok(),
            ..Parts::default()
        }
    }

    fn zoned(&self, micros: Micros) -> Option<jiff::ZonedDateTime> {
        Some(Timestamp::from_microsecond(micros).ok()?.to_zoned_datetime(self.zone.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc_where_the_zone_is_unknown() {
        let at = 1_773_324_120_000_000; // 2026-03-12T14:02:00Z
        let times = Times::new("Nowhere/Land", at);
        assert_eq!(times.clock(at), "14:02");
        assert_eq!(times.full(at), "12-Mar-2026 14:02:00 UTC");
        assert_eq!(times.clock(at - 86_400_000_000), "11-Mar-2026 14:02");
        assert_eq!(times.machine(at), "2026-03-12T14:02:00Z");
    }
}
