//! What watches a deployment speaks of metrics that exist: the table of docs/OPERATIONS.md has every metric of the code, dashboards
//! and alerts (deploy/grafana) use names and labels of that table, and every alert has its runbook.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::workspace::{FILES, nobody, production};

/// Labels that Prometheus itself puts on what it scrapes.
const SCRAPED: [&str; 3] = ["instance", "job", "le"];

/// What a histogram's series end with.
const SERIES: [&str; 3] = ["_bucket", "_sum", "_count"];

fn read(path: &str) -> &'static str {
    FILES
        .iter()
        .find(|file| file.path == path)
        .map(|file| file.text.as_str())
        .unwrap_or_else(|| panic!("{path} is there"))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_metric(word: &str) -> bool {
    word.starts_with("sallyport_") || word.starts_with("http_server_")
}

/// Names and labels as docs/OPERATIONS.md tells them.
fn told() -> BTreeMap<String, BTreeSet<String>> {
    let page = read("docs/OPERATIONS.md");
    let mut metrics = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, names, labels, _] = cells[..] else { continue };
        for name in names.split('`').filter(|word| is_metric(word) && word.chars().all(is_name)) {
            let labels = labels.split(',').map(|label| label.trim().to_owned());
            metrics.insert(name.to_owned(), labels.filter(|label| !label.is_empty()).collect());
        }
    }
    assert!(metrics.len() > 40, "the table was not found: {}", metrics.len());
    metrics
}

/// Names that the code registers: a quoted name of ours alone in its quotes.
fn registered() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in production() {
        let text = file.text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in text.split('"').skip(1).step_by(2) {
            let word = word.split([' ', '{']).next().unwrap_or_default();
            if is_metric(word) && word.chars().all(is_name) && word.matches('_').count() > 1 {
                names.insert(histogram(word).unwrap_or(word).to_owned());
            }
        }
    }
    names
}

/// Every expression that dashboards and alerts ask, with where it stands.
fn asked() -> Vec<(String, String)> {
    let mut asked = Vec::new();
    for file in FILES.iter().filter(|file| file.path.starts_with("deploy/grafana/dashboards/")) {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let board: Value = serde_json::from_str(&file.text).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let title = panel["title"].as_str().unwrap();
                asked.push((format!("{name}: {title}"), target["expr"].as_str().unwrap().to_owned()));
            }
        }
    }
    for alert in alerts() {
        asked.push((alert.name, alert.expression));
    }
    asked
}

struct Alert {
    name: String,
    expression: String,
    runbook: String,
}

fn alerts() -> Vec<Alert> {
    let rules = read("deploy/grafana/alerts.yml");
    let alerts: Vec<Alert> = rules
        .split("- alert: ")
        .skip(1)
        .map(|rule| {
            let between = |from: &str, to: &str| {
                rule.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map_or("", |(text, _)| text)
            };
            Alert {
                name: rule.lines().next().unwrap().trim().to_owned(),
                expression: between("expr: >-", "\n        for:").to_owned(),
                runbook: between("runbook: ", "\n").to_owned(),
            }
        })
        .collect();
    assert!(alerts.len() > 25, "the rules were not found: {}", alerts.len());
    alerts
}

/// The metrics of an expression with the labels it asks of them: those in braces, and those of any `by`.
fn used(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let grouped: BTreeSet<String> = expression
        .split("by (")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .flat_map(|(labels, _)| labels.split(','))
        .map(|label| label.trim().to_owned())
        .collect();
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find(is_name) {
        let word: String = rest[at..].chars().take_while(|c| is_name(*c)).collect();
        rest = &rest[at + word.len()..];
        if !is_metric(&word) {
            continue;
        }
        let mut labels = grouped.clone();
        if let Some(within) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(w, _)| w) {
            let names = within.split('"').step_by(2);
            labels
                .extend(names.map(|n| n.trim_matches(|c| !is_name(c)).to_owned()).filter(|n| !n.is_empty()));
        }
        found.push((word, labels));
    }
    found
}

/// A histogram's own name, for one of its series.
fn histogram(name: &str) -> Option<&str> {
    SERIES.iter().find_map(|end| name.strip_suffix(end)).filter(|base| base.ends_with("_seconds"))
}

fn is_told(told: &BTreeMap<String, BTreeSet<String>>, name: &str, labels: &BTreeSet<String>) -> bool {
    let Some(known) = told.get(histogram(name).unwrap_or(name)) else { return false };
    labels.iter().all(|label| known.contains(label) || SCRAPED.contains(&label.as_str()))
}

#[test]
fn operations_tells_every_metric_of_the_code_and_no_other() {
    let told: BTreeSet<String> = told().into_keys().collect();
    let registered = registered();
    nobody("not in docs/OPERATIONS.md", registered.difference(&told).cloned());
    nobody("in docs/OPERATIONS.md and not in the code", told.difference(&registered).cloned());
}

#[test]
fn dashboards_and_alerts_ask_for_metrics_and_labels_that_exist() {
    let told = told();
    let mut wrong = Vec::new();
    for (place, expression) in asked() {
        for (name, labels) in used(&expression) {
            if !is_told(&told, &name, &labels) {
                wrong.push(format!("{place}: {name} by {labels:?}"));
            }
        }
    }
    nobody("not in docs/OPERATIONS.md", wrong);
}

#[test]
fn a_misspelt_metric_or_label_is_noticed() {
    let told = told();
    let is_known =
        |expression: &str| used(expression).iter().all(|(name, labels)| is_told(&told, name, labels));
    assert!(is_known("sum by (le) (rate(sallyport_audit_lag_seconds_bucket[5m])) > 3"));
    assert!(is_known(r#"sallyport_fhir_errors_total{code=~"ehr[.].*", tenant="a"} > 0"#));
    assert!(!is_known("sallyport_audit_lags_seconds_bucket"), "the name");
    assert!(!is_known(r#"sallyport_fhir_errors_total{status="500"}"#), "the label");
    assert!(!is_known("sum by (patient) (sallyport_fhir_errors_total)"), "the grouping");
    assert!(!is_known("sallyport_fhir_errors_total_bucket"), "a counter has no buckets");
}

#[test]
fn every_alert_has_its_runbook() {
    let page = read("docs/OPERATIONS.md");
    let alerts = alerts();
    let has_runbook = |alert: &&Alert| {
        let wanted = format!("docs/OPERATIONS.md#{}", alert.name.to_lowercase());
        alert.runbook == wanted && page.contains(&format!("\n### {}\n", alert.name))
    };
    nobody("no runbook", alerts.iter().filter(|alert| !has_runbook(alert)).map(|alert| alert.name.clone()));
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    let runbooks =
        page.lines().filter_map(|line| line.strip_prefix("### ")).filter(|n| n.starts_with("Sallyport"));
    nobody("no alert for the runbook", runbooks.filter(|name| !names.contains(name)).map(str::to_owned));
}
