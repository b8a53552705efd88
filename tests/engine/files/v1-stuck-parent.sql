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
INSERT INTO instances VALUES ('p', 1795891990244079717, 'parent', 'RUNNING', 1795891990244075, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('p:0001', 1795891990244438879, 'child', 'COMPLETED', 1795891990244183, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0002', 1795891990244454027, 'child', 'COMPLETED', 1795891990244183, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0003', 1795891990244461700, 'child', 'COMPLETED', 1795891990244183, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0004', 1795891990244474349, 'child', 'COMPLETED', 1795891990244183, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0005', 1795891990244480408, 'child', 'COMPLETED', 1795891990244183, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0006', 1795891990244485429, 'child', 'COMPLETED', 1795891990244183, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0007', 1795891990244490619, 'child', 'COMPLETED', 1795891990244183, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0008', 1795891990244503863, 'child', 'COMPLETED', 1795891990244183, NULL, 'p', NULL, NULL);
INSERT INTO history VALUES (1795891990244079717, 0, 1795891990244183, CAST('[["TurnStarted",1795891990244183,null,[]],["ExecutionStarted","parent","8","94c389962f444b99b4c86bca6f0eaab3",null,null,null],["ChildCreated",1,"child","p:0001","0"],["ChildCreated",2,"child","p:0002","20"],["ChildCreated",3,"child","p:0003","40"],["ChildCreated",4,"child","p:0004","60"],["ChildCreated",5,"child","p:0005","80"],["ChildCreated",6,"child","p:0006","100"],["ChildCreated",7,"child","p:0007","120"],["ChildCreated",8,"child","p:0008","140"]]' AS BLOB));
INSERT INTO history VALUES (1795891990244079717, 1, 1795891990369621, CAST('[["TurnStarted",1795891990369621,null,[]],["ChildCompleted",1,"0"]]' AS BLOB));
INSERT INTO history VALUES (1795891990244079717, 2, 1795891990439718, CAST('[["TurnStarted",1795891990439718,null,[]],["ChildCompleted",2,"20"]]' AS BLOB));
INSERT INTO history VALUES (1795891990244079717, 3, 1795891990508015, CAST('[["TurnStarted",1795891990508015,null,[]],["ChildCompleted",3,"40"],["ChildCompleted",4,"60"],["ChildCompleted",5,"80"],["ChildCompleted",6,"100"]]' AS BLOB));
INSERT INTO history VALUES (1795891990244438879, 0, 1795891990297067, CAST('[["TurnStarted",1795891990297067,null,[]],["ExecutionStarted","child","0","7ec60cae54d241aba0b78f86a4709e5c",["p","94c389962f444b99b4c86bca6f0eaab3","parent",1],null,null],["TaskScheduled",1,"pause","0",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244438879, 1, 1795891990335610, CAST('[["TurnStarted",1795891990335610,null,[]],["TaskCompleted",1,"0"],["ExecutionCompleted","COMPLETED","0",null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244454027, 0, 1795891990297343, CAST('[["TurnStarted",1795891990297343,null,[]],["ExecutionStarted","child","20","0c23abc09cdb4efaa2624dd9cd955be7",["p","94c389962f444b99b4c86bca6f0eaab3","parent",2],null,null],["TaskScheduled",1,"pause","20",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244454027, 1, 1795891990356062, CAST('[["TurnStarted",1795891990356062,null,[]],["TaskCompleted",1,"20"],["ExecutionCompleted","COMPLETED","20",null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244461700, 0, 1795891990297429, CAST('[["TurnStarted",1795891990297429,null,[]],["ExecutionStarted","child","40","b38a345747c24e02ab763a0bfd7418bd",["p","94c389962f444b99b4c86bca6f0eaab3","parent",3],null,null],["TaskScheduled",1,"pause","40",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244461700, 1, 1795891990376036, CAST('[["TurnStarted",1795891990376036,null,[]],["TaskCompleted",1,"40"],["ExecutionCompleted","COMPLETED","40",null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244474349, 0, 1795891990297512, CAST('[["TurnStarted",1795891990297512,null,[]],["ExecutionStarted","child","60","2e38ae5d66334103bfd50d065d6dfa6f",["p","94c389962f444b99b4c86bca6f0eaab3","parent",4],null,null],["TaskScheduled",1,"pause","60",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244474349, 1, 1795891990396461, CAST('[["TurnStarted",1795891990396461,null,[]],["TaskCompleted",1,"60"],["ExecutionCompleted","COMPLETED","60",null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244480408, 0, 1795891990297580, CAST('[["TurnStarted",1795891990297580,null,[]],["ExecutionStarted","child","80","23980cdb486746c8a516e4adc540f847",["p","94c389962f444b99b4c86bca6f0eaab3","parent",5],null,null],["TaskScheduled",1,"pause","80",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244480408, 1, 1795891990415927, CAST('[["TurnStarted",1795891990415927,null,[]],["TaskCompleted",1,"80"],["ExecutionCompleted","COMPLETED","80",null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244485429, 0, 1795891990297646, CAST('[["TurnStarted",1795891990297646,null,[]],["ExecutionStarted","child","100","7975c1f18df74d839ddcc93afea5afb4",["p","94c389962f444b99b4c86bca6f0eaab3","parent",6],null,null],["TaskScheduled",1,"pause","100",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244485429, 1, 1795891990436472, CAST('[["TurnStarted",1795891990436472,null,[]],["TaskCompleted",1,"100"],["ExecutionCompleted","COMPLETED","100",null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244490619, 0, 1795891990297722, CAST('[["TurnStarted",1795891990297722,null,[]],["ExecutionStarted","child","120","c818e9695bb149d59f12a1799dbec0cd",["p","94c389962f444b99b4c86bca6f0eaab3","parent",7],null,null],["TaskScheduled",1,"pause","120",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244490619, 1, 1795891990456387, CAST('[["TurnStarted",1795891990456387,null,[]],["TaskCompleted",1,"120"],["ExecutionCompleted","COMPLETED","120",null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244503863, 0, 1795891990297815, CAST('[["TurnStarted",1795891990297815,null,[]],["ExecutionStarted","child","140","d335d26a2cb0477d91fd1042c2625a57",["p","94c389962f444b99b4c86bca6f0eaab3","parent",8],null,null],["TaskScheduled",1,"pause","140",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891990244503863, 1, 1795891990477106, CAST('[["TurnStarted",1795891990477106,null,[]],["TaskCompleted",1,"140"],["ExecutionCompleted","COMPLETED","140",null]]' AS BLOB));
INSERT INTO lease VALUES (1, 1, 1795891995240599, 'host/boot/pid:[1]/1');
INSERT INTO sqlite_sequence VALUES ('messages', 8);
PRAGMA user_version = 1;
