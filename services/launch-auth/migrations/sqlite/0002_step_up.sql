-- The session that a step-up authorisation starts from: the new one must be of the same person and the same patient.
ALTER TABLE launches ADD COLUMN step_up_of BLOB;
