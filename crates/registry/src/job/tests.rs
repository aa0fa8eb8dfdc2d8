use sallyport_model::{JobId, TenantId};

use super::*;
use crate::{Registry, load::tests::SANDBOX};

/// 2026-11-30T12:00:00Z, a Monday, in microseconds.
const MONDAY_NOON: i64 = 1_796_040_000_000_000;

const HOUR: i64 = 3_600_000_000;

const JOB: &str = r#"
[[job]]
id = "nightly"
title = "Nightly"
kind = "crawl"
feature = "population-report"
registration = "reports"
purpose = "HOPERAT"
identity = "backend"
on = true
stage = "general"
[job.cohort]
patients = ["1", "2"]
"#;

fn file(job: &str) -> String {
    let registration = r#"
[[registration]]
id = "reports"
endpoint = "main"
app = "reports"
client_id = "reports"
auth = "private_key_jwt"
launches = ["backend"]

[[app]]
id = "reports"
name = "Reports"
features = ["population-report", "patient-summary", "care-gap-alerting"]
default_feature = "patient-summary"
"#;
    SANDBOX.replace("[policy]", &format!("{registration}{job}\n[policy]"))
}

fn load(job: &str) -> Result<Job, String> {
    let registry =
        Registry::from_texts(&[(PathBuf::from("t.toml"), file(job))]).map_err(|e| e.to_string())?;
    let (tenant, id) = (TenantId::parse("general").unwrap(), JobId::parse("nightly").unwrap());
    Ok(registry.job(&tenant, &id).unwrap().clone())
}

fn refusal(from: &str, to: &str) -> String {
    let changed = JOB.replace(from, to);
    assert_ne!(changed, JOB, "{from} is in the job");
    load(&changed).unwrap_err()
}

fn zone() -> Zone {
    Zone::parse("America/New_York").unwrap()
}

#[test]
fn a_definition_says_what_it_does_for_whom_as_whom_and_how_fast() {
    let job = load(JOB).unwrap();
    assert_eq!(
        (job.kind, job.identity, job.batch_size, job.attempts),
        (JobKind::Crawl, JobIdentity::Backend, 25, 5)
    );
    assert!(matches!(&job.cohort, Cohort::Patients(ids) if ids.len() == 2));
    assert!(job.schedule.is_none() && job.hours.is_always());
}

#[test]
fn nobody_is_refused_and_never_everybody() {
    for (to, words) in [
        ("patients = []", "an empty cohort, which is nobody"),
        ("", "no cohort is nobody"),
        ("everyone = true", "needs to know whom"),
        ("patients = [\"1\"]\ngroup = \"g\"", "more than one cohort"),
        ("patients = [\"../1\"]", "not a logical id"),
        ("patients_file = \"nowhere.txt\"", "cannot be read"),
    ] {
        let said = refusal("patients = [\"1\", \"2\"]", to);
        assert!(said.contains(words) && said.contains("job nightly"), "{said}");
    }
}

#[test]
fn an_identity_takes_a_feature_of_its_kind_and_a_registration_that_may() {
    for (from, to, words) in [
        ("\"population-report\"", "\"care-gap-alerting\"", "has purpose \"HOPERAT\""),
        ("\"population-report\"", "\"clinical-documentation\"", "does not have"),
        ("\"backend\"", "\"offline\"", "takes a feature of kind \"offline\""),
        ("\"backend\"", "\"session\"", "unknown variant `session`"),
        ("registration = \"reports\"", "registration = \"sandbox\"", "does not have"),
        ("registration = \"reports\"", "registration = \"nobody\"", "not in the file"),
        ("\"HOPERAT\"", "\"TREAT\"", "uses data for \"HOPERAT\""),
        ("\"HOPERAT\"", "\"FUN\"", "not a purpose of use"),
    ] {
        let said = refusal(from, to);
        assert!(said.contains(words), "{said}");
    }
    let without = file(JOB).replace("launches = [\"backend\"]", "launches = [\"ehr\"]");
    let said = Registry::from_texts(&[(PathBuf::from("t.toml"), without)]).unwrap_err().to_string();
    assert!(said.contains("its launches do not have \"backend\""), "{said}");
}

