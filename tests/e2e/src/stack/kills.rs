//! Processes killed without warning, servers gone, processes replaced: under load, and nothing is lost.

use std::time::Duration;

use anyhow::{Context, ensure};

use super::{
    Stack, account, eventually, is_long,
    load::{self, Load, Person, audit_holds, reached_the_ehr, without_a_call},
    outage,
};

/// The services that are killed. The front door is nobody's memory, and web holds no state.
const SERVICES: [&str; 5] = ["launch-auth", "token-vault", "fhir-gateway", "audit", "job-worker"];

/// Different from run to run only when somebody asks for it.
const SEED: u64 = 20_261_125;

/// A small generator whose whole state is its seed (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).unwrap_or(1).max(1);
        usize::try_from((z ^ (z >> 31)) % bound).unwrap_or(0)
    }
}

fn seed() -> u64 {
    std::env::var("SALLYPORT_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(SEED)
}

/// Seeded `kill -9` over the five processes under load: every answer has its record, whatever reached the EHR has one
/// too or was under way at a kill, and no grant is lost without a state that says so.
///
/// # Errors
/// What was lost.
pub async fn nothing_is_lost_by_kills() -> anyhow::Result<()> {
    let kills = if is_long() { 200 } else { 30 };
    let stack = Stack::take().await?;
    let (seed, from, since) = (seed(), load::now(), stack.outside.last_request().await?);
    let mut random = Seeded(seed);
    let mut persons = Vec::new();
    for number in 0..4 {
        persons.push(Person::launch(&stack.outside, number).await?);
    }
    let load = Load::start(&stack.outside, &persons, 8, Duration::from_millis(5))?;
    for kill in 0..kills {
        load.more(10 + random.below(40)).await.with_context(|| format!("before kill {kill}, seed {seed}"))?;
        let service = SERVICES.get(random.below(SERVICES.len())).copied().context("a service")?;
        let replicas = stack.replicas(service)?;
        let victim = replicas.get(random.below(replicas.len())).context("a replica")?;
        stack.kill(&[victim]).await?;
        stack.start(&[victim]).await?;
    }
    let answers = load.end().await;
    let found = audit_holds(&stack.outside, from, &answers).await.with_context(|| format!("seed {seed}"))?;
    let reached = reached_the_ehr(&stack.outside, since).await?;
    let unrecorded = reached.iter().filter(|trace| !found.traces.contains(*trace)).count();
    let under_way = answers.broken + answers.refused.values().sum::<usize>();
    ensure!(
        unrecorded <= under_way,
        "{unrecorded} of {} calls at the EHR have no record, {under_way} were under way; seed {seed}",
        reached.len()
    );
    let from_memory = without_a_call(&answers, &found, &reached);
    ensure!(from_memory == 0, "{from_memory} answers were given without a call to the EHR; seed {seed}");
    ensure!(found.doubled == 0, "{} records are there twice; seed {seed}", found.doubled);
    // Each grant reads on, or says in words that the person has to launch again.
    for person in &persons {
        let status = person.read(&stack.outside).await?;
        ensure!(matches!(status, Some(200 | 401 | 403)), "a grant is lost: {status:?}; seed {seed}");
        let again = Person::launch(&stack.outside, 0).await?;
        ensure!(again.read(&stack.outside).await? == Some(200), "a new launch reads; seed {seed}");
    }
    // The numbers need not agree. A refused or broken answer may have asked the EHR or not. A launch asks it and is no
    // answer of the load, nor is what a killed process had asked for. The rules above go call by call.
    let seen = format!(
        "{} answers with data, {} refused, {} broken off; {} calls at the EHR, {unrecorded} of them cut off unrecorded",
        answers.released.len(),
        answers.refused.values().sum::<usize>(),
        answers.broken,
        reached.len()
    );
    account("kill -9 over the five processes under load", kills, "kills", &seen, Some(seed))
}

/// The broker is gone while 200 calls a second are answered: no record is lost, none is stored twice.
///
/// # Errors
/// What was lost.
pub async fn a_broker_outage_loses_no_record() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let from = load::now();
    let mut persons = Vec::new();
    for number in 0..4 {
        persons.push(Person::launch(&stack.outside, number).await?);
    }
    // Sixteen callers with a pause make about 200 calls a second on a small machine.
    let load = Load::start(&stack.outside, &persons, 16, Duration::from_millis(60))?;
    load.more(100).await?;
    let before = load.so_far().total();
    stack.kill(&["rabbitmq"]).await?;
    let gone = tokio::time::Instant::now();
    tokio::time::sleep(outage()).await;
    let during = load.so_far().total() - before;
    let rate = f64::from(u32::try_from(during)?) / gone.elapsed().as_secs_f64();
    stack.start(&["rabbitmq"]).await?;
    load.more(100).await?;
    let answers = load.end().await;
    ensure!(
        answers.refused.is_empty() && answers.broken == 0,
        "reads failed meanwhile: {:?}",
        answers.refused
    );
    let found = audit_holds(&stack.outside, from, &answers).await?;
    ensure!(found.doubled == 0, "{} records are there twice", found.doubled);
    let seen = format!("{} s down, {rate:.0} answers a second meanwhile", outage().as_secs());
    account("broker down under load", answers.total(), "answers", &seen, None)
}

/// Every process is replaced, one after the other, under load: no read fails that is tried once more.
///
/// # Errors
/// How many failed.
pub async fn a_rolling_restart_fails_no_read() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let from = load::now();
    let persons = [Person::launch(&stack.outside, 0).await?, Person::launch(&stack.outside, 1).await?];
    let reader = {
        let (outside, persons) = (&stack.outside, &persons);
        let restarts = async {
            for service in ["audit", "token-vault", "launch-auth", "fhir-gateway", "web"] {
                for replica in stack.replicas(service)? {
                    stack.stop(&[&replica]).await?;
                    stack.start(&[&replica]).await?;
                }
            }
            anyhow::Ok(())
        };
        tokio::pin!(restarts);
        let (mut reads, mut retried, mut failed) = (0_usize, 0_usize, Vec::new());
        loop {
            let person = persons.get(reads % persons.len()).context("a person")?;
            let read = async {
                let first = person.read(outside).await?;
                if first == Some(200) {
                    return anyhow::Ok((first, false));
                }
                Ok((person.read(outside).await?, true))
            };
            tokio::select! {
                done = &mut restarts => { done?; break (reads, retried, failed); }
                read = read => {
                    let (status, again) = read?;
                    reads += 1;
                    retried += usize::from(again);
                    if status != Some(200) {
                        failed.push(status);
                    }
                }
            }
        }
    };
    let (reads, retried, failed) = reader;
    ensure!(failed.is_empty(), "{} of {reads} reads failed twice: {failed:?}", failed.len());
    ensure!(reads > 100, "only {reads} reads while everything was replaced");
    let intents = || async { Ok(load::recorded(&stack.outside, from).await?.intents.len() >= reads) };
    eventually("every read has its record", intents).await?;
    let seen = format!("{retried} reads were tried once more");
    account("rolling restart of every service under load", reads, "reads", &seen, None)
}
