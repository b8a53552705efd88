-- An instance that is not closed has its open work described by its history; `wake_at` says when
-- it must be in memory: 0 at once after a restart, a time for its next timer, NULL when only
-- something from outside can move it on.
CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    run INTEGER NOT NULL,
    workflow TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    wake_at INTEGER,
    parent_id TEXT,
    custom_status TEXT,
    stalled TEXT
);
CREATE INDEX instances_wake ON instances (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX instances_parent ON instances (parent_id) WHERE parent_id IS NOT NULL;

-- One row per turn: a batch of events. A run is one execution; continue-as-new begins another.
CREATE TABLE history (
    run INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    at INTEGER NOT NULL,
    events BLOB NOT NULL,
    PRIMARY KEY (run, turn)
) WITHOUT ROWID;

-- Events for an instance that no turn has taken up yet: from other instances, from processes that
-- do not own the file, of starts in the future, and what arrived while an instance was stalled.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    event BLOB NOT NULL
);
CREATE INDEX messages_instance ON messages (instance_id);
CREATE INDEX messages_due ON messages (due_at);

-- Which process runs turns. The fence grows with every change of owner.
CREATE TABLE lease (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    fence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    owner TEXT NOT NULL
);
INSERT INTO lease VALUES (1, 0, 0, '');
