//! Trends as inline SVG: a true time axis, the reference range as a band, straight lines between the values, nothing
//! smoothed. Every picture has its words.

use maud::{Markup, html};
use sallyport_clinical::{
    date::utc_parts,
    observations::{Level, Point, Trend},
};

use super::words::{plain, said};

/// The drawing area of a picture.
struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

const SPARK: Frame = Frame { width: 96.0, height: 24.0, left: 3.0, right: 3.0, top: 4.0, bottom: 4.0 };
const PICTURE: Frame =
    Frame { width: 560.0, height: 168.0, left: 52.0, right: 12.0, top: 12.0, bottom: 26.0 };

/// What all series of one picture share: the stretch of time and of values.
struct Scale {
    from: f64,
    to: f64,
    low: f64,
    high: f64,
}

fn number(point: &Point) -> f64 {
    point.value.parse().unwrap_or(0.0)
}

/// Microseconds as a number for drawing; the pixel is coarser than the loss.
#[expect(clippy::cast_precision_loss, reason = "a picture's pixel is minutes wide at least")]
fn time(micros: i64) -> f64 {
    micros as f64
}

impl Scale {
    fn of(trends: &[&Trend]) -> Option<Self> {
        let points = || trends.iter().flat_map(|t| t.points.iter());
        let bounds = trends.iter().filter_map(|t| t.range.as_ref());
        let bounds: Vec<f64> = bounds
            .flat_map(|r| [r.low.as_ref(), r.high.as_ref()])
            .flatten()
            .filter_map(|q| q.number())
            .collect();
        let values: Vec<f64> = points().map(number).collect();
        let (min, max) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
        let spread = (max - min).max(max.abs() * 0.02).max(1e-9);
        // A bound far from the values would press them flat: it is left outside the picture.
        let near = bounds.into_iter().filter(|b| *b >= min - 2.0 * spread && *b <= max + 2.0 * spread);
        let (low, high) = near.fold((min, max), |(a, b), v| (a.min(v), b.max(v)));
        let pad = ((high - low) * 0.08).max(spread * 0.1);
        let instants: Vec<i64> = points().map(|p| p.instant).collect();
        let (from, to) = (*instants.iter().min()?, *instants.iter().max()?);
        (from < to).then(|| Self { from: time(from), to: time(to), low: low - pad, high: high + pad })
    }

    fn x(&self, frame: &Frame, micros: i64) -> f64 {
        let share = (time(micros) - self.from) / (self.to - self.from);
        frame.left + share * (frame.width - frame.left - frame.right)
    }

    fn y(&self, frame: &Frame, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        let y = frame.height - frame.bottom - share * (frame.height - frame.top - frame.bottom);
        y.clamp(frame.top, frame.height - frame.bottom)
    }
}

fn words(trends: &[&Trend]) -> String {
    let one = |t: &&Trend| match t.part.as_str() {
        "" => t.summary.clone(),
        part => format!("{part}: {}", t.summary),
    };
    plain(&trends.iter().map(one).collect::<Vec<_>>().join("; ")).into_owned()
}

