//! A plan to take a run's effects back, for a person to act on.

use sallyport_proto::jobs::v1::{ProposalEffect, ReconcilePlan};

use super::print::{id_of, line, state, time};

/// The plan: what is there, and what somebody would have to do. Nothing of it is done by printing it.
pub(super) fn plan(plan: &ReconcilePlan) -> String {
    let mut out = String::new();
    let run = plan.run.clone().unwrap_or_default();
    let id = id_of(&run.run_id);
    line(&mut out, &format!("run {id} of {}/{} at {}", run.tenant, run.job, run.endpoint));
    line(&mut out, &format!("  state     {}", state(&run)));
    if matches!(run.state.as_str(), "running" | "paused") {
        line(
            &mut out,
            &format!("  first     sallyport jobs stop {id} --reason …: it is not over, and makes more"),
        );
    }
    line(
        &mut out,
        "  first     mend or switch off the job: its next run proposes what its rule finds on other evidence",
    );
    proposals(&mut out, plan, &id);
    if let Some(export) = &plan.export {
        let until = time(export.expires_at);
        let (files, resources) = (export.files, export.resources);
        line(
            &mut out,
            &format!("export ({}): {files} files, {resources} resources, kept until {until}", export.state),
        );
        line(
            &mut out,
            "  sallyport jobs erase removes it before; whoever was given the files has to be told",
        );
    }
    for kept in &plan.results {
        let until = time(kept.expires_at);
        let (kind, subjects) = (&kept.resource_type, kept.subjects);
        line(
            &mut out,
            &format!(
                "results {kind}: of {subjects} patients, {} resources, kept until {until}",
                kept.resources
            ),
        );
    }
    if !plan.results.is_empty() {
        line(&mut out, "  the next run writes over them; sallyport jobs erase removes them before");
    }
    if plan.proposals.is_empty() && plan.export.is_none() && plan.results.is_empty() {
        line(&mut out, "nothing of it is left");
    }
    out
}

fn proposals(out: &mut String, plan: &ReconcilePlan, id: &str) {
    let of = |way: &str| -> Vec<&ProposalEffect> {
        plan.proposals.iter().filter(|one| one.way_back == way).collect()
    };
    let open = of("withdraw");
    if !open.is_empty() {
        line(out, &format!("{} proposals are open: nothing was written of them", open.len()));
        line(out, &format!("  sallyport jobs reconcile {id} --withdraw --reason … withdraws them"));
    }
    let waiting = of("wait");
    if !waiting.is_empty() {
        line(out, &format!("{} approvals are under way: look again in a minute", waiting.len()));
    }
    let unknown = of("find-out");
    if !unknown.is_empty() {
        line(out, &format!("{} were approved and are not known to be written:", unknown.len()));
        for one in unknown {
            line(out, &format!("  {}  {} ({})", id_of(&one.proposal_id), one.resource_type, one.code));
        }
        line(
            out,
            "  whoever approved it opens that patient's chart, page \"Proposals\", and approves it once more: the EHR is",
        );
        line(
            out,
            "  asked first. In `sallyport audit --tenant … --reason …` the approval names the proposal's id and the patient",
        );
    }
    let written = of("undo");
    if !written.is_empty() {
        line(out, &format!("{} were written; no job undoes them, a person does, in the EHR:", written.len()));
        for one in written {
            let version =
                if one.version.is_empty() { String::new() } else { format!(" version {}", one.version) };
            let how = undo(&one.resource_type);
            line(out, &format!("  {}{version}  approved {}: {how}", one.reference, time(one.decided_at)));
        }
        line(
            out,
            "  or in a session of that patient, under a feature that may update it, based on that version (If-Match)",
        );
    }
    let over = of("nothing").len();
    if over > 0 {
        line(out, &format!("{over} were rejected, withdrawn or expired: nothing was written of them"));
    }
    if plan.has_more {
        line(out, "and more proposals than are named here");
    }
}

/// What taking a record back means, by FHIR's own states.
fn undo(resource_type: &str) -> &'static str {
    match resource_type {
        "CommunicationRequest" => {
            "set status to \"revoked\", or \"entered-in-error\" if nobody has acted on it"
        }
        "Task" => "set status to \"cancelled\", or \"entered-in-error\" if nobody has acted on it",
        _ => "set it to entered-in-error",
    }
}

#[cfg(test)]
mod tests {
    use sallyport_proto::jobs::v1::{ExportEffect, ResultEffect, Run};

    use super::*;

    fn effect(way_back: &str, reference: &str) -> ProposalEffect {
        ProposalEffect {
            proposal_id: vec![7; 16],
            resource_type: "CommunicationRequest".to_owned(),
            code: "session.revoked".to_owned(),
            decided_at: 1_700_000_000_000_000,
            reference: reference.to_owned(),
            version: if reference.is_empty() { String::new() } else { "3".to_owned() },
            way_back: way_back.to_owned(),
            ..ProposalEffect::default()
        }
    }

    #[test]
    fn a_plan_says_for_each_effect_who_has_to_do_what() {
        let run = Run { state: "running".to_owned(), job: "panel".to_owned(), ..Run::default() };
        let text = plan(&ReconcilePlan {
            run: Some(run),
            proposals: vec![
                effect("withdraw", ""),
                effect("undo", "CommunicationRequest/n-1"),
                effect("find-out", ""),
                effect("wait", ""),
                effect("nothing", ""),
            ],
            has_more: true,
            export: Some(ExportEffect { state: "done".to_owned(), files: 2, resources: 9, expires_at: 0 }),
            results: vec![ResultEffect {
                resource_type: "care-gaps".to_owned(),
                subjects: 4,
                ..ResultEffect::default()
            }],
        });
        for said in [
            "sallyport jobs stop ",
            "1 proposals are open",
            "--withdraw --reason",
            "CommunicationRequest/n-1 version 3  approved 2023-11-14T22:13:20Z: set status to \"revoked\"",
            "(session.revoked)",
            "1 approvals are under way",
            "1 were rejected",
            "and more proposals",
            "export (done): 2 files, 9 resources",
            "results care-gaps: of 4 patients",
        ] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
    }

    #[test]
    fn where_nothing_is_left_the_plan_says_so() {
        assert!(plan(&ReconcilePlan::default()).contains("nothing of it is left"));
    }
}
