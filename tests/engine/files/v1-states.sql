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
INSERT INTO instances VALUES ('completed', 1795891987316344791, 'pays', 'COMPLETED', 1795891987316340, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('failed', 1795891987328843839, 'fails', 'FAILED', 1795891987328839, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('terminated', 1795891987333786146, 'pays', 'TERMINATED', 1795891987333782, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('completed-parent', 1795891987337092833, 'parent', 'COMPLETED', 1795891987337088, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('completed-parent:0001', 1795891987337307664, 'child', 'COMPLETED', 1795891987337151, NULL, 'completed-parent', NULL, NULL);
INSERT INTO instances VALUES ('completed-parent:0002', 1795891987337324031, 'child', 'COMPLETED', 1795891987337151, NULL, 'completed-parent', NULL, NULL);
INSERT INTO instances VALUES ('event', 1795891987368307836, 'pays', 'RUNNING', 1795891987368303, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('same-event', 1795891987371549845, 'pays', 'RUNNING', 1795891987371545, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('timer', 1795891987373956185, 'sleeps', 'RUNNING', 1795891987373953, 1798483987373989, NULL, NULL, NULL);
INSERT INTO instances VALUES ('far-timer', 1795891987374865492, 'sleeps', 'RUNNING', 1795891987374848, 4949491987374895, NULL, NULL, NULL);
INSERT INTO instances VALUES ('child', 1795891987375516240, 'waiting_parent', 'RUNNING', 1795891987375514, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('the-child', 1795891987375606256, 'pays', 'RUNNING', 1795891987375541, NULL, 'child', NULL, NULL);
INSERT INTO instances VALUES ('activity', 1795891987381803432, 'gated', 'RUNNING', 1795891987381801, 0, NULL, NULL, NULL);
INSERT INTO instances VALUES ('paused', 1795891987385284604, 'pays', 'SUSPENDED', 1795891987385281, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('looped', 1795891987397209411, 'loops', 'RUNNING', 1795891987395320, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('delayed', 1795891987396335185, 'pays', 'PENDING', 1795891987396327, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('long-delayed', 1795891987402011069, 'pays', 'PENDING', 1795891987402004, NULL, NULL, NULL, NULL);
INSERT INTO instances VALUES ('stalled', 1795891987413114961, 'changed', 'STALLED', 1795891987413112, 0, NULL, NULL, '{"error_type":"NonDeterminismError","message":"history says that workflow ''changed'' called activity ''pause'' (#1), but the code created a timer (#1). Restore the code, or guard the change with ctx.is_patched().","stack_trace":"Traceback (most recent call last):\n  File \"/srv/flowyard/core/flowyard/execution.py\", line 109, in run\n    self._apply(event)\n  File \"/srv/flowyard/core/flowyard/execution.py\", line 165, in _apply\n    self._HANDLERS[type(event)](self, event)\n  File \"/srv/flowyard/core/flowyard/execution.py\", line 245, in _match\n    raise NonDeterminismError(\nflowyard.errors.NonDeterminismError: history says that workflow ''changed'' called activity ''pause'' (#1), but the code created a timer (#1). Restore the code, or guard the change with ctx.is_patched().\n","cause":null,"non_retryable":false}');
INSERT INTO instances VALUES ('continued', 1795891988515188891, 'loops', 'RUNNING', 1795891988514932, 0, NULL, NULL, NULL);
INSERT INTO instances VALUES ('left-start', 1795891989437676770, 'pays', 'PENDING', 1795891989437670, NULL, NULL, NULL, NULL);
INSERT INTO history VALUES (1795891987316344791, 0, 1795891987316450, CAST('[["TurnStarted",1795891987316450,null,[]],["ExecutionStarted","pays","2","b2bd7dced64745e6a1ea3c8cac48e98f",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987316344791, 1, 1795891987323175, CAST('[["TurnStarted",1795891987323175,null,[]],["EventRaised","pay","\"a\""]]' AS BLOB));
INSERT INTO history VALUES (1795891987316344791, 2, 1795891987324322, CAST('[["TurnStarted",1795891987324322,null,[]],["EventRaised","pay","\"b\""],["ExecutionCompleted","COMPLETED","[\"a\",\"b\"]",null]]' AS BLOB));
INSERT INTO history VALUES (1795891987328843839, 0, 1795891987328928, CAST('[["TurnStarted",1795891987328928,null,[]],["ExecutionStarted","fails",null,"7efeb7a5fd484c35b45879c836c380f8",null,null,null],["ExecutionCompleted","FAILED",null,{"error_type":"ValueError","message":"as it should","stack_trace":"Traceback (most recent call last):\n  File \"/srv/flowyard/core/flowyard/execution.py\", line 282, in _end\n    value = root.get_result()\n            ^^^^^^^^^^^^^^^^^\n  File \"/srv/flowyard/core/flowyard/task.py\", line 63, in get_result\n    raise self._error\n  File \"/srv/flowyard/core/flowyard/task.py\", line 163, in step\n    awaited = self._code.send(value) if error is None else self._code.throw(error)\n              ^^^^^^^^^^^^^^^^^^^^^^\n  File \"/tmp/edges/app/dumped.py\", line 70, in fails\n    raise ValueError(\"as it should\")\nValueError: as it should\n","cause":null,"non_retryable":false}]]' AS BLOB));
INSERT INTO history VALUES (1795891987333786146, 0, 1795891987333842, CAST('[["TurnStarted",1795891987333842,null,[]],["ExecutionStarted","pays","1","f6e81811240c48babaf42a4e9b5074e4",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987333786146, 1, 1795891987335904, CAST('[["TurnStarted",1795891987335904,null,[]],["ExecutionTerminated","\"enough\"",true],["ExecutionCompleted","TERMINATED","\"enough\"",null]]' AS BLOB));
INSERT INTO history VALUES (1795891987337092833, 0, 1795891987337151, CAST('[["TurnStarted",1795891987337151,null,[]],["ExecutionStarted","parent","2","b16e942269d04e2fb62a9fc57cf51709",null,null,null],["ChildCreated",1,"child","completed-parent:0001","0"],["ChildCreated",2,"child","completed-parent:0002","20"]]' AS BLOB));
INSERT INTO history VALUES (1795891987337092833, 1, 1795891987346705, CAST('[["TurnStarted",1795891987346705,null,[]],["ChildCompleted",1,"0"]]' AS BLOB));
INSERT INTO history VALUES (1795891987337092833, 2, 1795891987366993, CAST('[["TurnStarted",1795891987366993,null,[]],["ChildCompleted",2,"20"],["ExecutionCompleted","COMPLETED","[0,20]",null]]' AS BLOB));
INSERT INTO history VALUES (1795891987337307664, 0, 1795891987339065, CAST('[["TurnStarted",1795891987339065,null,[]],["ExecutionStarted","child","0","9809e9bf258f49b7aeab4f6d569ea13b",["completed-parent","b16e942269d04e2fb62a9fc57cf51709","parent",1],null,null],["TaskScheduled",1,"pause","0",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987337307664, 1, 1795891987344525, CAST('[["TurnStarted",1795891987344525,null,[]],["TaskCompleted",1,"0"],["ExecutionCompleted","COMPLETED","0",null]]' AS BLOB));
INSERT INTO history VALUES (1795891987337324031, 0, 1795891987339217, CAST('[["TurnStarted",1795891987339217,null,[]],["ExecutionStarted","child","20","ce752f35a2584e62ba445e2ac0b1d35a",["completed-parent","b16e942269d04e2fb62a9fc57cf51709","parent",2],null,null],["TaskScheduled",1,"pause","20",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987337324031, 1, 1795891987364819, CAST('[["TurnStarted",1795891987364819,null,[]],["TaskCompleted",1,"20"],["ExecutionCompleted","COMPLETED","20",null]]' AS BLOB));
INSERT INTO history VALUES (1795891987368307836, 0, 1795891987368358, CAST('[["TurnStarted",1795891987368358,null,[]],["ExecutionStarted","pays","2","2d2bf8f263e64380a46072d3e12fc045",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987368307836, 1, 1795891987370330, CAST('[["TurnStarted",1795891987370330,null,[]],["EventRaised","pay","\"first\""]]' AS BLOB));
INSERT INTO history VALUES (1795891987371549845, 0, 1795891987371594, CAST('[["TurnStarted",1795891987371594,null,[]],["ExecutionStarted","pays","3","dd8bd803004048828007bbb080259c36",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987371549845, 1, 1795891987372910, CAST('[["TurnStarted",1795891987372910,null,[]],["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO history VALUES (1795891987373956185, 0, 1795891987373989, CAST('[["TurnStarted",1795891987373989,null,[]],["ExecutionStarted","sleeps","30","679a539c09ce45ec93bb8b05a6495033",null,null,null],["TimerCreated",1,1798483987373989,"timer",null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987374865492, 0, 1795891987374895, CAST('[["TurnStarted",1795891987374895,null,[]],["ExecutionStarted","sleeps","36500","a55372db49744ce89b133730a64a085e",null,null,null],["TimerCreated",1,4949491987374895,"timer",null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987375516240, 0, 1795891987375541, CAST('[["TurnStarted",1795891987375541,null,[]],["ExecutionStarted","waiting_parent",null,"60f44cfd1d4c49a6b184a3a8a3270cda",null,null,null],["ChildCreated",1,"pays","the-child","1"]]' AS BLOB));
INSERT INTO history VALUES (1795891987375606256, 0, 1795891987381592, CAST('[["TurnStarted",1795891987381592,null,[]],["ExecutionStarted","pays","1","39dcf6f6d64e423c825c4b8d655e818b",["child","60f44cfd1d4c49a6b184a3a8a3270cda","waiting_parent",1],null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987381803432, 0, 1795891987381836, CAST('[["TurnStarted",1795891987381836,null,[]],["ExecutionStarted","gated","7","a997c97446484d71a1a32768c7a34be9",null,null,null],["TaskScheduled",1,"pause","1",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987381803432, 1, 1795891987386836, CAST('[["TurnStarted",1795891987386836,null,[]],["TaskCompleted",1,"1"],["TaskScheduled",2,"gate","7",2,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987385284604, 0, 1795891987385323, CAST('[["TurnStarted",1795891987385323,null,[]],["ExecutionStarted","pays","1","cf035259a7694ad094642204df4d3a66",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987385284604, 1, 1795891987388803, CAST('[["TurnStarted",1795891987388803,null,[]],["ExecutionSuspended","lunch"]]' AS BLOB));
INSERT INTO history VALUES (1795891987385284604, 2, 1795891987394465, CAST('[["TurnStarted",1795891987394465,null,[]],["EventRaised","pay","\"while paused\""]]' AS BLOB));
INSERT INTO history VALUES (1795891987397209411, 0, 1795891987403798, CAST('[["TurnStarted",1795891987403798,null,[]],["ExecutionStarted","loops","0","68bde710de1a4c91bd82a0d617122f14",null,null,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987402011069, 0, 1795891987406619, CAST('[["TurnStarted",1795891987406619,null,[]],["EventRaised","pay","\"early\""]]' AS BLOB));
INSERT INTO history VALUES (1795891987413114961, 0, 1795891987413159, CAST('[["TurnStarted",1795891987413159,null,[]],["ExecutionStarted","changed",null,"ad5253675a57431bb6ede0f87353b0ad",null,null,null],["TaskScheduled",1,"pause","2",1,null]]' AS BLOB));
INSERT INTO history VALUES (1795891987413114961, 1, 1795891987418394, CAST('[["TurnStarted",1795891987418394,null,[]],["TaskCompleted",1,"2"]]' AS BLOB));
INSERT INTO messages VALUES (6, 'delayed', 1861920000000000, CAST('[["ExecutionStarted","pays","1","029f2099977940559d5b77bf36c69050",null,1861920000000000,null]]' AS BLOB));
INSERT INTO messages VALUES (8, 'long-delayed', 1924992000000000, CAST('[["ExecutionStarted","pays","1","b186cf60cf4b406c8a2d2e861b0e12be",null,1924992000000000,null]]' AS BLOB));
INSERT INTO messages VALUES (9, 'stalled', 0, CAST('[["EventRaised","pay","\"while stalled\""]]' AS BLOB));
INSERT INTO messages VALUES (10, 'continued', -1, CAST('[["ExecutionStarted","loops","0","6ff7525c60da4130b23578cac293ccaa",null,null,null]]' AS BLOB));
INSERT INTO messages VALUES (11, 'left-start', 0, CAST('[["ExecutionStarted","pays","1","f0fe09687a5f454d923b385189665ace",null,null,null]]' AS BLOB));
INSERT INTO messages VALUES (12, 'left-start', 0, CAST('[["EventRaised","pay","\"left too\""]]' AS BLOB));
INSERT INTO messages VALUES (13, 'same-event', 0, CAST('[["EventRaised","pay","100"]]' AS BLOB));
INSERT INTO lease VALUES (1, 3, 1795891993509291, 'host/boot/pid:[1]/1');
INSERT INTO sqlite_sequence VALUES ('messages', 13);
PRAGMA user_version = 1;
