-- Exports (kind bulk-export), one a run. State: asked, fetching, done, incomplete, failed. `status` and `handle` are sealed by
-- fhir-gateway and open for this run alone. `key_sealed` opens the files' frames: without the row they are noise.
-- `transaction_time` is the server's, as it wrote it; `hash` is over the plain content of every file.
CREATE TABLE exports (
  run_id           UUID   NOT NULL PRIMARY KEY REFERENCES runs (run_id),
  tenant           TEXT   NOT NULL,
  endpoint         TEXT   NOT NULL,
  job              TEXT   NOT NULL,
  state            TEXT   NOT NULL,
  status           TEXT   NOT NULL,
  since            TEXT   NOT NULL,
  transaction_time TEXT   NOT NULL,
  key_sealed       BYTEA  NOT NULL,
  data_key_id      UUID   NOT NULL,
  is_compressed    BOOLEAN NOT NULL,
  failures         BIGINT NOT NULL,
  hash             BYTEA,
  code             TEXT   NOT NULL,
  started_at       BIGINT NOT NULL,
  finished_at      BIGINT,
  expires_at       BIGINT NOT NULL
);
CREATE INDEX exports_job ON exports (tenant, job, finished_at);
CREATE INDEX exports_expiry ON exports (expires_at);

-- The files of an export in the manifest's order. State: waiting, done, repeated, given_up. `source_offset` is where the source
-- is gone on with, `length` and `frames` are what of our own file counts; they are committed together.
CREATE TABLE export_files (
  run_id        UUID   NOT NULL REFERENCES exports (run_id),
  part          BIGINT NOT NULL,
  kind          TEXT   NOT NULL,
  position      BIGINT NOT NULL,
  handle        TEXT   NOT NULL,
  digest        BYTEA  NOT NULL,
  resource_type TEXT   NOT NULL,
  expected      BIGINT NOT NULL,
  state         TEXT   NOT NULL,
  source_offset BIGINT NOT NULL,
  length        BIGINT NOT NULL,
  frames        BIGINT NOT NULL,
  resources     BIGINT NOT NULL,
  withheld      BIGINT NOT NULL,
  etag          TEXT   NOT NULL,
  hash          BYTEA  NOT NULL,
  failures      BIGINT NOT NULL,
  code          TEXT   NOT NULL,
  PRIMARY KEY (run_id, part, kind, position)
);

-- Lines of an export that did not come, by file and place.
CREATE TABLE export_withheld (
  run_id   UUID   NOT NULL,
  part     BIGINT NOT NULL,
  kind     TEXT   NOT NULL,
  position BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  length   BIGINT NOT NULL,
  code     TEXT   NOT NULL,
  PRIMARY KEY (run_id, part, kind, position, at)
);
