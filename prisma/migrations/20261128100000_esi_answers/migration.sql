-- Small answers of ESI that all processes share until they expire, such as /status. `claimed_until`: a process requests
-- the answer, and the others wait for it.
CREATE TABLE esi_answers (
  url           TEXT PRIMARY KEY,
  body          JSONB,
  etag          TEXT,
  last_modified TIMESTAMPTZ,
  expires       TIMESTAMPTZ,
  pages         INTEGER,
  claimed_until TIMESTAMPTZ
);
