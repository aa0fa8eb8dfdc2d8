//! When a job may work: off-peak windows and blackout dates, in the tenant's time zone.

use std::str::FromStr;

use jiff::{ToSpan, civil::Date};
use sallyport_model::Micros;

use super::Zone;

/// How far ahead an opening is looked for, in days: blackout dates can close a year, not two.
const LOOK_AHEAD_DAYS: i32 = 400;

/// The minutes of a day.
const DAY: u16 = 24 * 60;

/// Like `Mon-Fri 22:00-05:00`; one that ends before it starts goes on into the next day.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    /// Monday first: on which days it starts.
    days: [bool; 7],
    /// In minutes of the day; `end` is not in it.
    start: u16,
    end: u16,
}

/// Why a job may not work at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// When it may again; the same moment as asked for plus the look-ahead where no opening was found.
    pub until: Micros,
}

/// Windows and blackout dates together. Without windows a job may work at any time of a day that is not blacked out.
#[derive(Debug, Clone, Default)]
pub struct Hours {
    windows: Vec<Window>,
    blackout: Vec<Date>,
}

impl Hours {
    /// From the file's words. The error is the end of a sentence for an operator.
    pub(super) fn parse(windows: &[String], blackout: &[toml::value::Datetime]) -> Result<Self, String> {
        let windows = windows.iter().map(|text| text.parse()).collect::<Result<_, String>>()?;
        let date = |day: &toml::value::Datetime| -> Option<Date> {
            let date = day.date.filter(|_| day.time.is_none() && day.offset.is_none())?;
            let part = |n: u8| i8::try_from(n).ok();
            Date::new(i16::try_from(date.year).ok()?, part(date.month)?, part(date.day)?).ok()
        };
        let blackout = blackout
            .iter()
            .map(|day| date(day).ok_or_else(|| format!("has a blackout \"{day}\" that is not a date")))
            .collect::<Result<_, _>>()?;
        Ok(Self { windows, blackout })
    }

    /// Whether a job may work at that moment.
    ///
    /// # Errors
    /// [`Closed`], with the next opening.
    pub fn check(&self, moment: Micros, zone: &Zone) -> Result<(), Closed> {
        if self.is_open(moment, zone) {
            return Ok(());
        }
        let far = moment.saturating_add(i64::from(LOOK_AHEAD_DAYS) * 86_400 * 1_000_000);
        Err(Closed { until: self.next_opening(moment, zone).unwrap_or(far) })
    }

    fn is_open(&self, moment: Micros, zone: &Zone) -> bool {
        let Some(at) = zone.at(moment) else { return false };
        let today = at.date();
        if self.blackout.contains(&today) {
            return false;
        }
        let minute = u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or(0);
        let day = usize::try_from(today.weekday().to_monday_zero_offset()).unwrap_or(0);
        self.windows.is_empty() || self.windows.iter().any(|window| window.holds(day, minute))
    }

    /// Openings lie at midnights and at the starts of windows.
    fn next_opening(&self, moment: Micros, zone: &Zone) -> Option<Micros> {
        let today = zone.at(moment)?.date();
        let mut starts: Vec<u16> = self.windows.iter().map(|window| window.start).collect();
        starts.push(0);
        starts.sort_unstable();
        starts.dedup();
        for ahead in 0..LOOK_AHEAD_DAYS {
            let day = today.checked_add(ahead.days()).ok()?;
            for start in &starts {
                let part = |n: u16| i8::try_from(n).unwrap_or(0);
                let candidate = zone.moment(day.at(part(start / 60), part(start % 60), 0, 0))?;
                if candidate > moment && self.is_open(candidate, zone) {
                    return Some(candidate);
                }
            }
        }
        None
    }

    /// Whether there is anything to keep to.
    pub fn is_always(&self) -> bool {
        self.windows.is_empty() && self.blackout.is_empty()
    }
}

impl Window {
    /// `day` counts from Monday.
    fn holds(&self, day: usize, minute: u16) -> bool {
        let starts_on = |day: usize| self.days.get(day % 7).copied().unwrap_or(false);
        if self.start < self.end {
            return starts_on(day) && (self.start..self.end).contains(&minute);
        }
        (starts_on(day) && minute >= self.start) || (starts_on(day + 6) && minute < self.end)
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("has a window \"{text}\" that is not like \"Mon-Fri 22:00-05:00\"");
        let (days, hours) = text.split_once(' ').ok_or_else(wrong)?;
        let (start, end) = hours.split_once('-').ok_or_else(wrong)?;
        let (start, end) = (minute_of(start).ok_or_else(wrong)?, minute_of(end).ok_or_else(wrong)?);
        if start == end || start == DAY {
            return Err(wrong());
        }
        let mut window = Self { days: [false; 7], start, end: if end == 0 { DAY } else { end } };
        for part in days.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day_of(first).ok_or_else(wrong)?, day_of(last).ok_or_else(wrong)?);
            let span = (last + 7 - first) % 7;
            for day in 0..=span {
                if let Some(is_in) = window.days.get_mut((first + day) % 7) {
                    *is_in = true;
                }
            }
        }
        Ok(window)
    }
}

/// `05:00`, up to `24:00`.
fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let is_two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !is_two(hour) || !is_two(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY).then_some(total)
}

/// Counted from Monday.
fn day_of(text: &str) -> Option<usize> {
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].iter().position(|day| *day == text)
}
