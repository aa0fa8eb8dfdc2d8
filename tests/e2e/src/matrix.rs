//! Who may call what, in whose name, and in which state: every method of every contract, called as every service, in
//! this process and over mutual TLS.

mod asking;
mod console;
mod expired;
mod page;
mod rows;
mod scene;
mod writes;

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use prost::Message;
use sallyport_model::ServiceName;

use asking::{Ask, Way};
pub use console::console_holds;
pub use expired::sessions_that_ran_out_open_nothing;
pub use page::page;
use rows::{Case, ROWS, Row};
use scene::Scene;

/// What a caller that is not on a method's list is told.
const DENIED: &str = "rpc.caller_denied";

/// Every method in the compiled contracts.
///
/// # Errors
/// When the descriptors cannot be read.
pub fn methods() -> anyhow::Result<BTreeSet<String>> {
    let set = prost_types::FileDescriptorSet::decode(sallyport_proto::DESCRIPTORS)?;
    let mut found = BTreeSet::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let (package, service, method) = (file.package(), service.name(), method.name());
                found.insert(format!("/{package}.{service}/{method}"));
            }
        }
    }
    ensure!(found.len() > 10, "only {} methods were found", found.len());
    Ok(found)
}

/// Every method has one row, and no row is of a method that does not exist.
///
/// # Errors
/// Which are missing.
pub fn every_method_has_a_row() -> anyhow::Result<()> {
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.method.to_owned()).collect();
    ensure!(rows.len() == ROWS.len(), "a method has two rows");
    let methods = methods()?;
    let differ: Vec<_> = methods.symmetric_difference(&rows).collect();
    ensure!(differ.is_empty(), "methods without a row, or rows without a method: {differ:?}");
    Ok(())
}

/// The whole matrix against a running instance.
///
/// # Errors
/// Every cell that is not as its row says.
pub async fn holds() -> anyhow::Result<usize> {
    let scene = Scene::open().await?;
    let mut wrong = Vec::new();
    let mut cells = 0;
    for row in ROWS {
        let lists = scene.allow_list(row.method).context(row.method)?;
        if lists.iter().collect::<BTreeSet<_>>() != row.callers.iter().collect() {
            wrong.push(format!("{}: the service's own list is {lists:?}", row.method));
        }
    }
    let before = scene.state().await?;
    for (row, caller) in ROWS.iter().flat_map(|row| ServiceName::ALL.map(|caller| (row, caller))) {
        if row.callers.contains(&caller) {
            continue;
        }
        for way in Way::ALL {
            cells += 1;
            let answer = scene.ask(way, caller, row.method, (row.harm)(&scene.facts)).await?;
            if answer.code != DENIED {
                wrong.push(format!("{} by {} {way:?}: {}", row.method, caller.as_str(), answer.code));
            }
        }
    }
    let after = scene.state().await?;
    ensure!(before == after, "denied calls had an effect: {before:?} became {after:?}");
    for (row, caller) in ROWS.iter().flat_map(|row| row.callers.iter().map(move |caller| (row, *caller))) {
        for way in Way::ALL {
            for case in row.cases {
                cells += 1;
                if let Some(fault) = judge(&scene, way, caller, row, case).await? {
                    wrong.push(fault);
                }
            }
        }
    }
    let last = scene.state().await?;
    ensure!(after == last, "calls in another's name had an effect: {after:?} became {last:?}");
    scene.close().await?;
    ensure!(wrong.is_empty(), "{} of {cells} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(cells)
}

async fn judge(
    scene: &Scene,
    way: Way,
    caller: ServiceName,
    row: &Row,
    case: &Case,
) -> anyhow::Result<Option<String>> {
    let ask: Ask = (case.ask)(&scene.facts);
    let answer = scene.ask(way, caller, row.method, ask).await?;
    let cell = format!("{} by {} {way:?}, {}", row.method, caller.as_str(), case.state);
    if answer.code != case.expect {
        return Ok(Some(format!("{cell}: {} instead of {}", answer.code, case.expect)));
    }
    // What is of another tenant is in no answer, whatever its code.
    let leaks = case.is_foreign && scene.facts.is_in(&answer.message);
    Ok(leaks.then(|| format!("{cell}: the answer holds what is another's")))
}
