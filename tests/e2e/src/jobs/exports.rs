//! An export end to end: the composed binary has the sandbox EHR prepare files, fetches them, and is killed while it does.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Context, Crawl, House, Report, Seeded, ensure, is_long, seed};

/// Names and lengths of an export's files. Frames are cut by content, so two exports of the same content have the same.
type Files = BTreeMap<String, u64>;

/// Seeded `kill -9` of the whole process during an export: what is kept is what an undisturbed one keeps, the EHR is told each
/// time that it can let go, and nothing lies on disk in plain.
///
/// # Errors
/// What was otherwise.
pub async fn a_killed_export_keeps_what_an_undisturbed_one_keeps() -> anyhow::Result<()> {
    let kills = if is_long() { 200 } else { 10 };
    let mut random = Seeded(seed());
    let undisturbed = Crawl::start_job(House::open(super::PATIENTS).await?, "export").await?;
    undisturbed.one_item().await?;
    let house = undisturbed.house;
    let expected = house.exported()?;
    ensure!(expected.len() >= 3 && expected.values().all(|length| *length > 1_000), "{expected:?}");
    let mut tried = 0_u64;
    let mut house = house;
    while tried < kills {
        house.forget_results().await?;
        ensure!(house.exported()?.is_empty(), "an erased export left files");
        let mut crawl = Crawl::start_job(house, "export").await?;
        while tried < kills && crawl.look().await.is_some_and(|run| run.state == "running") {
            tokio::time::sleep(random.millis(200, 4_000)).await;
            crawl.house.kill()?;
            tried += 1;
            crawl.house.start().await?;
        }
        crawl.one_item().await.with_context(|| format!("after {tried} kills, seed {}", seed()))?;
        house = crawl.house;
        ensure!(house.exported()? == expected, "not what an undisturbed export keeps; seed {}", seed());
    }
    let deleted = house.exports_ended().await?;
    ensure!(deleted >= 2, "the EHR was told {deleted} times that it can let go");
    let report = Report::new("kill -9 of the worker during a bulk export").tried(tried).unit("kills");
    report.seed(seed()).write();
    Ok(())
}

impl Crawl {
    async fn one_item(&self) -> anyhow::Result<()> {
        let kept = self.end().await?;
        ensure!(
            kept.items == 1 && kept.quarantined == 0,
            "{kept:?}; set aside for {:?}",
            self.set_aside_for().await
        );
        Ok(())
    }
}

impl House {
    fn exported(&self) -> anyhow::Result<Files> {
        let mut files = Files::new();
        let mut folders: Vec<PathBuf> = vec![self.data().join("exports")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path)?;
                let is_plain = bytes.windows(12).any(|part| part == b"resourceType");
                ensure!(!is_plain, "plain text in {}", path.display());
                let name = path.file_name().context("a name")?.to_string_lossy().into_owned();
                files.insert(name, u64::try_from(bytes.len())?);
            }
        }
        Ok(files)
    }

    /// DELETE requests of status addresses that reached the sandbox.
    async fn exports_ended(&self) -> anyhow::Result<usize> {
        let log = self.sandbox(http::Method::GET, "requests", None).await?;
        let requests = log.get("requests").and_then(serde_json::Value::as_array).context("a log")?;
        let is_one = |r: &&serde_json::Value| r.get("method").and_then(|m| m.as_str()) == Some("DELETE");
        Ok(requests.iter().filter(is_one).count())
    }
}
