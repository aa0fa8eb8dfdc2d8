-- What endpoints look like. No row holds a value of a record: names of elements, addresses of definitions, counts.

-- One look at an endpoint; `body` is JSON by area.
CREATE TABLE snapshots (
  tenant   TEXT   NOT NULL,
  endpoint TEXT   NOT NULL,
  taken_at BIGINT NOT NULL,
  body     TEXT   NOT NULL,
  PRIMARY KEY (tenant, endpoint, taken_at)
);

-- What changed, and what is not as it is configured. `what`: added, removed, changed, mismatch. `class`: breaking, loses,
-- gains, note. A change ends when it is found; a mismatch lasts until a look does not find it any more.
CREATE TABLE findings (
  tenant        TEXT   NOT NULL,
  endpoint      TEXT   NOT NULL,
  area          TEXT   NOT NULL,
  subject       TEXT   NOT NULL,
  what          TEXT   NOT NULL,
  found_at      BIGINT NOT NULL,
  class         TEXT   NOT NULL,
  features      TEXT   NOT NULL,
  before_value  TEXT   NOT NULL,
  after_value   TEXT   NOT NULL,
  last_found_at BIGINT NOT NULL,
  ended_at      BIGINT,
  PRIMARY KEY (tenant, endpoint, area, subject, what, found_at)
);
CREATE INDEX findings_time ON findings (tenant, endpoint, last_found_at);

-- What replicas saw in answers since the last look.
CREATE TABLE observations (
  observation_id UUID   NOT NULL PRIMARY KEY,
  tenant         TEXT   NOT NULL,
  endpoint       TEXT   NOT NULL,
  seen_at        BIGINT NOT NULL,
  body           TEXT   NOT NULL
);
CREATE INDEX observations_place ON observations (tenant, endpoint);

-- When an endpoint is looked at next; whoever moves the time does it.
CREATE TABLE probe_turns (
  tenant   TEXT   NOT NULL,
  endpoint TEXT   NOT NULL,
  next_at  BIGINT NOT NULL,
  PRIMARY KEY (tenant, endpoint)
);