fn band(scale: &Scale, frame: &Frame, trends: &[&Trend]) -> Markup {
    let [Trend { range: Some(range), .. }] = trends else { return html! {} };
    let bound = |q: &Option<sallyport_clinical::observations::Quantity>| q.as_ref().and_then(|q| q.number());
    let bottom = bound(&range.low).map_or(frame.height - frame.bottom, |v| scale.y(frame, v));
    let top = bound(&range.high).map_or(frame.top, |v| scale.y(frame, v));
    html! {
        rect.band x=(px(frame.left)) y=(px(top)) width=(px(frame.width - frame.left - frame.right))
            height=(px((bottom - top).max(0.0))) {}
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn line(scale: &Scale, frame: &Frame, trend: &Trend) -> Markup {
    let at = |p: &Point| format!("{},{}", px(scale.x(frame, p.instant)), px(scale.y(frame, number(p))));
    let points = trend.points.iter().map(at).collect::<Vec<_>>().join(" ");
    html! { polyline.line points=(points) {} }
}

/// The small picture in a row. Empty when there is no series.
pub(crate) fn spark(trends: &[&Trend]) -> Markup {
    let Some(scale) = Scale::of(trends) else { return html! {} };
    let frame = &SPARK;
    html! {
        svg.spark viewBox=(format!("0 0 {} {}", frame.width, frame.height)) width="96" height="24" role="img" aria-label=(words(trends)) {
            (band(&scale, frame, trends))
            @for trend in trends {
                (line(&scale, frame, trend))
                @if let Some(last) = trend.points.last() {
                    circle.point cx=(px(scale.x(frame, last.instant))) cy=(px(scale.y(frame, number(last)))) r="2.5" {}
                }
            }
        }
    }
}

/// The large picture with its axes and caption; the script lets the keyboard step through its points.
pub(crate) fn picture(trends: &[&Trend]) -> Markup {
    let Some(scale) = Scale::of(trends) else { return html! {} };
    let frame = &PICTURE;
    let unit = trends.first().and_then(|t| t.unit.as_deref());
    let baseline = frame.height - frame.bottom;
    html! {
        figure.trend data-trend {
            svg.picture viewBox=(format!("0 0 {} {}", frame.width, frame.height)) role="img" aria-label=(words(trends)) {
                (band(&scale, frame, trends))
                @for tick in value_ticks(&scale) {
                    @let y = px(scale.y(frame, tick));
                    line.grid x1=(px(frame.left)) x2=(px(frame.width - frame.right)) y1=(y) y2=(y) {}
                    text.tick x=(px(frame.left - 6.0)) y=(y) dy="4" text-anchor="end" { (tick_text(tick, &scale)) }
                }
                @for (micros, label) in time_ticks(&scale) {
                    @let x = px(scale.x(frame, micros));
                    line.grid x1=(x) x2=(x) y1=(px(frame.top)) y2=(px(baseline)) {}
                    text.tick x=(x) y=(px(frame.height - 8.0)) text-anchor="middle" { (label) }
                }
                @for trend in trends {
                    (line(&scale, frame, trend))
                    @for point in &trend.points {
                        circle class={ "point " (level_class(point.level)) } cx=(px(scale.x(frame, point.instant)))
                            cy=(px(scale.y(frame, number(point)))) r="3.5" data-label=(point_words(trend, point)) {}
                    }
                }
            }
            figcaption {
                @for (index, trend) in trends.iter().enumerate() {
                    @if index > 0 { "; " }
                    @if !trend.part.is_empty() { (trend.part) ": " }
                    (said(&trend.summary))
                }
                @if let Some(unit) = unit { ". Unit " (said(unit)) }
                @if let Some(range) = trends.first().and_then(|t| t.range.as_ref()).and_then(|r| r.words()) {
                    ". The band is the reference range " (said(&range))
                }
                "."
            }
        }
    }
}

fn point_words(trend: &Trend, point: &Point) -> String {
    let unit = trend.unit.as_deref().map(|u| format!(" {u}")).unwrap_or_default();
    let part = if trend.part.is_empty() { String::new() } else { format!("{} ", trend.part) };
    let flag = point
        .level
        .filter(|l| !matches!(l, Level::Normal | Level::Other))
        .map(|l| format!(", {}", l.word().to_lowercase()));
    plain(&format!("{}: {part}{}{unit}{}", point.date.day_text(), point.value, flag.unwrap_or_default()))
        .into_owned()
}

fn level_class(level: Option<Level>) -> &'static str {
    match level {
        Some(Level::CriticalLow | Level::CriticalHigh | Level::CriticalAbnormal) => "critical",
        Some(Level::Low | Level::High | Level::Abnormal) => "warning",
        Some(Level::Normal | Level::Other) | None => "",
    }
}

/// Three to six round numbers.
fn value_ticks(scale: &Scale) -> Vec<f64> {
    let step = value_step(scale);
    let mut ticks = Vec::new();
    let mut tick = (scale.low / step).ceil() * step;
    while tick <= scale.high && ticks.len() < 8 {
        ticks.push(tick);
        tick += step;
    }
    ticks
}

/// About five steps over the picture's height.
fn value_step(scale: &Scale) -> f64 {
    round_step((scale.high - scale.low) / 5.0)
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.max(1e-12).log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| rough <= f * power).unwrap_or(10.0);
    factor * power
}

fn tick_text(tick: f64, scale: &Scale) -> String {
    let step = value_step(scale);
    let decimals = if step >= 1.0 {
        0
    } else if step >= 0.1 {
        1
    } else if step >= 0.01 {
        2
    } else {
        4
    };
    format!("{tick:.decimals$}")
}

/// Starts of years, or of months where the series is shorter than two years; at most six.
#[expect(clippy::cast_possible_truncation, reason = "instants came from i64 and lie between two of them")]
fn time_ticks(scale: &Scale) -> Vec<(i64, String)> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (from, to) = (utc_parts(scale.from as i64), utc_parts(scale.to as i64));
    let months = |p: &sallyport_clinical::date::Parts| p.year * 12 + i32::from(p.month.unwrap_or(1)) - 1;
    let span = months(&to) - months(&from);
    let step = [1, 2, 3, 6, 12, 24, 60, 120, 240].into_iter().find(|s| span / s <= 5).unwrap_or(600);
    let mut ticks = Vec::new();
    let mut month = (months(&from) + 1).div_euclid(step) * step;
    while month <= months(&to) && ticks.len() < 12 {
        let (year, index) = (month.div_euclid(12), month.rem_euclid(12));
        let micros = sallyport_clinical::date::days_from_epoch(year, u8::try_from(index + 1).unwrap_or(1), 1)
            * 86_400_000_000;
        let name = usize::try_from(index).ok().and_then(|i| MONTHS.get(i)).copied().unwrap_or("");
        let label = if step >= 12 { format!("{year}") } else { format!("{name} {year}") };
        if time(micros) >= scale.from && time(micros) <= scale.to {
            ticks.push((micros, label));
        }
        month += step;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let scale = Scale { from: 0.0, to: 1.0, low: 6.7, high: 8.3 };
        assert_eq!(
            value_ticks(&scale).iter().map(|t| tick_text(*t, &scale)).collect::<Vec<_>>(),
            ["7.0", "7.5", "8.0"]
        );
        assert_eq!((round_step(0.3), round_step(17.0), round_step(1.0)), (0.5, 20.0, 1.0));
    }

    #[test]
    fn the_time_axis_is_marked_with_years_over_years_and_months_over_months() {
        let at =
            |year, month| time(sallyport_clinical::date::days_from_epoch(year, month, 5) * 86_400_000_000);
        let labels = |from, to| {
            let scale = Scale { from, to, low: 0.0, high: 1.0 };
            time_ticks(&scale).into_iter().map(|(_, label)| label).collect::<Vec<_>>()
        };
        assert_eq!(labels(at(2022, 6), at(2026, 3)), ["2023", "2024", "2025", "2026"]);
        assert_eq!(labels(at(2026, 1), at(2026, 4)), ["Feb 2026", "Mar 2026", "Apr 2026"]);
    }
}
