//! The smallest pieces: values and why they are absent, dates, states as icon and word, links to the source.

use std::borrow::Cow;

use maud::{Markup, html};
use sallyport_clinical::{
    banner::PersonName,
    concept::Concept,
    date::{Date, Precision, When},
    observations::{Flag, Level, ObservationValue, Quantity},
    value::Value,
};

/// How a state looks. Colour never stands alone: each has an icon and a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Critical,
    Warning,
    Good,
    Information,
    Quiet,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Good => "good",
            Self::Information => "information",
            Self::Quiet => "quiet",
        }
    }
}

/// An icon: decoration, always beside a word.
pub(crate) fn icon(tone: Tone) -> Markup {
    let shape = match tone {
        Tone::Critical => "M5 1h6l4 4v6l-4 4H5l-4-4V5zM7 4v5h2V4zm0 6v2h2v-2z",
        Tone::Warning => "M8 1l7.5 14H.5zM7 6v4h2V6zm0 5v2h2v-2z",
        Tone::Good => {
            "M8 .5a7.5 7.5 0 1 1 0 15 7.5 7.5 0 0 1 0-15zM6.9 9L5 7.1 3.6 8.5 6.9 11.800 12.500 6.200 11.100 4.800z"
        }
        Tone::Information => "M8 .5a7.5 7.5 0 1 1 0 15 7.5 7.500 0 0 1 0-15zM7 7v5h2V7zm0-3v2h2V4z",
        Tone::Quiet => "M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3zm0 2a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
    };
    html! { svg.icon viewBox="0 0 16 16" width="12" height="12" aria-hidden="true" { path fill-rule="evenodd" d=(shape) {} } }
}

/// A state: icon and word.
pub(crate) fn badge(tone: Tone, word: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (icon(tone)) bdi { (word) } } }
}

/// Text from the EHR, isolated in its own direction of writing.
pub(crate) fn said(text: &str) -> Markup {
    html! { bdi { (plain(text)) } }
}

