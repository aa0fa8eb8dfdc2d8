-- Data keys, wrapped by the key-encryption key with (tenant, purpose, key id) as associated data. The highest generation
-- of a purpose seals; older ones still open what they sealed.
CREATE TABLE data_keys (
  tenant     TEXT   NOT NULL,
  purpose    TEXT   NOT NULL,
  generation BIGINT NOT NULL,
  key_id     UUID   NOT NULL UNIQUE,
  wrapped    BYTEA  NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, purpose, generation)
);

-- Keys that sign client assertions, one per registration, sealed under the tenant's data key.
CREATE TABLE signing_keys (
  registration TEXT   NOT NULL PRIMARY KEY,
  tenant       TEXT   NOT NULL,
  data_key_id  UUID   NOT NULL,
  sealed       BYTEA  NOT NULL,
  created_at   BIGINT NOT NULL
);

-- Grants: one stored authorisation. Tokens are sealed with (tenant, grant, field) as associated data; the person is a
-- keyed blind index. States: active, refreshing, uncertain, dead, revoked. `upstream` is how far the revocation at the
-- EHR is: none, pending, done, failed, not_offered.
CREATE TABLE grants (
  grant_id               UUID   NOT NULL PRIMARY KEY,
  tenant                 TEXT   NOT NULL,
  endpoint               TEXT   NOT NULL,
  registration           TEXT   NOT NULL,
  launch_id              UUID   NOT NULL,
  user_index             BYTEA,
  state                  TEXT   NOT NULL,
  reason                 TEXT   NOT NULL,
  version                BIGINT NOT NULL,
  data_key_id            UUID   NOT NULL,
  access_sealed          BYTEA,
  refresh_sealed         BYTEA,
  access_expires_at      BIGINT NOT NULL,
  granted_scope          TEXT   NOT NULL,
  token_endpoint         TEXT   NOT NULL,
  issuer                 TEXT   NOT NULL,
  revocation_endpoint    TEXT   NOT NULL,
  introspection_endpoint TEXT   NOT NULL,
  created_at             BIGINT NOT NULL,
  claimed_at             BIGINT,
  refreshed_at           BIGINT NOT NULL,
  ended_at               BIGINT,
  failures               BIGINT NOT NULL,
  not_before             BIGINT NOT NULL,
  lease_epoch            BIGINT NOT NULL,
  lease_expires_at       BIGINT NOT NULL,
  upstream               TEXT   NOT NULL,
  upstream_attempts      BIGINT NOT NULL,
  upstream_at            BIGINT NOT NULL
);
CREATE INDEX grants_launch ON grants (tenant, launch_id);
CREATE INDEX grants_user ON grants (tenant, user_index);
CREATE INDEX grants_endpoint ON grants (tenant, endpoint, state);
CREATE INDEX grants_upstream ON grants (upstream, upstream_at);
CREATE INDEX grants_state ON grants (state, refreshed_at);

-- Revocations, tailed by the services that must stop at once. The head row makes the sequence gapless: whoever appends
-- holds it until its commit, so a reader never sees a number before the ones below it. `kind` is grant or launch.
CREATE TABLE revocations (
  sequence   BIGINT NOT NULL PRIMARY KEY,
  kind       TEXT   NOT NULL,
  id         UUID   NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX revocations_id ON revocations (id);
CREATE TABLE revocation_head (
  id   BIGINT NOT NULL PRIMARY KEY,
  head BIGINT NOT NULL
);
INSERT INTO revocation_head (id, head) VALUES (1, 0);
