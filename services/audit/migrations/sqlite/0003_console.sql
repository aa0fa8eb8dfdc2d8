-- Reviews: that somebody has looked through records, and what they found.
CREATE TABLE reviews (
    tenant       TEXT    NOT NULL,
    review_id    BLOB    NOT NULL,
    reviewer     TEXT    NOT NULL,
    reviewed_at  INTEGER NOT NULL,
    filter       TEXT    NOT NULL,
    period_from  INTEGER NOT NULL,
    period_until INTEGER NOT NULL,
    records      INTEGER NOT NULL,
    finding      TEXT    NOT NULL,
    PRIMARY KEY (tenant, review_id)
) STRICT;
CREATE INDEX reviews_by_time ON reviews (tenant, reviewed_at);
CREATE TRIGGER reviews_no_update BEFORE UPDATE ON reviews
BEGIN SELECT RAISE(ABORT, 'reviews are append-only'); END;
CREATE TRIGGER reviews_no_delete BEFORE DELETE ON reviews
BEGIN SELECT RAISE(ABORT, 'reviews are append-only'); END;
CREATE TRIGGER reviews_no_replace BEFORE INSERT ON reviews
WHEN EXISTS (SELECT 1 FROM reviews WHERE tenant = NEW.tenant AND review_id = NEW.review_id)
BEGIN SELECT RAISE(ABORT, 'reviews are append-only'); END;

-- A run's records, for its page.
CREATE INDEX records_by_run ON records (tenant, run_id, recorded_at) WHERE run_id IS NOT NULL;
