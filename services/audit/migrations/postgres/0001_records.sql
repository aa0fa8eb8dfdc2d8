-- The append-only log, sealed from the first migration. README.md says what is in `sealed` and what proofs hash.

CREATE TABLE records (
    tenant           TEXT    NOT NULL,
    record_id        UUID    NOT NULL,
    phase            INTEGER NOT NULL,
    kind             INTEGER NOT NULL,
    recorded_at      BIGINT  NOT NULL,
    stored_at        BIGINT  NOT NULL,
    service          TEXT    NOT NULL,
    spool_id         UUID    NOT NULL,
    spool_sequence   BIGINT  NOT NULL,
    transport_digest BYTEA   NOT NULL,
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
    request_id       UUID,
    launch_id        UUID,
    grant_id         UUID,
    run_id           UUID,
    job              TEXT    NOT NULL,
    trace_id         TEXT    NOT NULL,
    sealed           BYTEA   NOT NULL,
    PRIMARY KEY (tenant, record_id, phase),
    UNIQUE (spool_id, spool_sequence)
);
CREATE INDEX records_by_time ON records (tenant, recorded_at, record_id, phase);
CREATE INDEX records_by_launch ON records (tenant, launch_id, recorded_at);
CREATE INDEX records_by_trace ON records (tenant, trace_id, recorded_at);

-- Who a record is about: patients (1) and users (2). The subject's id is random, so that after an erasure nothing
-- here leads back to a person.
CREATE TABLE record_subjects (
    subject_id  UUID    NOT NULL,
    recorded_at BIGINT  NOT NULL,
    tenant      TEXT    NOT NULL,
    record_id   UUID    NOT NULL,
    phase       INTEGER NOT NULL,
    PRIMARY KEY (subject_id, recorded_at, record_id, phase)
);
CREATE INDEX record_subjects_by_record ON record_subjects (tenant, record_id, phase);

-- One data key per tenant, wrapped by the key-encryption key: it seals the subject keys and keys the blind index.
CREATE TABLE tenant_keys (
    tenant     TEXT   NOT NULL PRIMARY KEY,
    key_id     UUID   NOT NULL,
    wrapped    BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);

-- One key per patient and endpoint (1), per user (2), and one per tenant for ids that are nobody's (3). Erasure sets
-- blind and wrapped to NULL.
CREATE TABLE subject_keys (
    subject_id   UUID    NOT NULL PRIMARY KEY,
    tenant       TEXT    NOT NULL,
    kind         INTEGER NOT NULL,
    endpoint     TEXT    NOT NULL,
    blind        BYTEA,
    wrapped      BYTEA,
    created_at   BIGINT  NOT NULL,
    destroyed_at BIGINT,
    UNIQUE (tenant, kind, blind, endpoint)
);

-- What could not be taken: a hash and a reason, never the content.
CREATE TABLE quarantine (
    digest         BYTEA  NOT NULL PRIMARY KEY,
    reason         TEXT   NOT NULL,
    message_id     UUID   NOT NULL,
    spool_id       UUID,
    spool_sequence BIGINT,
    bytes          BIGINT NOT NULL,
    received_at    BIGINT NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit records are append-only';
END
$$;
CREATE TRIGGER records_no_change BEFORE UPDATE OR DELETE ON records
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER records_no_truncate BEFORE TRUNCATE ON records
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER record_subjects_no_change BEFORE UPDATE OR DELETE ON record_subjects
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER record_subjects_no_truncate BEFORE TRUNCATE ON record_subjects
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER quarantine_no_change BEFORE UPDATE OR DELETE ON quarantine
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER quarantine_no_truncate BEFORE TRUNCATE ON quarantine
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
