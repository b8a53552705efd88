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
CREATE TABLE history (
    run INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    at INTEGER NOT NULL,
    events BLOB NOT NULL,
    PRIMARY KEY (run, turn)
) WITHOUT ROWID;
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    event BLOB NOT NULL
);
CREATE INDEX messages_instance ON messages (instance_id);
CREATE INDEX messages_due ON messages (due_at);
CREATE TABLE lease (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    fence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    owner TEXT NOT NULL
);
INSERT INTO instances VALUES ('once', 1795891980569546055, 'pays', 'RUNNING', 1795891980569542, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('again', 1795891981217893277, 'pays', 'RUNNING', 1795891981217871, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('same-again', 1795891981866940560, 'pays', 'RUNNING', 1795891981866935, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('other-again', 1795891982514762020, 'pays', 'RUNNING', 1795891982514755, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('closed', 1795891983163177502, 'pays', 'COMPLETED', 1795891983163170, NULL, NULL, NULL, NULL);
INSERT INTO history VALUES (1795891980569546055, 0, 1795891980569631, CAST('[["TurnStarted",1795891980569631,null,[]],["ExecutionStarted","pays","3","40b0416f606049f7b26ed86ba8c02638",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891980569546055, 1, 1795891980894119, CAST('[["TurnStarted",1795891980894119,null,[]],["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO history VALUES (1795891981217893277, 0, 1795891981217993, CAST('[["TurnStarted",1795891981217993,null,[]],["ExecutionStarted","pays","3","a6e5a86e40574240ab0747717bb54a14",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891981217893277, 1, 1795891981543190, CAST('[["TurnStarted",1795891981543190,null,[]],["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO history VALUES (1795891981866940560, 0, 1795891981867030, CAST('[["TurnStarted",1795891981867030,null,[]],["ExecutionStarted","pays","3","bca9ed595062407a84c85a5afadc9255",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891981866940560, 1, 1795891982189711, CAST('[["TurnStarted",1795891982189711,null,[]],["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO history VALUES (1795891982514762020, 0, 1795891982514867, CAST('[["TurnStarted",1795891982514867,null,[]],["ExecutionStarted","pays","3","75c0dcf3ab2043de925a9f81061bd183",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891982514762020, 1, 1795891982838015, CAST('[["TurnStarted",1795891982838015,null,[]],["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO history VALUES (1795891983163177502, 0, 1795891983163264, CAST('[["TurnStarted",1795891983163264,null,[]],["ExecutionStarted","pays","1","2c3e74e7ef9b450bad2eb151b63f1756",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891983163177502, 1, 1795891983487187, CAST('[["TurnStarted",1795891983487187,null,[]],["EventRaised","pay","100"],["ExecutionCompleted","COMPLETED","[100]",null]]' AS BLOB));
INSERT INTO messages VALUES (1, 'once', 0, CAST('[["ExecutionStarted","pays","3","40b0416f606049f7b26ed86ba8c02638",null,null,null]]' AS BLOB));
INSERT INTO messages VALUES (2, 'once', 0, CAST('[["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO messages VALUES (3, 'again', 0, CAST('[["ExecutionStarted","pays","3","a6e5a86e40574240ab0747717bb54a14",null,null,null]]' AS BLOB));
INSERT INTO messages VALUES (4, 'again', 0, CAST('[["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO messages VALUES (5, 'same-again', 0, CAST('[["ExecutionStarted","pays","3","bca9ed595062407a84c85a5afadc9255",null,null,null]]' AS BLOB));
INSERT INTO messages VALUES (6, 'same-again', 0, CAST('[["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO messages VALUES (7, 'other-again', 0, CAST('[["ExecutionStarted","pays","3","75c0dcf3ab2043de925a9f81061bd183",null,null,null]]' AS BLOB));
INSERT INTO messages VALUES (8, 'other-again', 0, CAST('[["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO messages VALUES (11, 'same-again', 0, CAST('[["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO messages VALUES (12, 'other-again', 0, CAST('[["EventRaised","pay","200"]]' AS BLOB));
INSERT INTO lease VALUES (1, 1, 0, 'host/boot/pid:[1]/1');
INSERT INTO sqlite_sequence VALUES ('messages', 12);
PRAGMA user_version = 1;
