-- A grant of a registration by itself (client credentials): what was asked for, and is asked for again when its token
-- nears its end. NULL for the grants of persons, which are renewed by their refresh token.
ALTER TABLE grants ADD COLUMN service_scope TEXT;
