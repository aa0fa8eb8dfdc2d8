-- What jobs propose that a person writes: one row for each patient, rule and occasion (the rule's period). State: open, approved,
-- rejected, expired, withdrawn. `outcome` is what came of an approval: applied, unknown, or, of a row that is open again, refused or
-- conflict with its `code`. `sealed` is what is proposed and why, `decision_sealed` who decided what, `result_sealed` what the EHR has.
-- `content` is a keyed hash: an open row with the same content is left as it is.
CREATE TABLE proposals (
  proposal_id     UUID   NOT NULL PRIMARY KEY,
  tenant          TEXT   NOT NULL,
  endpoint        TEXT   NOT NULL,
  job             TEXT   NOT NULL,
  run_id          UUID   NOT NULL,
  subject         BYTEA  NOT NULL,
  rule            TEXT   NOT NULL,
  occasion        TEXT   NOT NULL,
  resource_type   TEXT   NOT NULL,
  base_version    TEXT   NOT NULL,
  content         BYTEA  NOT NULL,
  sealed          BYTEA  NOT NULL,
  data_key_id     UUID   NOT NULL,
  state           TEXT   NOT NULL,
  outcome         TEXT   NOT NULL,
  code            TEXT   NOT NULL,
  decision_sealed BYTEA,
  decision_key_id UUID,
  result_sealed   BYTEA,
  result_key_id   UUID,
  decided_at      BIGINT NOT NULL,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL,
  expires_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX proposals_occasion ON proposals (tenant, endpoint, job, subject, occasion);
CREATE INDEX proposals_subject ON proposals (tenant, subject);
CREATE INDEX proposals_expiry ON proposals (state, expires_at);
