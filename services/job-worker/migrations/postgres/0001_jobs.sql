-- Data keys, wrapped by the key-encryption key with (tenant, purpose, key id) as associated data. The highest generation of a
-- purpose seals; older ones still open what they sealed.
CREATE TABLE data_keys (
  tenant     TEXT   NOT NULL,
  purpose    TEXT   NOT NULL,
  generation BIGINT NOT NULL,
  key_id     UUID  NOT NULL UNIQUE,
  wrapped    BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, purpose, generation)
);

-- Runs. `pin` is what of the definition must not change under a run; `pinned_scope` what was granted when it started. States:
-- running, paused, stopped, done. `parallel` is how many of its batches are worked on at a time. A run that waits as a whole
-- (its hours are over) has `not_before` and the reason in `wait`. `user_sealed` is who the grant is of, where it is a user's.
CREATE TABLE runs (
  run_id        UUID  NOT NULL PRIMARY KEY,
  tenant        TEXT   NOT NULL,
  job           TEXT   NOT NULL,
  kind          TEXT   NOT NULL,
  endpoint      TEXT   NOT NULL,
  vendor        TEXT   NOT NULL,
  registration  TEXT   NOT NULL,
  feature       TEXT   NOT NULL,
  identity      TEXT   NOT NULL,
  pin           TEXT   NOT NULL,
  state         TEXT   NOT NULL,
  code          TEXT   NOT NULL,
  scope         TEXT   NOT NULL,
  is_planned    BIGINT NOT NULL,
  parallel      BIGINT NOT NULL,
  not_before    BIGINT NOT NULL,
  wait          TEXT   NOT NULL,
  grant_id      UUID,
  user_sealed   BYTEA,
  data_key_id   UUID,
  pinned_scope  TEXT   NOT NULL,
  started_by    TEXT   NOT NULL,
  reason        TEXT   NOT NULL,
  scheduled_for BIGINT,
  created_at    BIGINT NOT NULL,
  ended_at      BIGINT,
  calls         BIGINT NOT NULL
);
-- A schedule's moment starts one run, whichever replica notices it.
CREATE UNIQUE INDEX runs_scheduled ON runs (tenant, job, scheduled_for);
CREATE INDEX runs_state ON runs (state, tenant);

-- Batches: the unit of work, under a lease with a fencing epoch. Batch 0 of a run is its planning and has no items. `position`
-- is how many of its items are done; `checkpoint` what the kind saved within the item at that position. States: ready, leased,
-- done. `deaths` counts workers that died at this position, `attempts` failures of its item.
CREATE TABLE batches (
  batch_id         UUID  NOT NULL PRIMARY KEY,
  run_id           UUID  NOT NULL REFERENCES runs (run_id),
  tenant           TEXT   NOT NULL,
  seq              BIGINT NOT NULL,
  state            TEXT   NOT NULL,
  items_sealed     BYTEA NOT NULL,
  data_key_id      UUID  NOT NULL,
  item_count       BIGINT NOT NULL,
  position         BIGINT NOT NULL,
  checkpoint       BYTEA,
  attempts         BIGINT NOT NULL,
  deaths           BIGINT NOT NULL,
  epoch            BIGINT NOT NULL,
  lease_owner      UUID,
  lease_expires_at BIGINT NOT NULL,
  not_before       BIGINT NOT NULL,
  wait             TEXT   NOT NULL,
  code             TEXT   NOT NULL,
  busy_us          BIGINT NOT NULL,
  UNIQUE (run_id, seq)
);
CREATE INDEX batches_lease ON batches (state, lease_expires_at);
CREATE INDEX batches_tenant ON batches (tenant, state);

-- The outbox: a row for every batch that is ready, written in the transaction that made it so. `published_at` is when it was
-- handed to the queue, by which worker; the row goes when the batch is leased, so that what a broker lost is published again.
CREATE TABLE outbox (
  batch_id     UUID  NOT NULL PRIMARY KEY REFERENCES batches (batch_id),
  run_id       UUID  NOT NULL,
  tenant       TEXT   NOT NULL,
  due_at       BIGINT NOT NULL,
  published_at BIGINT,
  published_by UUID
);
CREATE INDEX outbox_due ON outbox (tenant, due_at);

-- Closed windows of endpoints: no call before `until`, whoever asks.
CREATE TABLE holds (
  tenant   TEXT   NOT NULL,
  endpoint TEXT   NOT NULL,
  until    BIGINT NOT NULL,
  wait     TEXT   NOT NULL,
  PRIMARY KEY (tenant, endpoint)
);

-- Items that could not be done, set aside alone. State: waiting, redriven.
CREATE TABLE quarantine (
  letter_id   UUID  NOT NULL PRIMARY KEY,
  run_id      UUID  NOT NULL REFERENCES runs (run_id),
  tenant      TEXT   NOT NULL,
  item_sealed BYTEA NOT NULL,
  data_key_id UUID  NOT NULL,
  code        TEXT   NOT NULL,
  attempts    BIGINT NOT NULL,
  state       TEXT   NOT NULL,
  created_at  BIGINT NOT NULL
);
CREATE INDEX quarantine_run ON quarantine (run_id, state);

-- Grants that registrations hold for themselves, by feature: runs share one, so that their number stays bounded.
CREATE TABLE service_grants (
  registration  TEXT   NOT NULL,
  feature       TEXT   NOT NULL,
  tenant        TEXT   NOT NULL,
  grant_id      UUID  NOT NULL,
  granted_scope TEXT   NOT NULL,
  created_at    BIGINT NOT NULL,
  PRIMARY KEY (registration, feature)
);

-- Nothing starts for a blocked tenant or vendor. `what` is tenant or vendor.
CREATE TABLE blocks (
  what       TEXT   NOT NULL,
  name       TEXT   NOT NULL,
  set_by     TEXT   NOT NULL,
  reason     TEXT   NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (what, name)
);

-- What crawls have read: the latest of each type for each patient, sealed. The patient is a keyed blind index. `writes` is how
-- often the present run wrote the row, and is 1. `full_read_at` is when the type was last read whole, `watermark` the server's
-- own time up to which changes are known.
CREATE TABLE results (
  tenant        TEXT   NOT NULL,
  job           TEXT   NOT NULL,
  subject       BYTEA NOT NULL,
  resource_type TEXT   NOT NULL,
  run_id        UUID  NOT NULL,
  sealed        BYTEA NOT NULL,
  data_key_id   UUID  NOT NULL,
  resources     BIGINT NOT NULL,
  read_at       BIGINT NOT NULL,
  full_read_at  BIGINT NOT NULL,
  watermark     TEXT   NOT NULL,
  partial       TEXT   NOT NULL,
  writes        BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  PRIMARY KEY (tenant, job, subject, resource_type)
);
CREATE INDEX results_run ON results (run_id);
CREATE INDEX results_expiry ON results (expires_at);
