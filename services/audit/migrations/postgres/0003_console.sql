-- Reviews: that somebody has looked through records, and what they found.
CREATE TABLE reviews (
    tenant       TEXT    NOT NULL,
    review_id    UUID    NOT NULL,
    reviewer     TEXT    NOT NULL,
    reviewed_at  BIGINT  NOT NULL,
    filter       TEXT    NOT NULL,
    period_from  BIGINT  NOT NULL,
    period_until BIGINT  NOT NULL,
    records      BIGINT  NOT NULL,
    finding      TEXT    NOT NULL,
    PRIMARY KEY (tenant, review_id)
);
CREATE INDEX reviews_by_time ON reviews (tenant, reviewed_at);
CREATE TRIGGER reviews_no_change BEFORE UPDATE OR DELETE ON reviews
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reviews_no_truncate BEFORE TRUNCATE ON reviews
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A run's records, for its page.
CREATE INDEX records_by_run ON records (tenant, run_id, recorded_at) WHERE run_id IS NOT NULL;
