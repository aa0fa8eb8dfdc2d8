-- Links that sign somebody in at the console, once. The secret is stored as SHA-256 only. `tenants` is `*` for all, or names
-- with a space between them.
CREATE TABLE operator_links (
  link_digest BLOB   NOT NULL PRIMARY KEY,
  name        TEXT   NOT NULL,
  role        TEXT   NOT NULL,
  tenants     TEXT   NOT NULL,
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  used_at     BIGINT
);

-- Sessions at the console. The cookie's value is stored as SHA-256 only.
CREATE TABLE operator_sessions (
  session_id          BLOB   NOT NULL PRIMARY KEY,
  secret_digest       BLOB   NOT NULL UNIQUE,
  name                TEXT   NOT NULL,
  role                TEXT   NOT NULL,
  tenants             TEXT   NOT NULL,
  opened_by           TEXT   NOT NULL,
  created_at          BIGINT NOT NULL,
  last_active_at      BIGINT NOT NULL,
  absolute_expires_at BIGINT NOT NULL,
  ended_at            BIGINT
);
CREATE INDEX operator_sessions_open ON operator_sessions (name) WHERE ended_at IS NULL;
