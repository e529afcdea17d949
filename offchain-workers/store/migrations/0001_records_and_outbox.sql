-- What a role knows of each of its items, as JSON under optimistic versions.
CREATE TABLE records (
    kind    TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    value   TEXT    NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- What is still to be done outside, each once, under a key of the caller's.
CREATE TABLE outbox (
    key        TEXT    NOT NULL PRIMARY KEY,
    topic      TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    state      INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    attempts   INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    outcome    TEXT,
    last_error TEXT,
    created    INTEGER NOT NULL,
    updated    INTEGER NOT NULL
) STRICT;

CREATE INDEX outbox_due ON outbox (topic, not_before) WHERE state = 0;
CREATE INDEX outbox_old ON outbox (updated) WHERE state <> 0;
