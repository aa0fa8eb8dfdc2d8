//! `conformance RESULTS [--check]`, `compatibility ROWS [--check]` and `assurance REPORTS [--check]`: see the scripts of
//! the same names.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, bail};
use sallyport_test_pages::{assurance, compatibility, conformance, keep, root};

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["conformance", results, rest @ ..] if rest.is_empty() || rest == ["--check"] => {
            let table = conformance::table::Table::read()?;
            let results = conformance::results::Results::read(Path::new(results))?;
            table.judge(&results)?;
            keep("CONFORMANCE.md", &conformance::page::render(&table), !rest.is_empty())?;
        }
        ["compatibility", rows, rest @ ..] if rest.is_empty() || rest == ["--check"] => {
            let matrix = compatibility::Matrix::committed()?.with(compatibility::found(Path::new(rows))?);
            matrix.judge(&std::fs::read_to_string(root().join("CHANGELOG.md"))?)?;
            keep("compatibility.json", &matrix.json()?, !rest.is_empty())?;
            keep("COMPATIBILITY.md", &matrix.page(), !rest.is_empty())?;
        }
        ["assurance", reports] => {
            let page = assurance::render(&assurance::read(Path::new(reports))?)?;
            keep("ASSURANCE.md", &page, false)?;
        }
        ["assurance", reports, "--check"] => {
            assurance::check(&assurance::render(&assurance::read(Path::new(reports))?)?)
                .context("this run")?;
            assurance::check(&assurance::committed()?).context("the committed page")?;
        }
        _ => bail!(
            "usage: conformance RESULTS [--check] | compatibility ROWS [--check] | assurance REPORTS [--check]"
        ),
    }
    Ok(ExitCode::SUCCESS)
}
