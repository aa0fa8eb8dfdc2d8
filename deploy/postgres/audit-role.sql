-- Rights of the role that the audit service connects as: it appends to the log and cannot change it.
--
--   psql -v ON_ERROR_STOP=1 -v schema=sallyport_audit -v role=sallyport_audit_writer -f audit-role.sql
--
-- The role is made beforehand (CREATE ROLE sallyport_audit_writer LOGIN …), and owns nothing: the tables belong to
-- the role that runs `sallyport migrate`, so that this one cannot take their triggers away either. The service runs
-- with database.migrate_at_start = false. Run this again after a migration.

GRANT USAGE ON SCHEMA :"schema" TO :"role";
REVOKE ALL ON ALL TABLES IN SCHEMA :"schema" FROM :"role";

-- Appended to, and read.
GRANT SELECT, INSERT ON :"schema".records, :"schema".record_subjects, :"schema".quarantine, :"schema".log_adopted,
    :"schema".log_tiles, :"schema".log_checkpoints, :"schema".reviews TO :"role";

-- The log's right edge grows; keys are wrapped anew, and destroyed when somebody is erased.
GRANT SELECT, INSERT, UPDATE ON :"schema".log_heads, :"schema".tenant_keys, :"schema".subject_keys TO :"role";

-- Which migrations were applied.
GRANT SELECT ON :"schema"._sqlx_migrations TO :"role";
