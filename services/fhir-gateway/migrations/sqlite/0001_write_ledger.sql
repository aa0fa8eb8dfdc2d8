-- Data keys, wrapped by the key-encryption key with (tenant, purpose, key id) as associated data. The highest generation
-- of a purpose seals; older ones still open what they sealed.
CREATE TABLE data_keys (
  tenant     TEXT   NOT NULL,
  purpose    TEXT   NOT NULL,
  generation BIGINT NOT NULL,
  key_id     BLOB   NOT NULL UNIQUE,
  wrapped    BLOB   NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, purpose, generation)
);

-- The write ledger: one row for each write that a person approved, there before the EHR is called.
-- States: approved, executing, applied, rejected, conflict, unknown, reconciled. `finding` is what a search found after an
-- unknown outcome: applied or absent; empty in every other state. `dedup_key` is a keyed hash over what was approved and
-- also the value of the identifier by which the EHR is asked. Whose record and what is written are sealed with
-- (tenant, write, field) as associated data; `patient_index` and `payload_hash` are keyed.
CREATE TABLE writes (
  write_id         BLOB   NOT NULL PRIMARY KEY,
  tenant           TEXT   NOT NULL,
  endpoint         TEXT   NOT NULL,
  registration     TEXT   NOT NULL,
  launch_id        BLOB   NOT NULL,
  grant_id         BLOB   NOT NULL,
  feature          TEXT   NOT NULL,
  proposal_id      BLOB,
  operation        TEXT   NOT NULL,
  resource_type    TEXT   NOT NULL,
  dedup_key        TEXT   NOT NULL,
  payload_hash     BLOB   NOT NULL,
  base_version     TEXT   NOT NULL,
  patient_index    BLOB   NOT NULL,
  data_key_id      BLOB   NOT NULL,
  intent_sealed    BLOB   NOT NULL,
  result_sealed    BLOB,
  state            TEXT   NOT NULL,
  finding          TEXT   NOT NULL,
  code             TEXT   NOT NULL,
  epoch            BIGINT NOT NULL,
  lease_expires_at BIGINT NOT NULL,
  attempts         BIGINT NOT NULL,
  looks            BIGINT NOT NULL,
  sent_at          BIGINT NOT NULL,
  look_at          BIGINT NOT NULL,
  created_at       BIGINT NOT NULL,
  updated_at       BIGINT NOT NULL,
  ended_at         BIGINT,
  UNIQUE (tenant, endpoint, dedup_key)
);
CREATE INDEX writes_state ON writes (state, look_at);
CREATE INDEX writes_launch ON writes (tenant, launch_id, created_at);
CREATE INDEX writes_patient ON writes (tenant, endpoint, patient_index, state);
CREATE INDEX writes_proposal ON writes (tenant, proposal_id);
