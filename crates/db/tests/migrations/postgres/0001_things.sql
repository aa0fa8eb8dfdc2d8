CREATE TABLE things (
    id UUID PRIMARY KEY,
    at BIGINT NOT NULL,
    body BYTEA NOT NULL,
    is_done BOOLEAN NOT NULL,
    note TEXT
);
