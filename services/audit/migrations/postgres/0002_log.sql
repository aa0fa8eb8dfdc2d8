-- The Merkle log over the records, one per tenant. README.md says what a leaf is.

-- The place in the tenant's log, from 0 without a gap. NULL: stored by a version before the log, see log_adopted.
ALTER TABLE records ADD COLUMN log_index BIGINT;
CREATE INDEX records_by_log ON records (tenant, log_index);

-- Records that were stored without a place and given one later.
CREATE TABLE log_adopted (
    tenant     TEXT    NOT NULL,
    log_index  BIGINT  NOT NULL,
    record_id  UUID    NOT NULL,
    phase      INTEGER NOT NULL,
    adopted_at BIGINT  NOT NULL,
    PRIMARY KEY (tenant, log_index),
    UNIQUE (tenant, record_id, phase)
);

-- The right edge of each log: all that an append needs. The row's lock is what puts a tenant's appends in order.
CREATE TABLE log_heads (
    tenant TEXT   NOT NULL PRIMARY KEY,
    size   BIGINT NOT NULL,
    edge   BYTEA  NOT NULL
);

-- Complete tiles of 32 hashes: what proofs are made from.
CREATE TABLE log_tiles (
    tenant     TEXT    NOT NULL,
    level      INTEGER NOT NULL,
    tile_index BIGINT  NOT NULL,
    hashes     BYTEA   NOT NULL,
    PRIMARY KEY (tenant, level, tile_index)
);

-- Checkpoints that were signed and published. The copies that count are elsewhere.
CREATE TABLE log_checkpoints (
    tenant    TEXT   NOT NULL,
    size      BIGINT NOT NULL,
    signed_at BIGINT NOT NULL,
    note      TEXT   NOT NULL,
    PRIMARY KEY (tenant, size)
);

CREATE TRIGGER log_adopted_no_change BEFORE UPDATE OR DELETE ON log_adopted
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_adopted_no_truncate BEFORE TRUNCATE ON log_adopted
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_tiles_no_change BEFORE UPDATE OR DELETE ON log_tiles
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_tiles_no_truncate BEFORE TRUNCATE ON log_tiles
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_checkpoints_no_change BEFORE UPDATE OR DELETE ON log_checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_checkpoints_no_truncate BEFORE TRUNCATE ON log_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
