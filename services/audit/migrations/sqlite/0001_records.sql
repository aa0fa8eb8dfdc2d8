-- The append-only log, sealed from the first migration. README.md says what is in `sealed` and what proofs hash.

CREATE TABLE records (
    tenant           TEXT    NOT NULL,
    record_id        BLOB    NOT NULL,
    phase            INTEGER NOT NULL,
    kind             INTEGER NOT NULL,
    recorded_at      INTEGER NOT NULL,
    stored_at        INTEGER NOT NULL,
    service          TEXT    NOT NULL,
    spool_id         BLOB    NOT NULL,
    spool_sequence   INTEGER NOT NULL,
    transport_digest BLOB    NOT NULL,
    endpoint         TEXT    NOT NULL,
    registration     TEXT    NOT NULL,
    purpose          TEXT    NOT NULL,
    feature          TEXT    NOT NULL,
    policy_decision  TEXT    NOT NULL,
    interaction      TEXT    NOT NULL,
    resource_types   TEXT    NOT NULL,
    released         INTEGER NOT NULL,
    withheld         INTEGER NOT NULL,
    outcome          INTEGER NOT NULL,
    code             TEXT    NOT NULL,
    http_status      INTEGER NOT NULL,
    upstream_status  INTEGER NOT NULL,
    request_id       BLOB,
    launch_id        BLOB,
    grant_id         BLOB,
    run_id           BLOB,
    job              TEXT    NOT NULL,
    trace_id         TEXT    NOT NULL,
    sealed           BLOB    NOT NULL,
    PRIMARY KEY (tenant, record_id, phase),
    UNIQUE (spool_id, spool_sequence)
) STRICT;
CREATE INDEX records_by_time ON records (tenant, recorded_at, record_id, phase);
CREATE INDEX records_by_launch ON records (tenant, launch_id, recorded_at);
CREATE INDEX records_by_trace ON records (tenant, trace_id, recorded_at);

-- Who a record is about: patients (1) and users (2). The subject's id is random, so that after an erasure nothing
-- here leads back to a person.
CREATE TABLE record_subjects (
    subject_id  BLOB    NOT NULL,
    recorded_at INTEGER NOT NULL,
    tenant      TEXT    NOT NULL,
    record_id   BLOB    NOT NULL,
    phase       INTEGER NOT NULL,
    PRIMARY KEY (subject_id, recorded_at, record_id, phase)
) STRICT;
CREATE INDEX record_subjects_by_record ON record_subjects (tenant, record_id, phase);

-- One data key per tenant, wrapped by the key-encryption key: it seals the subject keys and keys the blind index.
CREATE TABLE tenant_keys (
    tenant     TEXT    NOT NULL PRIMARY KEY,
    key_id     BLOB    NOT NULL,
    wrapped    BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- One key per patient and endpoint (1), per user (2), and one per tenant for ids that are nobody's (3). Erasure sets
-- blind and wrapped to NULL.
CREATE TABLE subject_keys (
    subject_id   BLOB    NOT NULL PRIMARY KEY,
    tenant       TEXT    NOT NULL,
    kind         INTEGER NOT NULL,
    endpoint     TEXT    NOT NULL,
    blind        BLOB,
    wrapped      BLOB,
    created_at   INTEGER NOT NULL,
    destroyed_at INTEGER,
    UNIQUE (tenant, kind, blind, endpoint)
) STRICT;

-- What could not be taken: a hash and a reason, never the content.
CREATE TABLE quarantine (
    digest         BLOB    NOT NULL PRIMARY KEY,
    reason         TEXT    NOT NULL,
    message_id     BLOB    NOT NULL,
    spool_id       BLOB,
    spool_sequence INTEGER,
    bytes          INTEGER NOT NULL,
    received_at    INTEGER NOT NULL
) STRICT;

CREATE TRIGGER records_no_update BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
CREATE TRIGGER records_no_delete BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
-- INSERT OR REPLACE removes rows without firing the trigger above.
CREATE TRIGGER records_no_replace BEFORE INSERT ON records
WHEN EXISTS (
    SELECT 1 FROM records
    WHERE (tenant = NEW.tenant AND record_id = NEW.record_id AND phase = NEW.phase)
       OR (spool_id = NEW.spool_id AND spool_sequence = NEW.spool_sequence)
)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER record_subjects_no_update BEFORE UPDATE ON record_subjects
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
CREATE TRIGGER record_subjects_no_delete BEFORE DELETE ON record_subjects
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
CREATE TRIGGER quarantine_no_update BEFORE UPDATE ON quarantine
BEGIN SELECT RAISE(ABORT, 'the quarantine is append-only'); END;
CREATE TRIGGER quarantine_no_delete BEFORE DELETE ON quarantine
BEGIN SELECT RAISE(ABORT, 'the quarantine is append-only'); END;
