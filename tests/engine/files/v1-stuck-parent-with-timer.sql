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
INSERT INTO instances VALUES ('p', 1795891991317788578, 'patient_parent', 'RUNNING', 1795891991317783, 1798483991317925, NULL, NULL, NULL);
INSERT INTO instances VALUES ('p:0002', 1795891991318276765, 'child', 'COMPLETED', 1795891991317925, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0003', 1795891991318296939, 'child', 'COMPLETED', 1795891991317925, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0004', 1795891991318307260, 'child', 'COMPLETED', 1795891991317925, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0005', 1795891991318324735, 'child', 'COMPLETED', 1795891991317925, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0006', 1795891991318334669, 'child', 'COMPLETED', 1795891991317925, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0007', 1795891991318344409, 'child', 'COMPLETED', 1795891991317925, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0008', 1795891991318362775, 'child', 'COMPLETED', 1795891991317925, NULL, 'p', NULL, NULL);
INSERT INTO instances VALUES ('p:0009', 1795891991318379684, 'child', 'COMPLETED', 1795891991317925, NULL, 'p', NULL, NULL);
INSERT INTO history VALUES (1795891991317788578, 0, 1795891991317925, CAST('[["TurnStarted",1795891991317925,null,[]],["ExecutionStarted","patient_parent","8","8796cc2328d24a99917902c7beadcd70",null,null,null],["TimerCreated",1,1798483991317925,"timer",null,null],["ChildCreated",2,"child","p:0002","0"],["ChildCreated",3,"child","p:0003","20"],["ChildCreated",4,"child","p:0004","40"],["ChildCreated",5,"child","p:0005","60"],["ChildCreated",6,"child","p:0006","80"],["ChildCreated",7,"child","p:0007","100"],["ChildCreated",8,"child","p:0008","120"],["ChildCreated",9,"child","p:0009","140"]]' AS BLOB));
INSERT INTO history VALUES (1795891991317788578, 1, 1795891991425730, CAST('[["TurnStarted",1795891991425730,null,[]],["ChildCompleted",2,"0"]]' AS BLOB));
INSERT INTO history VALUES (1795891991317788578, 2, 1795891991498133, CAST('[["TurnStarted",1795891991498133,null,[]],["ChildCompleted",3,"20"]]' AS BLOB));
INSERT INTO history VALUES (1795891991317788578, 3, 1795891991540554, CAST('[["TurnStarted",1795891991540554,null,[]],["ChildCompleted",4,"40"],["ChildCompleted",5,"60"],["ChildCompleted",6,"80"],["ChildCompleted",7,"100"]]' AS BLOB));
INSERT INTO history VALUES (1795891991318276765, 0, 1795891991354576, CAST('[["TurnStarted",1795891991354576,null,[]],["ExecutionStarted","child","0","70ba1439657f41f685d4a43539f16520",["p","8796cc2328d24a99917902c7beadcd70","patient_parent",2],null,null],["TaskScheduled",1,"pause","0",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318276765, 1, 1795891991390432, CAST('[["TurnStarted",1795891991390432,null,[]],["TaskCompleted",1,"0"],["ExecutionCompleted","COMPLETED","0",null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318296939, 0, 1795891991354823, CAST('[["TurnStarted",1795891991354823,null,[]],["ExecutionStarted","child","20","3891148fc11a49c1810d3b04101e58ae",["p","8796cc2328d24a99917902c7beadcd70","patient_parent",3],null,null],["TaskScheduled",1,"pause","20",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318296939, 1, 1795891991411672, CAST('[["TurnStarted",1795891991411672,null,[]],["TaskCompleted",1,"20"],["ExecutionCompleted","COMPLETED","20",null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318307260, 0, 1795891991354942, CAST('[["TurnStarted",1795891991354942,null,[]],["ExecutionStarted","child","40","7c54bab5ecc848c0b870db1531e32b79",["p","8796cc2328d24a99917902c7beadcd70","patient_parent",4],null,null],["TaskScheduled",1,"pause","40",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318307260, 1, 1795891991430893, CAST('[["TurnStarted",1795891991430893,null,[]],["TaskCompleted",1,"40"],["ExecutionCompleted","COMPLETED","40",null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318324735, 0, 1795891991355026, CAST('[["TurnStarted",1795891991355026,null,[]],["ExecutionStarted","child","60","a74e348a4733462d9f753e1ace67542e",["p","8796cc2328d24a99917902c7beadcd70","patient_parent",5],null,null],["TaskScheduled",1,"pause","60",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318324735, 1, 1795891991451614, CAST('[["TurnStarted",1795891991451614,null,[]],["TaskCompleted",1,"60"],["ExecutionCompleted","COMPLETED","60",null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318334669, 0, 1795891991355109, CAST('[["TurnStarted",1795891991355109,null,[]],["ExecutionStarted","child","80","73b52492de1248dbab9d6efc6b92310f",["p","8796cc2328d24a99917902c7beadcd70","patient_parent",6],null,null],["TaskScheduled",1,"pause","80",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318334669, 1, 1795891991470976, CAST('[["TurnStarted",1795891991470976,null,[]],["TaskCompleted",1,"80"],["ExecutionCompleted","COMPLETED","80",null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318344409, 0, 1795891991355184, CAST('[["TurnStarted",1795891991355184,null,[]],["ExecutionStarted","child","100","5e7d0e27511349fbad63b4f091dc591d",["p","8796cc2328d24a99917902c7beadcd70","patient_parent",7],null,null],["TaskScheduled",1,"pause","100",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318344409, 1, 1795891991493074, CAST('[["TurnStarted",1795891991493074,null,[]],["TaskCompleted",1,"100"],["ExecutionCompleted","COMPLETED","100",null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318362775, 0, 1795891991355264, CAST('[["TurnStarted",1795891991355264,null,[]],["ExecutionStarted","child","120","9ed087d22ac64c4cbd3dc79315b2c139",["p","8796cc2328d24a99917902c7beadcd70","patient_parent",8],null,null],["TaskScheduled",1,"pause","120",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318362775, 1, 1795891991510563, CAST('[["TurnStarted",1795891991510563,null,[]],["TaskCompleted",1,"120"],["ExecutionCompleted","COMPLETED","120",null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318379684, 0, 1795891991355363, CAST('[["TurnStarted",1795891991355363,null,[]],["ExecutionStarted","child","140","9e2a39d933cc4cda834ade2d799399c7",["p","8796cc2328d24a99917902c7beadcd70","patient_parent",9],null,null],["TaskScheduled",1,"pause","140",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891991318379684, 1, 1795891991531020, CAST('[["TurnStarted",1795891991531020,null,[]],["TaskCompleted",1,"140"],["ExecutionCompleted","COMPLETED","140",null]]' AS BLOB));
INSERT INTO lease VALUES (1, 1, 1795891996293522, 'host/boot/pid:[1]/1');
INSERT INTO sqlite_sequence VALUES ('messages', 8);
PRAGMA user_version = 1;
