//! The wrong-patient oracle: two patients' launches in one browser, asked in turns by generated queries, and not one
//! canary of anybody else in what comes out.
//!
//! Every resource of the sandbox carries the canary of its patient. The queries ask for the patient's own resources and,
//! as often, for what the other launch has met: its ids, its pages, its references. Part of them run while the EHR itself
//! mixes up patients in every answer, so that the check on the way out is tried and not the EHR's own.

mod ask;
mod known;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use http::Method;
use sallyport::demo::{
    Launched,
    browser::{Browser, Page},
    ehr_launch,
};
use sallyport_sandbox_ehr::Profile;
use sallyport_test_e2e::world::World;
use tokio::task::JoinSet;
use url::Url;

pub use ask::{Ask, Kind, Who};

use ask::Generator;
use known::Known;

/// The two patients: both with a full chart.
const PATIENTS: [&str; 2] = ["pat-0001", "pat-0004"];
/// The patient that a launch is about, as the sandbox stores it.
fn patient(who: Who) -> &'static str {
    let patient: &&'static str = who.of(&PATIENTS);
    patient
}

/// How many queries are under way at once. A round is generated as a whole, so that a seed says what is asked.
const ROUND: usize = 12;
/// Of so many rounds one runs while the EHR mixes up patients.
const MIXED_UP: usize = 4;

/// What a run found.
#[derive(Debug, Default)]
pub struct Found {
    /// Queries made.
    pub asked: usize,
    /// Answers with the own patient's canary.
    pub own: usize,
    /// Answers that were withheld because the EHR answered with another patient.
    pub withheld: usize,
    /// Canaries of others that came out, with the query that brought them.
    pub foreign: Vec<String>,
    /// Answers that tell of a defect of ours.
    pub broken: Vec<String>,
    /// How many of each kind were asked, and how many of them answered with 200.
    pub kinds: BTreeMap<Kind, (usize, usize)>,
}

impl Found {
    /// Adds what another instance found.
    pub fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.own += other.own;
        self.withheld += other.withheld;
        self.foreign.extend(other.foreign);
        self.broken.extend(other.broken);
        for (kind, (asked, answered)) in other.kinds {
            let sum = self.kinds.entry(kind).or_default();
            *sum = (sum.0 + asked, sum.1 + answered);
        }
    }
}

/// How many queries an instance may be asked before its product's limit, which a real clock counts, makes everything
/// wait: the next instance goes on.
fn most_per_instance(profile: &Profile) -> usize {
    if profile.name == "ecw" { 300 } else { usize::MAX }
}

/// Of every hundred queries, how many this product gets.
fn share(profile: &Profile) -> usize {
    match profile.name {
        // Every instance of it takes few: most of its time would be starts.
        "ecw" => 5,
        // Slow on purpose.
        "production-like" => 4,
        "strict" => 21,
        _ => 12,
    }
}

/// Asks all products together so many queries.
///
/// # Errors
/// When an instance does not start or answer. What comes out wrong is in what was found.
pub async fn run(queries: usize, seed: u64) -> anyhow::Result<Found> {
    let shares: usize = Profile::all().iter().copied().map(share).sum();
    let mut found = Found::default();
    for profile in Profile::all() {
        let mut left = (queries * share(profile)).div_ceil(shares);
        while left > 0 {
            let now = left.min(most_per_instance(profile));
            let more = one(profile.name, now, seed.wrapping_add(left as u64)).await;
            found.add(more.with_context(|| format!("as {}", profile.name))?);
            left -= now;
        }
    }
    Ok(found)
}

