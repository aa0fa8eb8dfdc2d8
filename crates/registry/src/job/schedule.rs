//! When a job starts: cron in the tenant's time zone. The search runs on `jiff`'s calendar, so that a day on which clocks
//! change starts a job once: an hour that is skipped is made up for at the first moment after it, and of a repeated hour only
//! what the pattern asks for by the clock on the wall counts (croner's rules, as Vixie cron's).

use std::{cmp::Ordering, str::FromStr};

use croner::{
    CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    SignedDuration, Timestamp, ZonedDateTime,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};
use sallyport_model::Micros;

/// A tenant's time zone.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// An IANA zone such as `America/New_York`.
    pub fn parse(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// How many minutes this zone's clocks are ahead of UTC at a moment.
    pub fn minutes_ahead(&self, micros: Micros) -> i32 {
        self.at(micros).map_or(0, |moment| moment.offset().seconds().div_euclid(60))
    }

    /// A moment on this zone's calendar; `None` outside the years -9999 to 9999.
    pub(super) fn at(&self, micros: Micros) -> Option<ZonedDateTime> {
        Timestamp::from_microsecond(micros).ok().map(|moment| moment.to_zoned_datetime(self.0.clone()))
    }

    /// The moment at which this zone's clocks show that; for an hour that is skipped, the first moment after it.
    pub(super) fn moment(&self, civil: DateTime) -> Option<Micros> {
        let zoned = self.0.to_ambiguous_zoned_datetime(civil).compatible().ok()?;
        Some(zoned.timestamp().as_microsecond())
    }
}

/// Five fields: minute, hour, day of month, month, day of week.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    cron: Cron,
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|reason| reason.to_string())?;
        Ok(Self { text: text.to_owned(), cron })
    }
}

impl Schedule {
    /// As it stands in the file.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first start after that moment; `None` when there is none any more.
    pub fn after(&self, moment: Micros, zone: &Zone) -> Option<Micros> {
        let from = Moment(zone.at(moment)?);
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        Some(next.0.timestamp().as_microsecond())
    }
}

/// `jiff`'s zoned time for the search.
#[derive(Clone)]
struct Moment(ZonedDateTime);

impl CronDateTime for Moment {
    fn to_civil(&self) -> CivilDateTime {
        let at = self.0.datetime();
        let date = CivilDate::from_ymd_opt(i32::from(at.year()), unsigned(at.month()), unsigned(at.day()));
        let time = CivilTime::from_hms_opt(unsigned(at.hour()), unsigned(at.minute()), unsigned(at.second()));
        CivilDateTime::new(
            date.expect("a date of one calendar is one of the other"),
            time.expect("a time of day of one calendar is one of the other"),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(unsigned(self.0.weekday().to_sunday_zero_offset()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let year = i16::try_from(civil.year()).map_err(|_range| CronError::InvalidDate)?;
        let [month, day, hour, minute, second] =
            [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()]
                .map(|part| i8::try_from(part).unwrap_or(i8::MAX));
        let at = DateTime::new(year, month, day, hour, minute, second, 0)
            .map_err(|_range| CronError::InvalidDate)?;
        let found = self.0.time_zone().to_ambiguous_zoned_datetime(at);
        let known = |zoned: Result<ZonedDateTime, jiff::Error>| {
            zoned.map(Self).map_err(|_range| CronError::InvalidTime)
        };
        Ok(match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(known(found.unambiguous())?),
            AmbiguousOffset::Fold { .. } => {
                Resolution::Ambiguous(known(found.clone().earlier())?, known(found.later())?)
            }
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}

/// Parts of a date are never negative.
fn unsigned(part: i8) -> u32 {
    u32::from(part.unsigned_abs())
}
