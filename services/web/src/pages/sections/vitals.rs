//! Vital signs on the summary: the latest of each kind as a tile with its run over time.

use maud::{Markup, html};
use sallyport_clinical::observations::{Observation, Observations};

use super::{Drawn, Extent, observations};
use crate::{
    domain::view::View,
    pages::{
        trend,
        words::{absent, flag, value},
    },
};

pub(super) fn tiles(view: &View, extent: Extent, all: &Observations) -> Drawn {
    let latest = observations::latest_of_each(all, true);
    let hidden = latest.len().saturating_sub(extent.rows);
    let body = html! {
        @if latest.is_empty() { p.state.empty { "No vital sign is recorded in the EHR." } }
        @else { ul.tiles { @for item in latest.iter().take(extent.rows) { (tile(view, all, item)) } } }
    };
    Drawn { body, count: latest.len(), rest: (hidden > 0).then(|| format!("{hidden} more")) }
}

fn tile(view: &View, all: &Observations, item: &Observation) -> Markup {
    let trends: Vec<_> = all.trends.iter().filter(|t| t.key == item.key).collect();
    html! {
        li.tile {
            details name="origin" {
                summary {
                    span.tile-name { (observations::short_name(item)) }
                    span.tile-value {
                        (observations::finding(item)) " "
                        @if let Some(found) = item.flag.as_ref().and_then(|f| f.value.as_ref()) { (flag(found)) }
                    }
                    (trend::spark(&trends))
                    span.tile-when { @match &item.when { Some(when) => (value(when)), None => (absent("Date not known")) } }
                }
                (observations::origin(view, item, &trends))
            }
        }
    }
}