/// Asks one product.
///
/// # Errors
/// As [`run`].
pub async fn one(profile: &str, queries: usize, seed: u64) -> anyhow::Result<Found> {
    let world = World::start_with(&format!("[sandbox_ehr]\nprofile = \"{profile}\"\n")).await?;
    let outside = &world.outside;
    let mut browser = Browser::new();
    let launches = [
        ehr_launch(outside, &mut browser, patient(Who::First)).await?,
        ehr_launch(outside, &mut browser, patient(Who::Second)).await?,
    ];
    let mut known = [Known::default(), Known::default()];
    for (known, launch) in known.iter_mut().zip(&launches) {
        let session = Url::parse(&format!("{}/session/{}", outside.ready.app, launch.launch))?;
        let session = browser.fetch(&session).await?.json()?;
        let patient = session.pointer("/tokenResponse/patient").and_then(serde_json::Value::as_str);
        known.meet("Patient", patient.context("the session names no patient")?);
    }
    let mut generator = Generator::new(seed);
    let (mut found, mut round) = (Found::default(), 0_usize);
    while found.asked < queries {
        let is_mixed_up = round % MIXED_UP == MIXED_UP - 1;
        if is_mixed_up {
            outside.fault("fhir", "", "foreign-patient", u32::MAX).await?;
        }
        let asks: Vec<Ask> = (0..ROUND.min(queries - found.asked)).map(|_| generator.next(&known)).collect();
        for (ask, page) in asked(outside.ready.app.as_str(), &browser, &launches, asks).await? {
            found.take(profile, seed, &ask, &page);
            if !is_mixed_up {
                ask.who.of_mut(&mut known).learn(&page);
            }
        }
        if is_mixed_up {
            outside.clear_faults().await?;
        }
        round += 1;
    }
    world.stop().await?;
    Ok(found)
}

/// Makes the queries of a round at once; their answers in the order in which they were asked.
async fn asked(
    app: &str,
    browser: &Browser,
    launches: &[Launched; 2],
    asks: Vec<Ask>,
) -> anyhow::Result<Vec<(Ask, Page)>> {
    let mut tasks: JoinSet<anyhow::Result<(usize, Ask, Page)>> = JoinSet::new();
    for (number, ask) in asks.into_iter().enumerate() {
        let launch = ask.who.of(launches).launch;
        let url = Url::parse(&format!("{app}/{}/{launch}/{}", ask.door, ask.below))?;
        let mut tab = browser.clone();
        tasks.spawn(async move {
            let page = match &ask.form {
                None => tab.fetch(&url).await?,
                Some(form) => {
                    let headers = [
                        ("accept", "application/fhir+json"),
                        ("content-type", "application/x-www-form-urlencoded"),
                        ("sec-fetch-site", "same-origin"),
                        ("sec-fetch-mode", "cors"),
                    ];
                    tab.send(Method::POST, &url, &headers, form).await?
                }
            };
            Ok((number, ask, page))
        });
    }
    let mut answers = BTreeMap::new();
    while let Some(answer) = tasks.join_next().await {
        let (number, ask, page) = answer.context("a query panicked")??;
        answers.insert(number, (ask, page));
    }
    Ok(answers.into_values().collect())
}

impl Found {
    fn take(&mut self, profile: &str, seed: u64, ask: &Ask, page: &Page) {
        self.asked += 1;
        let is_answered = page.status == 200;
        let sum = self.kinds.entry(ask.kind).or_default();
        *sum = (sum.0 + 1, sum.1 + usize::from(is_answered));
        let told = || format!("{profile}, seed {seed}, query {}: {} {}", self.asked, patient(ask.who), ask);
        if page.status == 500 {
            let text = page.text();
            self.broken.push(format!("{}: {text}", told()));
        }
        let own = format!("canary-{}", patient(ask.who));
        let met = marks(page, ask);
        let strangers: BTreeSet<&String> = met.iter().filter(|mark| **mark != own).collect();
        if !strangers.is_empty() {
            let told = format!("{}: {strangers:?}", told());
            self.foreign.push(told);
        }
        self.own += usize::from(is_answered && met.contains(&own));
        self.withheld += usize::from(page.text().contains("ehr.foreign_patient"));
    }
}

/// Whose an answer is: the canaries in its headers and body, and in a chart, which has none, those of the resources that
/// its values name as their source.
fn marks(page: &Page, ask: &Ask) -> BTreeSet<String> {
    let mut text = page.text();
    for value in page.headers.values() {
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    let after = |mark: &'static str| {
        text.match_indices(mark).filter_map(|(at, _)| text.get(at + mark.len()..)).collect::<Vec<_>>()
    };
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    let mut met: BTreeSet<String> =
        after("canary-pat-").into_iter().map(|rest| format!("canary-pat-{}", digits(rest))).collect();
    if ask.kind == Kind::Section {
        let sources = after("\"reference\":\"").into_iter().filter_map(|rest| rest.split('"').next());
        met.extend(sources.filter_map(known::owner).map(|number| format!("canary-pat-{number}")));
    }
    met
}
