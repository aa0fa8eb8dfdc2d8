CREATE TABLE jobs (
    id BIGINT PRIMARY KEY,
    worker BIGINT
);
