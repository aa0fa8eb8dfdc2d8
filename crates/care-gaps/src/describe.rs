//! The measures in words, for the documentation: what each asks, from the rules themselves.

use std::fmt::Write as _;

use crate::rules::{Criterion, Found, Measure, Period, RuleSet, SameDay, Sex, Test, Timing, Window};

/// The page about the measures, in Markdown.
pub fn page(rules: &RuleSet) -> String {
    let files = include_str!("describe/files.txt");
    [include_str!("describe/intro.txt"), "## The measures that ship\n\n", &markdown(rules), files].concat()
}

/// A table of the measures and one part for each, in Markdown.
pub fn markdown(rules: &RuleSet) -> String {
    let mut page = String::from("| measure | published as | who | asks for |\n|---|---|---|---|\n");
    for measure in &rules.measures {
        let published = &measure.publication;
        let _ = writeln!(
            page,
            "| [{}](#{}) | {} ({}), {}, {} | {} | {} |",
            measure.title,
            measure.id,
            published.name,
            published.numbers.join(", "),
            published.steward,
            published.year,
            who(measure),
            asks(&measure.requirement)
        );
    }
    for measure in &rules.measures {
        part(&mut page, measure);
    }
    page
}

fn part(page: &mut String, measure: &Measure) {
    let published = &measure.publication;
    let _ = writeln!(page, "\n### {}\n\n{}.\n", measure.id, measure.title);
    let numbers = published.numbers.join(", ");
    let _ = writeln!(
        page,
        "- **Source**: \"{}\", {numbers}, {}, for {}: <{}>",
        published.name, published.steward, published.year, published.url
    );
    let period = match measure.period {
        Period::CalendarYear => "the calendar year",
        Period::LastYear => "the year that ends with the day of judging",
    };
    let _ = writeln!(page, "- **Period**: {period}");
    let _ = writeln!(page, "- **Who**: {}", who(measure));
    let excluded: Vec<String> = measure.exclusions.iter().map(|e| asks(&e.criterion)).collect();
    let _ = writeln!(page, "- **Left out**: {}", excluded.join("; "));
    let _ = writeln!(page, "- **Asks for**: {}", asks(&measure.requirement));
    for line in &measure.left_out {
        let _ = writeln!(page, "- **Differs from the published measure**: {line}");
    }
}

fn who(measure: &Measure) -> String {
    let population = &measure.population;
    let whom = match population.sex {
        Some(Sex::Female) => "women",
        Some(Sex::Male) => "men",
        None => "patients",
    };
    let ages = match (population.from, population.to) {
        (Some(from), Some(to)) => format!(" of {from} to {to}"),
        (Some(from), None) => format!(" of {from} or more"),
        (None, Some(to)) => format!(" of {to} or less"),
        (None, None) => String::new(),
    };
    let with = population.criterion.as_ref().map_or_else(String::new, |c| format!(" with {}", asks(c)));
    let at_end = if ages.is_empty() { "" } else { " (age at the end of the period)" };
    format!("{whom}{ages}{with}{at_end}")
}

/// What a criterion looks for, in one line.
fn asks(criterion: &Criterion) -> String {
    let what = &criterion.what;
    let within = |window: &Window| match window {
        Window::Ever => ", at any time".to_owned(),
        Window::Since(step) if step.words().is_empty() => " in the period".to_owned(),
        Window::Since(step) => format!(" in the period or the {} before it", step.words()),
    };
    match &criterion.test {
        Test::Any(parts) => format!("{what} ({})", parts.iter().map(asks).collect::<Vec<_>>().join(", or ")),
        Test::All(parts) => format!("{what} ({})", parts.iter().map(asks).collect::<Vec<_>>().join(", and ")),
        Test::Age { .. } => what.clone(),
        Test::Condition { codes, timing } => {
            let when = match timing {
                Timing::During => " during the period".to_owned(),
                Timing::Ever => ", ever".to_owned(),
                Timing::StartedWithin(step) => {
                    format!(" during the period, begun before its first {} were over", step.words())
                }
            };
            format!("diagnosis \"{}\"{when}", codes.title)
        }
        Test::Found { found, codes, window } => {
            let kind = match found {
                Found::Procedure => "procedure",
                Found::Result => "result",
                Found::Done => "procedure or result",
                Found::Encounter => "visit",
            };
            format!("{kind} \"{}\"{}", codes.title, within(window))
        }
        Test::Last { limits, window, same_day } => {
            let limits: Vec<String> = limits.iter().map(|l| format!("{} {}", l.what, l.words())).collect();
            let day = match same_day {
                SameDay::Lowest => "lowest",
                SameDay::Highest => "highest",
            };
            format!("last {}{} (of several on one day the {day})", limits.join(" and "), within(window))
        }
    }
}
