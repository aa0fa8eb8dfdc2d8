-- Incidents: what somebody had revoked in one go, and how far it is. `scope` is the message as it was asked for; while an
-- incident is open, asking for the same scope goes on with it. `report` is empty until it is closed.
CREATE TABLE incidents (
  incident_id BLOB   NOT NULL PRIMARY KEY,
  scope       BLOB   NOT NULL,
  operator    TEXT   NOT NULL,
  reason      TEXT   NOT NULL,
  opened_at   BIGINT NOT NULL,
  closed_at   BIGINT,
  report      TEXT   NOT NULL
);
CREATE UNIQUE INDEX incidents_open ON incidents (scope) WHERE closed_at IS NULL;

-- What an incident covers, laid down when it was opened: a file that changes meanwhile changes no incident.
CREATE TABLE incident_targets (
  incident_id  BLOB   NOT NULL REFERENCES incidents (incident_id),
  position     BIGINT NOT NULL,
  tenant       TEXT   NOT NULL,
  selector     BLOB   NOT NULL,
  is_done      BOOLEAN NOT NULL,
  jobs_stopped BIGINT NOT NULL,
  PRIMARY KEY (incident_id, position)
);