#[test]
fn what_starts_by_itself_is_a_service_beyond_the_internal_stage_with_a_time_that_comes() {
    let scheduled = |more: &str| JOB.replace("stage = \"general\"", &format!("stage = \"general\"\n{more}"));
    assert!(load(&scheduled("schedule = \"0 2 * * *\"")).is_ok());
    for (more, words) in [
        ("schedule = \"often\"", "minute hour day month weekday"),
        ("schedule = \"0 0 2 * * *\"", "minute hour day month weekday"),
        ("schedule = \"0 0 30 2 *\"", "which never comes"),
        ("windows = [\"at night\"]", "not like \"Mon-Fri 22:00-05:00\""),
        ("windows = [\"Mon 25:00-05:00\"]", "not like"),
        ("windows = [\"Mon 05:00-05:00\"]", "not like"),
        ("blackout = [\"2026-12-24\"]", "datetime"),
        ("blackout = [2026-12-24T00:00:00Z]", "not a date"),
        ("batch_size = 0", "between 1 and 1000"),
        ("calls_per_minute = 0", "between 1 and 60000"),
        ("pilot_patients = 3", "is at stage \"general\""),
        ("colour = \"red\"", "colour"),
    ] {
        let said = load(&scheduled(more)).unwrap_err();
        assert!(said.to_lowercase().contains(&words.to_lowercase()), "{more}: {said}");
    }
    let internal = scheduled("schedule = \"0 2 * * *\"").replace("\"general\"", "\"internal\"");
    assert!(load(&internal).unwrap_err().contains("only an operator starts it"));
    let pilot = JOB.replace("stage = \"general\"", "stage = \"pilot\"");
    assert!(load(&pilot).unwrap_err().contains("say pilot_patients"));
}

#[test]
fn a_schedule_goes_by_the_tenants_clocks_also_when_they_change() {
    let schedule: Schedule = "30 2 * * *".parse().unwrap();
    // 2026-11-30 is in winter: 02:30 is 07:30 UTC.
    let next = schedule.after(MONDAY_NOON, &zone()).unwrap();
    assert_eq!(next, MONDAY_NOON + 19 * HOUR + HOUR / 2);
    // 2027-03-14: clocks go from 02:00 to 03:00, so 02:30 is not there; the day has one start all the same.
    let before = 1_805_004_000_000_000; // 2027-03-14T06:00:00Z, 01:00 there
    let skipped = schedule.after(before, &zone()).unwrap();
    assert!((before..before + 2 * HOUR).contains(&skipped), "{skipped}");
    let following = schedule.after(skipped, &zone()).unwrap();
    assert_eq!(following, before + 24 * HOUR + HOUR / 2, "the next day's, in summer time");
    // 2026-11-01: 01:30 comes twice, and starts once.
    let twice: Schedule = "30 1 * * *".parse().unwrap();
    let first = twice.after(1_793_494_800_000_000, &zone()).unwrap(); // 2026-11-01T01:00:00Z
    let second = twice.after(first, &zone()).unwrap();
    assert!(second - first >= 23 * HOUR, "{first} {second}");
}

#[test]
fn outside_its_windows_and_on_blackout_dates_a_job_is_told_when_it_may_again() {
    let open = |windows: &[&str], blackout: &[&str]| {
        let windows: Vec<String> = windows.iter().map(|text| (*text).to_owned()).collect();
        let days: Vec<toml::value::Datetime> = blackout.iter().map(|text| text.parse().unwrap()).collect();
        Hours::parse(&windows, &days).unwrap()
    };
    // Monday noon UTC is 07:00 there.
    let night = open(&["Mon-Fri 22:00-05:00"], &[]);
    assert_eq!(night.check(MONDAY_NOON, &zone()), Err(Closed { until: MONDAY_NOON + 15 * HOUR }));
    assert_eq!(night.check(MONDAY_NOON + 15 * HOUR, &zone()), Ok(()));
    // Into the next morning, and not beyond its end.
    assert_eq!(night.check(MONDAY_NOON + 21 * HOUR, &zone()), Ok(()));
    assert!(night.check(MONDAY_NOON + 22 * HOUR, &zone()).is_err());
    // Friday's night goes into Saturday; Saturday has none of its own.
    let saturday_four = MONDAY_NOON + 5 * 24 * HOUR - 3 * HOUR;
    assert_eq!(night.check(saturday_four, &zone()), Ok(()));
    assert!(night.check(saturday_four + 20 * HOUR, &zone()).is_err());
    let dark = open(&[], &["2026-11-30", "2026-12-01"]);
    assert_eq!(dark.check(MONDAY_NOON, &zone()), Err(Closed { until: MONDAY_NOON + 41 * HOUR }));
    assert_eq!(dark.check(MONDAY_NOON + 41 * HOUR, &zone()), Ok(()));
}

#[test]
fn what_a_run_pins_changes_with_what_it_may_do_and_not_with_how_fast() {
    let pin = |job: &str| load(job).unwrap().pin();
    assert_eq!(pin(JOB), pin(&JOB.replace("on = true", "on = true\nbatch_size = 3")));
    let feature = "[[feature]]\nid = \"other\"\ntitle = \"t\"\nkind = \"service\"\nrequired = [\"system/Patient.rs\"]\n\
                   purpose = \"HOPERAT\"\nposture = \"p\"\njustification = \"j\"\n";
    let other = JOB.replace("\"population-report\"", "\"other\"");
    let text = file(&format!("{feature}{other}"))
        .replace("\"population-report\", \"patient", "\"other\", \"patient");
    let registry = Registry::from_texts(&[(PathBuf::from("t.toml"), text)]).unwrap();
    let changed = &registry.tenants()[0].jobs[0];
    assert_ne!(pin(JOB), changed.pin());
}
