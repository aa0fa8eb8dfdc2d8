-- Launches: one row from the click until the answer comes back. The state and the browser's cookie are stored as
-- SHA-256 only; the verifier and the nonce are emptied as soon as the launch is over.
CREATE TABLE launches (
  launch_id              BLOB    NOT NULL PRIMARY KEY,
  tenant                 TEXT    NOT NULL,
  endpoint               TEXT    NOT NULL,
  registration           TEXT    NOT NULL,
  app                    TEXT    NOT NULL,
  is_ehr_launch          BOOLEAN NOT NULL,
  state_digest           BLOB    NOT NULL UNIQUE,
  browser_digest         BLOB    NOT NULL,
  aud                    TEXT    NOT NULL,
  launch_parameter       TEXT    NOT NULL,
  redirect_uri           TEXT    NOT NULL,
  token_endpoint         TEXT    NOT NULL,
  issuer                 TEXT    NOT NULL,
  jwks_uri               TEXT    NOT NULL,
  revocation_endpoint    TEXT    NOT NULL,
  introspection_endpoint TEXT    NOT NULL,
  announces_issuer       BOOLEAN NOT NULL,
  nonce                  TEXT    NOT NULL,
  code_verifier          TEXT    NOT NULL,
  requested_scope        TEXT    NOT NULL,
  features               TEXT    NOT NULL,
  traceparent            TEXT    NOT NULL,
  created_at             BIGINT  NOT NULL,
  expires_at             BIGINT  NOT NULL,
  consumed_at            BIGINT,
  outcome                TEXT    NOT NULL
);
CREATE INDEX launches_created_at ON launches (created_at);

-- Sessions: what a successful launch opened. The cookie's value is stored as SHA-256 only.
CREATE TABLE sessions (
  launch_id           BLOB    NOT NULL PRIMARY KEY,
  tenant              TEXT    NOT NULL,
  endpoint            TEXT    NOT NULL,
  registration        TEXT    NOT NULL,
  app                 TEXT    NOT NULL,
  is_ehr_launch       BOOLEAN NOT NULL,
  secret_digest       BLOB    NOT NULL,
  grant_id            BLOB    NOT NULL,
  user_issuer         TEXT    NOT NULL,
  user_subject        TEXT    NOT NULL,
  fhir_user           TEXT    NOT NULL,
  user_display        TEXT    NOT NULL,
  patient             TEXT    NOT NULL,
  encounter           TEXT    NOT NULL,
  granted_scope       TEXT    NOT NULL,
  intent              TEXT    NOT NULL,
  need_patient_banner BOOLEAN NOT NULL,
  fhir_context_json   TEXT    NOT NULL,
  smart_style_url     TEXT    NOT NULL,
  features            TEXT    NOT NULL,
  traceparent         TEXT    NOT NULL,
  renewable           BOOLEAN NOT NULL,
  token_expires_at    BIGINT  NOT NULL,
  created_at          BIGINT  NOT NULL,
  last_active_at      BIGINT  NOT NULL,
  absolute_expires_at BIGINT  NOT NULL,
  ended_at            BIGINT,
  end_reason          TEXT    NOT NULL,
  grant_revoked       BOOLEAN NOT NULL
);
CREATE INDEX sessions_tenant ON sessions (tenant, ended_at);
CREATE INDEX sessions_open ON sessions (ended_at, last_active_at);
CREATE INDEX sessions_unrevoked ON sessions (grant_revoked, ended_at);

-- Revocations, tailed by the services that must stop at once. The head row makes the sequence gapless: whoever appends
-- holds it until its commit, so a reader never sees a number before the ones below it.
CREATE TABLE revocations (
  sequence   BIGINT NOT NULL PRIMARY KEY,
  launch_id  BLOB   NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE TABLE revocation_head (
  id   BIGINT NOT NULL PRIMARY KEY,
  head BIGINT NOT NULL
);
INSERT INTO revocation_head (id, head) VALUES (1, 0);