/// Text without the characters that override the direction of writing: they could show digits in another order than they
/// were sent. Each is shown as the sign for what cannot be shown.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(is_override) {
        Cow::Owned(text.replace(is_override, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Embeddings, overrides and isolates (Unicode UAX #9); plain left-to-right and right-to-left marks are harmless.
pub(crate) fn is_override(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What stands in a value's place.
pub(crate) fn absent(words: &str) -> Markup {
    html! { span.absent { (words) } }
}

/// A thing that can be shown in a line.
pub(crate) trait Shows {
    fn show(&self) -> Markup;
}

impl Shows for String {
    fn show(&self) -> Markup {
        said(self)
    }
}

impl Shows for Concept {
    fn show(&self) -> Markup {
        said(&self.name)
    }
}

impl Shows for PersonName {
    fn show(&self) -> Markup {
        said(&self.display)
    }
}

impl Shows for Date {
    fn show(&self) -> Markup {
        if self.precision == Precision::Text {
            return said(&self.original);
        }
        let zone = self.zone_text().map(|zone| format!("{} {zone}", self.full_text()));
        html! { time datetime=(self.original) title=[zone] { (self.day_text()) } }
    }
}

impl Shows for When {
    fn show(&self) -> Markup {
        html! {
            @match (&self.start, &self.end, &self.text) {
                (Some(start), Some(end), _) if start.day_text() == end.day_text() => (start.show()),
                (Some(start), Some(end), _) => { (start.show()) " to " (end.show()) },
                (Some(start), None, _) => (start.show()),
                (None, Some(end), _) => { "until " (end.show()) },
                (None, None, Some(text)) => (said(text)),
                (None, None, None) => (absent("Not known")),
            }
        }
    }
}

impl Shows for Quantity {
    fn show(&self) -> Markup {
        let (number, shortened) = number_text(&self.value);
        let full = shortened.then(|| plain(&self.to_string()).into_owned());
        html! {
            span.quantity title=[full] {
                @if let Some(comparator) = &self.comparator { (said(comparator)) " " }
                b { (number) }
                @if let Some(unit) = self.unit_text() { " " (unit_of(unit)) }
            }
        }
    }
}

impl Shows for ObservationValue {
    fn show(&self) -> Markup {
        match self {
            Self::Quantity { quantity } => quantity.show(),
            Self::BloodPressure { systolic, diastolic } => {
                let number = |q: &Option<Quantity>| {
                    q.as_ref().map_or("Not known".to_owned(), |q| number_text(&q.value).0)
                };
                let unit = systolic.as_ref().or(diastolic.as_ref()).and_then(Quantity::unit_text);
                html! {
                    span.quantity {
                        b { (number(systolic)) "/" (number(diastolic)) }
                        @if let Some(unit) = unit { " " (unit_of(unit)) }
                    }
                }
            }
            Self::Text { text } => said(text),
            Self::Concept { concept } => concept.show(),
            Self::Boolean { value } => html! { (if *value { "Yes" } else { "No" }) },
            Self::Time { when } => when.show(),
            Self::Samples => html! { "A recorded curve; open it in the EHR" },
        }
    }
}

impl Shows for Flag {
    fn show(&self) -> Markup {
        flag(self)
    }
}

/// A unit is not broken, unless it is a text.
fn unit_of(unit: &str) -> Markup {
    html! { span.unit.whole[unit.len() <= 16] { (said(unit)) } }
}

/// A flag: arrow or sign, and word.
pub(crate) fn flag(flag: &Flag) -> Markup {
    let (tone, sign) = match flag.level {
        Level::Normal => (Tone::Quiet, ""),
        Level::Low => (Tone::Warning, "▼"),
        Level::High => (Tone::Warning, "▲"),
        Level::Abnormal => (Tone::Warning, "◆"),
        Level::CriticalLow => (Tone::Critical, "▼▼"),
        Level::CriticalHigh => (Tone::Critical, "▲▲"),
        Level::CriticalAbnormal => (Tone::Critical, "◆◆"),
        Level::Other => (Tone::Information, "●"),
    };
    let how = flag.is_computed.then_some("By comparison with the range sent; the EHR sent no flag");
    html! {
        span class={ "flag " (tone.class()) } title=[how] {
            @if !sign.is_empty() { span aria-hidden="true" { (sign) } " " }
            (said(&flag.word))
        }
    }
}

/// A value or the words in its place.
pub(crate) fn value<T: Shows>(value: &Value<T>) -> Markup {
    match value.known_or_words() {
        Ok(known) => known.show(),
        Err(words) => absent(words),
    }
}

/// A value that may not have been sent at all: then nothing.
pub(crate) fn optional<T: Shows>(maybe: &Option<Value<T>>) -> Option<Markup> {
    maybe.as_ref().map(value)
}

/// A code of FHIR in words: `on-hold` → `On hold`.
pub(crate) fn code_words(code: &str) -> String {
    let spaced = code.replace('-', " ");
    let mut characters = spaced.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => spaced,
    }
}

/// The longest number shown in a row as it is.
const LONGEST_NUMBER: usize = 10;

/// A number for a row. One longer than ten characters is a machine's (37.89776707955285): it is rounded, marked with `≈`,
/// and stands in full on hover and in its source. Tells whether it was shortened.
pub(crate) fn number_text(number: &str) -> (String, bool) {
    let plain = number.parse::<f64>().ok().filter(|n| n.is_finite() && n.abs() < 1e9);
    let has_fraction = number.contains('.') && !number.contains(['e', 'E']);
    match plain {
        Some(n) if number.len() > LONGEST_NUMBER && has_fraction => {
            let decimals = if n.abs() >= 1.0 { 2 } else { 4 };
            (format!("≈ {n:.decimals$}"), true)
        }
        _ => (number.to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_sent_unless_a_machine_made_them() {
        for (sent, shown) in [
            ("8.10", "8.10"),
            ("1234567.890", "≈ 1234567.89"),
            ("37.89776707955285", "≈ 37.90"),
            ("0.00012345678", "≈ 0.0001"),
            ("1234567890", "1234567890"),
            ("12345678901234", "12345678901234"),
            ("1.5e3", "1.5e3"),
        ] {
            assert_eq!(number_text(sent).0, shown, "{sent}");
        }
    }

    #[test]
    fn hostile_text_is_escaped() {
        let text = said("<script>alert(1)</script>").into_string();
        assert_eq!(text, "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>");
        assert_eq!(said("\u{202e}001 gm 5").into_string(), "<bdi>\u{fffd}001 gm 5</bdi>");
    }
}
