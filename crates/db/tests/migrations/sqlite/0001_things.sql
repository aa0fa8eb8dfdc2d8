CREATE TABLE things (
    id BLOB PRIMARY KEY,
    at BIGINT NOT NULL,
    body BLOB NOT NULL,
    is_done BOOLEAN NOT NULL,
    note TEXT
);
