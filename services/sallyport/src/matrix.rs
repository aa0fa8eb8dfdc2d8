//! `sallyport matrix`: what of a tenant's EHRs this version was tried with. The answer is the compatibility matrix of the
//! build (`docs/compatibility.json`), which the contract suite wrote.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Context;
use sallyport_model::TenantId;
use sallyport_registry::Endpoint;
use serde::{Deserialize, Serialize};

use crate::{check, cli::MatrixArgs, config};

const MATRIX: &str = include_str!("../../../docs/compatibility.json");

/// Not everything is verified.
const NOT_WHOLE: u8 = 3;

/// A cell, as far as it is told here.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Cell {
    vendor: String,
    feature: String,
    resource: String,
    interaction: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    test: String,
    mapping: String,
    version: String,
    since: String,
}

/// What is known of one endpoint.
#[derive(Debug, Serialize)]
struct Known<'m> {
    endpoint: String,
    vendor: String,
    /// The mapping to which it is pinned.
    mapping: String,
    /// All of it was tried with this version and this mapping, and is verified.
    is_verified: bool,
    cells: Vec<&'m Cell>,
    /// What of the product no vendor says and nobody has seen: its cells stand on what it is taken to be.
    unverified: Vec<&'static str>,
}

/// `sallyport matrix`.
///
/// # Errors
/// A configuration that cannot be read, or a tenant that is not in it.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub fn run(args: &MatrixArgs) -> anyhow::Result<ExitCode> {
    let config = config::load(args.place.config.as_deref())?;
    let registry = check::tenants(&config, &args.place)?;
    let id = TenantId::parse(&args.tenant).context("that is not a tenant's id")?;
    let tenant =
        registry.tenant(&id).with_context(|| format!("there is no tenant {id} in the tenants' files"))?;
    let cells: Vec<Cell> = serde_json::from_str(MATRIX).context("the matrix of this build")?;
    let matrix = by_vendor(&cells);
    let known: Vec<Known<'_>> = tenant.endpoints.iter().map(|endpoint| of(endpoint, &matrix)).collect();
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&known)?),
        false => known.iter().for_each(|known| print!("{}", story(known))),
    }
    let is_whole = known.iter().all(|known| known.is_verified);
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(NOT_WHOLE) })
}

/// Cells by the vendor profile under which they were found.
type Matrix<'m> = BTreeMap<&'m str, Vec<&'m Cell>>;

fn by_vendor(cells: &[Cell]) -> Matrix<'_> {
    let mut matrix = Matrix::new();
    for cell in cells {
        matrix.entry(cell.vendor.as_str()).or_default().push(cell);
    }
    matrix
}

fn of<'m>(endpoint: &Endpoint, matrix: &Matrix<'m>) -> Known<'m> {
    let mapping = endpoint.mapping.to_string();
    let open = sallyport_vendors::page::open_questions(endpoint.behaviour.known());
    let cells = matrix.get(endpoint.vendor.as_str()).cloned().unwrap_or_default();
    let is_current = |cell: &&&Cell| cell.mapping == mapping && cell.version == env!("CARGO_PKG_VERSION");
    let verified = cells.iter().filter(is_current).filter(|cell| cell.state == "verified").count();
    Known {
        endpoint: endpoint.id.to_string(),
        vendor: endpoint.vendor.to_string(),
        mapping,
        is_verified: !cells.is_empty() && verified == cells.len(),
        cells,
        unverified: open.into_iter().map(|(fact, _)| fact).collect(),
    }
}

fn story(known: &Known<'_>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let Known { endpoint, vendor, mapping, cells, .. } = known;
    let mut text = match cells.as_slice() {
        [] => format!("{endpoint} ({vendor}): the contract suite has not tried this product\n"),
        _ => {
            let verified = cells.iter().filter(|cell| cell.state == "verified").count();
            format!(
                "{endpoint} ({vendor}): {verified} of {} verified with version {version}, mapping {mapping}\n",
                cells.len()
            )
        }
    };
    if cells.iter().any(|cell| cell.mapping != *mapping) {
        text.push_str("  tried with another mapping than the endpoint is pinned to\n");
    }
    for cell in cells.iter().filter(|cell| cell.state != "verified") {
        let Cell { state, interaction, resource, .. } = cell;
        text.push_str(&format!("  {state:<12} {interaction} {resource}"));
        if let Some(why) = &cell.why {
            text.push_str(&format!(": {why}"));
        }
        text.push('\n');
    }
    if !known.unverified.is_empty() {
        text.push_str(&format!("  unverified   of the product itself: {}\n", known.unverified.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(vendor: &str, state: &str) -> Cell {
        let text = |text: &str| text.to_owned();
        Cell {
            vendor: text(vendor),
            feature: text("patient-summary"),
            resource: text("Condition"),
            interaction: text("search"),
            state: text(state),
            why: (state != "verified").then(|| text("5 of 7 came; told: partial.short_read")),
            test: text("contract::a"),
            mapping: text("2026.1"),
            version: text(env!("CARGO_PKG_VERSION")),
            since: text("2026-01-01"),
        }
    }

    fn endpoint() -> Endpoint {
        let (path, text) = crate::dev_tenant::file("http://127.0.0.1:1", "epic").unwrap();
        let registry = sallyport_registry::Registry::from_texts(&[(path, text)]).unwrap();
        registry.tenants()[0].endpoints[0].clone()
    }

    #[test]
    fn a_product_is_verified_when_each_of_its_cells_is() {
        let good = [cell("epic", "verified"), cell("oracle", "degraded")];
        assert!(of(&endpoint(), &by_vendor(&good)).is_verified, "another product's cells are not its own");
        let worse = [cell("epic", "verified"), cell("epic", "degraded")];
        let known = of(&endpoint(), &by_vendor(&worse));
        assert!(!known.is_verified);
        let text = story(&known);
        assert!(
            text.contains("1 of 2 verified") && text.contains("degraded     search Condition: 5 of 7"),
            "{text}"
        );
        assert!(text.contains("unverified   of the product itself: "), "{text}");
    }

    #[test]
    fn what_was_tried_with_another_mapping_or_not_at_all_is_not_verified() {
        let old = [Cell { mapping: "2025.1".to_owned(), ..cell("epic", "verified") }];
        assert!(!of(&endpoint(), &by_vendor(&old)).is_verified);
        assert!(!of(&endpoint(), &by_vendor(&[])).is_verified);
        assert!(story(&of(&endpoint(), &by_vendor(&[]))).contains("has not tried"));
    }

    #[test]
    fn the_matrix_of_this_build_can_be_read() {
        let cells: Vec<Cell> = serde_json::from_str(MATRIX).unwrap();
        assert!(cells.iter().all(|cell| !cell.test.is_empty()), "a cell without a test cannot be");
    }
}
