//! The log as an auditor meets it: exported, verified with nothing of ours, and as somebody with the database's rights
//! would change it.

use std::{collections::BTreeMap, fs, time::Duration};

use sallyport_audit::Config;
use sallyport_audit_proof::{
    Anchor, Hash, Header, KeyKind, Keys, Policy, Report, SigningKey, Spools, Tile, Tree, Writer,
    verify_export,
};
use sallyport_db::{Error, Handle, Pool, on_pool};
use sallyport_proto::audit::v1::{
    LeavesRequest, LogStatusRequest, LogStatusResponse, audit_client::AuditClient as Rpc,
    log_status_response::Log,
};
use sqlx::AssertSqlSafe;

use crate::{
    house::{House, TENANT, read, seed, succeeded},
    storing::record_calls,
};

/// What the tables of the log are called; a backup holds all of them.
pub(crate) const TABLES: [&str; 6] =
    ["records", "record_subjects", "log_adopted", "log_heads", "log_tiles", "log_checkpoints"];

/// A house whose checkpoints go to a folder.
pub(crate) struct Ledger {
    pub(crate) house: House,
    pub(crate) folder: tempfile::TempDir,
}

impl Ledger {
    pub(crate) async fn start(pool: Pool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            checkpoint_folder: Some(folder.path().to_owned()),
            checkpoint_seconds: 1,
            ..Config::default()
        };
        Self { house: House::start_signing(pool, config).await, folder }
    }

    /// Records `count` calls, an intent and an outcome each, and waits until a checkpoint covers them.
    pub(crate) async fn record(&self, count: usize) {
        record_calls(&self.house, 0..count).await;
        self.house.settle().await;
        self.covered().await;
    }

    pub(crate) async fn event(&self, patient: &str) {
        self.house.gateway.event(succeeded(read(patient, "dr-who"))).await.unwrap();
        self.house.settle().await;
        self.covered().await;
    }

    /// Waits until the newest checkpoint outside covers the whole log.
    pub(crate) async fn covered(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
        loop {
            let size = self.log().await.size;
            if self.anchors().keys().next_back().is_some_and(|newest| *newest == size) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "a checkpoint over {size} records appears");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn status(&self) -> LogStatusResponse {
        let request = LogStatusRequest { tenant: TENANT.to_owned() };
        Rpc::new(self.house.rpc.clone()).log_status(request).await.unwrap().into_inner()
    }

    pub(crate) async fn log(&self) -> Log {
        self.status().await.logs.remove(0)
    }

    /// The checkpoints outside, by size.
    pub(crate) fn anchors(&self) -> BTreeMap<i64, Anchor> {
        let Ok(files) = fs::read_dir(self.folder.path().join(TENANT)) else { return BTreeMap::new() };
        let anchor = |path: std::path::PathBuf| {
            let name = path.file_name()?.to_str()?.to_owned();
            let size = name.strip_suffix(".checkpoint")?.parse().ok()?;
            Some((size, Anchor { name, note: fs::read(&path).ok()? }))
        };
        files.filter_map(|file| anchor(file.unwrap().path())).collect()
    }

    /// The leaves from the first to the last place that the head knows.
    pub(crate) async fn leaves(&self) -> Vec<Vec<u8>> {
        let until = self.log().await.size;
        let (mut leaves, mut next) = (Vec::new(), 0);
        while next < until {
            let request = LeavesRequest {
                tenant: TENANT.to_owned(),
                from: next,
                until: until.min(next + 2_000),
                operator: "olga".to_owned(),
                reason: "test".to_owned(),
            };
            let page = Rpc::new(self.house.rpc.clone()).leaves(request).await.unwrap().into_inner();
            leaves.extend(page.leaves);
            next = page.next;
        }
        leaves
    }

    /// An export, as the command writes it.
    pub(crate) async fn export(&self) -> Vec<u8> {
        let log = self.log().await;
        let mut export = Writer::begin(Vec::new(), &Header::new(&log.origin, TENANT)).unwrap();
        for note in &log.checkpoints {
            export.checkpoint(note).unwrap();
        }
        export.outside(u64::try_from(log.records - log.size).unwrap_or(0)).unwrap();
        for leaf in self.leaves().await {
            export.record(&leaf).unwrap();
        }
        export.end().unwrap().0
    }

    /// With the checkpoints that the database itself holds.
    pub(crate) async fn verify_inside(&self) -> Report {
        verify(&self.export().await, &[])
    }

    /// With the checkpoints outside too.
    pub(crate) async fn verify(&self) -> Report {
        let anchors: Vec<_> = self.anchors().into_values().collect();
        verify(&self.export().await, &anchors)
    }
}

