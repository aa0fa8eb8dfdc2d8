//! Jobs and runs as an operator reads them.

use std::fmt::Write as _;

use sallyport_model::{Code, Micros, moment};
use sallyport_proto::jobs::v1::{DeadLetter, DryRunResponse, Job, Progress, ProposalCount, Run};
use uuid::Uuid;

/// Cells of the bar.
const BAR: usize = 24;

pub(super) fn jobs(jobs: &[Job]) -> String {
    let mut out = String::new();
    for job in jobs {
        let state = match (job.is_on, job.is_blocked) {
            (_, true) => "blocked",
            (false, _) => "off",
            (true, false) => "on",
        };
        let (tenant, id, kind, stage) = (&job.tenant, &job.id, &job.kind, &job.stage);
        line(&mut out, &format!("{tenant}/{id}  {kind}  {state}, stage {stage}  {}", job.title));
        let as_whom = format!("{} as {} for {}", job.identity, job.registration, job.purpose);
        line(&mut out, &format!("  reads {} at {}: {as_whom}", job.feature, job.endpoint));
        if !job.schedule.is_empty() {
            let next = time(job.next_start_at);
            line(&mut out, &format!("  schedule \"{}\" {}, next {next}", job.schedule, job.time_zone));
        }
        if let Some(run) = &job.last_run {
            line(&mut out, &format!("  last run {}  {}", id_of(&run.run_id), bar(run)));
        }
    }
    line(&mut out, &format!("{} jobs", jobs.len()));
    out
}

/// One line for each job and rule, its states one after the other; and what somebody has to do about those in doubt.
pub(super) fn proposals(counts: &[ProposalCount]) -> String {
    let mut out = String::new();
    for of_rule in counts.chunk_by(|a, b| (&a.tenant, &a.job, &a.rule) == (&b.tenant, &b.job, &b.rule)) {
        let Some(ProposalCount { tenant, job, rule, .. }) = of_rule.first() else { continue };
        let states: Vec<String> = of_rule
            .iter()
            .map(|one| match (one.outcome.as_str(), one.code.as_str()) {
                ("", _) => format!("{} {}", one.count, one.state),
                (outcome, "") => format!("{} {} ({outcome})", one.count, one.state),
                (outcome, code) => format!("{} {} ({outcome}: {code})", one.count, one.state),
            })
            .collect();
        line(&mut out, &format!("{tenant}/{job}  {rule}  {}", states.join(", ")));
    }
    let count = |is: fn(&ProposalCount) -> bool| -> i64 {
        counts.iter().filter(|one| is(one)).map(|one| one.count).sum()
    };
    line(&mut out, &format!("{} proposals", count(|_| true)));
    let in_doubt = count(|one| one.state == "approved" && one.outcome == "unknown");
    if in_doubt > 0 {
        line(
            &mut out,
            &format!(
                "{in_doubt} not known to be written: each is looked for while whoever approved it is signed in. After that,\n  \
                 somebody opens that patient's chart, page \"Proposals\", and approves it once more: the EHR is asked first,\n  \
                 and what it has is not written again. Nobody should enter it by hand before."
            ),
        );
    }
    out
}

pub(super) fn runs(runs: &[Run]) -> String {
    let mut out = String::new();
    for run in runs {
        let (tenant, job) = (&run.tenant, &run.job);
        line(&mut out, &format!("{}  {}  {tenant}/{job}", id_of(&run.run_id), time(run.created_at)));
        line(&mut out, &format!("  {}", bar(run)));
    }
    line(&mut out, &format!("{} runs", runs.len()));
    out
}

pub(super) fn run(run: &Run) -> String {
    let mut out = String::new();
    let progress = run.progress.clone().unwrap_or_default();
    line(&mut out, &format!("run {}", id_of(&run.run_id)));
    line(
        &mut out,
        &format!(
            "  job       {}/{} ({}) at {} ({})",
            run.tenant, run.job, run.kind, run.endpoint, run.vendor
        ),
    );
    line(&mut out, &format!("  started   {} by {}: {}", time(run.created_at), run.started_by, run.reason));
    line(&mut out, &format!("  state     {}", state(run)));
    if run.ended_at > 0 {
        line(&mut out, &format!("  ended     {}", time(run.ended_at)));
    }
    line(&mut out, &format!("  progress  {}", bar(run)));
    line(
        &mut out,
        &format!(
            "  batches   {} of {} done, {} in hand; {} calls",
            progress.batches_done, progress.batches, progress.batches_in_hand, progress.calls
        ),
    );
    if progress.results > 0 {
        line(
            &mut out,
            &format!(
                "  kept      {} resources of {} patients; oldest full reading {}",
                progress.resources,
                progress.subjects,
                time(progress.oldest_full_read_at)
            ),
        );
    }
    if progress.quarantined > 0 {
        line(
            &mut out,
            &format!(
                "  set aside {} items: sallyport jobs dead-letters --run {}",
                progress.quarantined,
                id_of(&run.run_id)
            ),
        );
    }
    if !run.pinned_scope.is_empty() {
        line(&mut out, &format!("  scopes    {}", run.pinned_scope));
    }
    out
}

/// State, bar, rate and what is waited for, on one line.
pub(super) fn bar(run: &Run) -> String {
    let Some(progress) = &run.progress else { return run.state.clone() };
    if !progress.is_planned {
        return format!("{}: not planned yet{}", run.state, waits(progress));
    }
    let done = usize::try_from(progress.items_done).unwrap_or(0);
    let all = usize::try_from(progress.items).unwrap_or(0).max(1);
    let filled = (done * BAR / all).min(BAR);
    let mut out = format!(
        "[{}{}] {done} of {} ({} %)",
        "#".repeat(filled),
        ".".repeat(BAR - filled),
        progress.items,
        done * 100 / all
    );
    if progress.quarantined > 0 {
        let _infallible = write!(out, ", {} set aside", progress.quarantined);
    }
    if run.state != "running" {
        let _infallible = write!(out, ", {}", run.state);
        return out;
    }
    if progress.items_per_minute > 0.0 {
        let _infallible = write!(out, ", {:.0}/min", progress.items_per_minute);
    }
    if progress.expected_end_at > 0 {
        let _infallible = write!(out, ", ends about {}", time(progress.expected_end_at));
    }
    out.push_str(&waits(progress));
    out
}

