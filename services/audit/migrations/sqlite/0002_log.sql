-- The Merkle log over the records, one per tenant. README.md says what a leaf is.

-- The place in the tenant's log, from 0 without a gap. NULL: stored by a version before the log, see log_adopted.
ALTER TABLE records ADD COLUMN log_index INTEGER;
CREATE INDEX records_by_log ON records (tenant, log_index);

-- Records that were stored without a place and given one later.
CREATE TABLE log_adopted (
    tenant     TEXT    NOT NULL,
    log_index  INTEGER  NOT NULL,
    record_id  BLOB    NOT NULL,
    phase      INTEGER NOT NULL,
    adopted_at INTEGER  NOT NULL,
    PRIMARY KEY (tenant, log_index),
    UNIQUE (tenant, record_id, phase)
) STRICT;

-- The right edge of each log: all that an append needs. The row's lock is what puts a tenant's appends in order.
CREATE TABLE log_heads (
    tenant TEXT   NOT NULL PRIMARY KEY,
    size   INTEGER NOT NULL,
    edge   BLOB  NOT NULL
) STRICT;

-- Complete tiles of 32 hashes: what proofs are made from.
CREATE TABLE log_tiles (
    tenant     TEXT    NOT NULL,
    level      INTEGER NOT NULL,
    tile_index INTEGER  NOT NULL,
    hashes     BLOB   NOT NULL,
    PRIMARY KEY (tenant, level, tile_index)
) STRICT;

-- Checkpoints that were signed and published. The copies that count are elsewhere.
CREATE TABLE log_checkpoints (
    tenant    TEXT   NOT NULL,
    size      INTEGER NOT NULL,
    signed_at INTEGER NOT NULL,
    note      TEXT   NOT NULL,
    PRIMARY KEY (tenant, size)
) STRICT;

CREATE TRIGGER log_adopted_no_update BEFORE UPDATE ON log_adopted
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER log_adopted_no_delete BEFORE DELETE ON log_adopted
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER log_tiles_no_update BEFORE UPDATE ON log_tiles
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER log_tiles_no_delete BEFORE DELETE ON log_tiles
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER log_checkpoints_no_update BEFORE UPDATE ON log_checkpoints
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER log_checkpoints_no_delete BEFORE DELETE ON log_checkpoints
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- INSERT OR REPLACE removes rows without firing the triggers above.
CREATE TRIGGER log_adopted_no_replace BEFORE INSERT ON log_adopted
WHEN EXISTS (
    SELECT 1 FROM log_adopted
    WHERE (tenant = NEW.tenant AND log_index = NEW.log_index)
       OR (tenant = NEW.tenant AND record_id = NEW.record_id AND phase = NEW.phase)
)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER log_tiles_no_replace BEFORE INSERT ON log_tiles
WHEN EXISTS (
    SELECT 1 FROM log_tiles
    WHERE tenant = NEW.tenant AND level = NEW.level AND tile_index = NEW.tile_index
)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER log_checkpoints_no_replace BEFORE INSERT ON log_checkpoints
WHEN EXISTS (
    SELECT 1 FROM log_checkpoints
    WHERE tenant = NEW.tenant AND size = NEW.size
)
BEGIN SELECT RAISE(IGNORE); END;
