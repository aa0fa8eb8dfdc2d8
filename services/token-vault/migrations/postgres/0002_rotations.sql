-- Rotations of keys, one row each; at most one is not closed. Counters say how far it is, the lease which process works
-- on it. Everything else is read from the rows themselves, so that a rotation goes on where a dead process left it.
CREATE TABLE key_rotations (
  number           BIGINT NOT NULL PRIMARY KEY,
  started_at       BIGINT NOT NULL,
  rotates_kek      BIGINT NOT NULL,
  kek_version      BIGINT NOT NULL,
  renews_data_keys BIGINT NOT NULL,
  replaces_lost    BIGINT NOT NULL,
  rewrapped        BIGINT NOT NULL,
  resealed         BIGINT NOT NULL,
  unreadable       BIGINT NOT NULL,
  closed_at        BIGINT,
  lease_epoch      BIGINT NOT NULL,
  lease_expires_at BIGINT NOT NULL
);

-- What is sealed under one data key.
CREATE INDEX grants_data_key ON grants (data_key_id, grant_id);