pub(crate) fn verify(export: &[u8], anchors: &[Anchor]) -> Report {
    let policy = Policy { keys: Some(keys()), ..Policy::default() };
    verify_export(export, policy, anchors, &mut Spools::default()).unwrap()
}

pub(crate) fn signing_key() -> SigningKey {
    let seed = seed().expose().as_slice().try_into().unwrap();
    SigningKey::from_seed(&format!("sallyport/audit/{TENANT}"), KeyKind::Log, &seed).unwrap()
}

pub(crate) fn keys() -> Keys {
    Keys { log: signing_key().verifier().clone(), witnesses: Vec::new() }
}

// What somebody can do who rules the database.

pub(crate) async fn run(pool: &Pool, sql: &str) -> Result<u64, Error> {
    let sql = sql.to_owned();
    on_pool!(*pool, |c| {
        sqlx::query(AssertSqlSafe(sql.clone())).execute(c).await.map(|done| done.rows_affected())
    })
}

/// Takes the triggers away that refuse changes.
pub(crate) async fn disarm(pool: &Pool) {
    if let Handle::Postgres(_) = pool.handle() {
        for table in TABLES {
            run(pool, &format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await.unwrap();
        }
        return;
    }
    let names: Vec<String> = on_pool!(*pool, |c| {
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetch_all(c).await
    })
    .unwrap();
    for name in names {
        run(pool, &format!("DROP TRIGGER {name}")).await.unwrap();
    }
}

/// Copies every table of the log.
pub(crate) async fn back_up(pool: &Pool) {
    for table in TABLES {
        run(pool, &format!("DROP TABLE IF EXISTS kept_{table}")).await.unwrap();
        run(pool, &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await.unwrap();
    }
}

/// Puts the copies back.
pub(crate) async fn put_back(pool: &Pool, tables: &[&str]) {
    for table in tables {
        run(pool, &format!("DELETE FROM {table}")).await.unwrap();
        run(pool, &format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await.unwrap();
    }
}

/// Makes the tree fit the records as they are now, up to `size`: a full recomputation.
pub(crate) async fn recompute(ledger: &Ledger, size: usize) {
    let pool = &ledger.house.pool;
    let (mut tree, mut tiles) = (Tree::empty(), Vec::new());
    for leaf in ledger.leaves().await.iter().take(size) {
        tree.push(Hash::leaf(leaf), &mut tiles);
    }
    for table in ["log_tiles", "log_heads"] {
        run(pool, &format!("DELETE FROM {table} WHERE tenant = '{TENANT}'")).await.unwrap();
    }
    let (size, edge) = (i64::try_from(tree.size()).unwrap(), tree.to_bytes());
    on_pool!(*pool, |c| {
        sqlx::query("INSERT INTO log_heads (tenant, size, edge) VALUES ($1, $2, $3)")
            .bind(TENANT)
            .bind(size)
            .bind(edge.clone())
            .execute(c)
            .await
            .map(|_done| ())
    })
    .unwrap();
    for tile in tiles {
        keep(pool, &tile).await;
    }
}

async fn keep(pool: &Pool, tile: &Tile) {
    let (level, index) = (i32::try_from(tile.id.level).unwrap(), i64::try_from(tile.id.index).unwrap());
    on_pool!(*pool, |c| {
        sqlx::query("INSERT INTO log_tiles (tenant, level, tile_index, hashes) VALUES ($1, $2, $3, $4)")
            .bind(TENANT)
            .bind(level)
            .bind(index)
            .bind(tile.to_bytes())
            .execute(c)
            .await
            .map(|_done| ())
    })
    .unwrap();
}