fn waits(progress: &Progress) -> String {
    let what = match progress.waits_for.as_str() {
        "" => return String::new(),
        "vendor" => "the EHR said when to come back",
        "limit" => "a limit is used up",
        "breaker" => "the EHR has been failing",
        "window" => "outside its hours",
        "retry" => "something failed and is tried again",
        "polling" => "the EHR is preparing",
        other => other,
    };
    format!(", next call {}: {what}", time(progress.waits_until))
}

pub(super) fn state(run: &Run) -> String {
    let mut out = run.state.clone();
    if let Some(code) = Code::parse(&run.code) {
        let _infallible = write!(out, ", {code}: {}", code.sentence());
    }
    if !run.scope.is_empty() {
        let _infallible = write!(out, " ({})", run.scope);
    }
    out
}

pub(super) fn dry_run(seen: &DryRunResponse) -> String {
    let mut out = String::new();
    line(&mut out, &format!("items      {} in {} batches", seen.items, seen.batches));
    line(&mut out, &format!("calls      about {}, more where a search has several pages", seen.calls));
    match seen.calls_per_minute > 0.0 {
        true => {
            let pace = format!("{:.0} calls a minute, set by {}", seen.calls_per_minute, seen.paced_by);
            line(&mut out, &format!("duration   about {} at {pace}", span(seen.duration_seconds)));
        }
        false => line(&mut out, "duration   not known: nothing sets a pace"),
    }
    line(&mut out, &format!("earliest   {}", time(seen.earliest_start_at)));
    line(&mut out, &format!("needs      {}", seen.required_scope));
    if !seen.optional_scope.is_empty() {
        line(&mut out, &format!("can use    {}", seen.optional_scope));
    }
    for obstacle in &seen.obstacles {
        let sentence = Code::parse(obstacle).map_or("", Code::sentence);
        line(&mut out, &format!("cannot start: {sentence} ({obstacle})"));
    }
    line(&mut out, "Nothing was read, and no token was asked for.");
    out
}

pub(super) fn letters(letters: &[DeadLetter]) -> String {
    let mut out = String::new();
    for letter in letters {
        let sentence = Code::parse(&letter.code).map_or("", Code::sentence);
        line(
            &mut out,
            &format!(
                "{}  run {}  {}  {} attempts  {} {sentence}",
                id_of(&letter.letter_id),
                id_of(&letter.run_id),
                time(letter.created_at),
                letter.attempts,
                letter.code
            ),
        );
    }
    line(&mut out, &format!("{} items", letters.len()));
    out
}

pub(super) fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

pub(super) fn id_of(bytes: &[u8]) -> String {
    Uuid::from_slice(bytes).map(|id| id.simple().to_string()).unwrap_or_default()
}

/// To the second, UTC.
pub(super) fn time(micros: Micros) -> String {
    if micros == 0 {
        return "-".to_owned();
    }
    moment(micros.div_euclid(1_000_000) * 1_000_000)
}

fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half() -> Run {
        Run {
            state: "running".to_owned(),
            progress: Some(Progress {
                is_planned: true,
                items: 200,
                items_done: 100,
                items_per_minute: 60.0,
                expected_end_at: 1_700_000_100_000_000,
                waits_until: 1_700_000_000_000_000,
                waits_for: "vendor".to_owned(),
                ..Progress::default()
            }),
            ..Run::default()
        }
    }

    #[test]
    fn a_bar_says_how_far_how_fast_until_when_and_why_it_waits() {
        assert_eq!(
            bar(&half()),
            "[############............] 100 of 200 (50 %), 60/min, ends about 2023-11-14T22:15:00Z, \
             next call 2023-11-14T22:13:20Z: the EHR said when to come back"
        );
    }

    #[test]
    fn proposals_in_doubt_are_counted_with_why_and_the_way_on() {
        let count = |state: &str, outcome: &str, code: &str| ProposalCount {
            tenant: "clinic".to_owned(),
            job: "panel".to_owned(),
            rule: "house-rule".to_owned(),
            state: state.to_owned(),
            outcome: outcome.to_owned(),
            count: 2,
            code: code.to_owned(),
        };
        let calm = proposals(&[count("approved", "applied", ""), count("open", "", "")]);
        assert_eq!(calm, "clinic/panel  house-rule  2 approved (applied), 2 open\n4 proposals\n");
        let text = proposals(&[count("approved", "unknown", "session.revoked"), count("open", "", "")]);
        assert!(text.contains("2 approved (unknown: session.revoked), 2 open"), "{text}");
        assert!(text.contains("2 not known to be written") && text.contains("not written again"), "{text}");
    }

    #[test]
    fn a_run_that_was_stopped_says_which_scope() {
        let stopped = Run {
            state: "stopped".to_owned(),
            code: "job.scope_changed".to_owned(),
            scope: "-system/Observation.rs".to_owned(),
            ..half()
        };
        let text = run(&stopped);
        assert!(text.contains("job.scope_changed: The EHR grants something else"), "{text}");
        assert!(text.contains("(-system/Observation.rs)"), "{text}");
    }

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        assert_eq!([span(90), span(600), span(9_000)], ["90 s", "10 min", "2 h 30 min"]);
    }
}
