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
, birth INTEGER NOT NULL DEFAULT 0, parent_birth INTEGER);
CREATE TABLE history (
    run INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    at INTEGER NOT NULL,
    events BLOB NOT NULL,
    PRIMARY KEY (run, turn)
) WITHOUT ROWID;
CREATE TABLE lease (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    fence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    holder TEXT NOT NULL
, seconds REAL NOT NULL DEFAULT 60);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL,
    birth INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    execution_id TEXT,
    event BLOB NOT NULL
);
INSERT INTO "instances" VALUES ('completed', 1796034482863111616, 'pays', 'COMPLETED', 1830297600000000, NULL, NULL, NULL, NULL, 1796034482863111616, NULL);
INSERT INTO "instances" VALUES ('failed', 1796034482998053985, 'fails', 'FAILED', 1830297600000000, NULL, NULL, NULL, NULL, 1796034482998053985, NULL);
INSERT INTO "instances" VALUES ('terminated', 1796034483070356431, 'pays', 'TERMINATED', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483070356431, NULL);
INSERT INTO "instances" VALUES ('pending', 1796034483084495623, 'pays', 'PENDING', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483084495623, NULL);
INSERT INTO "instances" VALUES ('running', 1796034483105109998, 'works', 'RUNNING', 1830297600000000, 0, NULL, NULL, NULL, 1796034483105109998, NULL);
INSERT INTO "instances" VALUES ('event', 1796034483202879908, 'pays', 'RUNNING', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483202879908, NULL);
INSERT INTO "instances" VALUES ('unheard', 1796034483224977335, 'pays', 'RUNNING', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483224977335, NULL);
INSERT INTO "instances" VALUES ('timer', 1796034483233178233, 'sleeps', 'RUNNING', 1830297600000000, 1861920000000000, NULL, NULL, NULL, 1796034483233178233, NULL);
INSERT INTO "instances" VALUES ('retrying', 1796034483245308847, 'retries', 'RUNNING', 1830297600000000, 1861920000000000, NULL, NULL, NULL, 1796034483245308847, NULL);
INSERT INTO "instances" VALUES ('paused', 1796034483269206821, 'pays', 'SUSPENDED', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483269206821, NULL);
INSERT INTO "instances" VALUES ('stalled', 1796034483298394047, 'changed', 'STALLED', 1830297600000000, 0, NULL, NULL, '{"error_type":"NonDeterminismError","message":"history says that workflow ''changed'' called activity ''step'' (#1), but the code created a timer (#1). Restore the code, or guard the change with ctx.is_patched().","stack_trace":"Traceback (most recent call last):\n  File \"/tmp/flowyard/core/flowyard/workflow/execution.py\", line 114, in run\n    self._apply(event)\n  File \"/tmp/flowyard/core/flowyard/workflow/execution.py\", line 172, in _apply\n    self._HANDLERS[type(event)](self, event)\n  File \"/tmp/flowyard/core/flowyard/workflow/execution.py\", line 255, in _match\n    raise NonDeterminismError(\nflowyard.errors.NonDeterminismError: history says that workflow ''changed'' called activity ''step'' (#1), but the code created a timer (#1). Restore the code, or guard the change with ctx.is_patched().\n","cause":null,"non_retryable":false,"base_types":["WorkflowCodeError","FlowyardError"]}', 1796034483298394047, NULL);
INSERT INTO "instances" VALUES ('reporting', 1796034483397159331, 'reports', 'RUNNING', 1830297600000000, NULL, NULL, '{"progress":0.5}', NULL, 1796034483397159331, NULL);
INSERT INTO "instances" VALUES ('juggling', 1796034483485557848, 'juggles', 'RUNNING', 1830297600000000, 0, NULL, NULL, NULL, 1796034483485557848, NULL);
INSERT INTO "instances" VALUES ('continued', 1796034483814621660, 'loops', 'RUNNING', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483573387175, NULL);
INSERT INTO "instances" VALUES ('parent', 1796034483604820807, 'parent', 'RUNNING', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483604820807, NULL);
INSERT INTO "instances" VALUES ('parent:01c9601a:0001', 1796034483606120177, 'pays', 'COMPLETED', 1830297600000000, NULL, 'parent', NULL, NULL, 1796034483606120177, 1796034483604820807);
INSERT INTO "instances" VALUES ('twins', 1796034483633450158, 'twins', 'RUNNING', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483633450158, NULL);
INSERT INTO "instances" VALUES ('older-twin', 1796034483633683478, 'pays', 'RUNNING', 1830297600000000, NULL, 'twins', NULL, NULL, 1796034483633683478, 1796034483633450158);
INSERT INTO "instances" VALUES ('its-child', 1796034483716495250, 'pays', 'RUNNING', 1830297600000000, NULL, 'parent', NULL, NULL, 1796034483716495250, 1796034483604820807);
INSERT INTO "instances" VALUES ('patched', 1796034483731581712, 'patched', 'RUNNING', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483731581712, NULL);
INSERT INTO "instances" VALUES ('amended', 1796034483756816395, 'amended', 'RUNNING', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483756816395, NULL);
INSERT INTO "instances" VALUES ('versioned', 1796034483772742022, 'versioned', 'RUNNING', 1830297600000000, NULL, NULL, NULL, NULL, 1796034483772742022, NULL);
INSERT INTO "history" VALUES (1796034482863111616, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","pays","0","8b930c57f78045e9a590e3b4921277e6",null,null,null,null],["ExecutionCompleted","COMPLETED","[]",null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034482998053985, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","fails",null,"45b9931383d34c8e81a4dbf4a9ca6c8a",null,null,null,null],["ExecutionCompleted","FAILED",null,{"error_type":"ValueError","message":"as it should","stack_trace":"Traceback (most recent call last):\n  File \"/tmp/flowyard/core/flowyard/workflow/execution.py\", line 296, in _end\n    text = self._output(root.get_result())\n                        ^^^^^^^^^^^^^^^^^\n  File \"/tmp/flowyard/core/flowyard/workflow/task.py\", line 78, in get_result\n    raise self._error\n  File \"/tmp/flowyard/core/flowyard/workflow/task.py\", line 198, in step\n    awaited = self._code.send(value) if error is None else self._code.throw(error)\n              ^^^^^^^^^^^^^^^^^^^^^^\n  File \"/tmp/flowyard/tests/compatibility/workflows.py\", line 108, in fails\n    raise ValueError(\"as it should\")\nValueError: as it should\n","cause":null,"non_retryable":false,"base_types":[]}]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483070356431, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","pays","1","455b339df50945828a2390bf825ee12e",null,null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483070356431, 1, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionTerminated","\"enough\"",true],["ExecutionCompleted","TERMINATED","\"enough\"",null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483105109998, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","works","7","42d0ce2a73f3413fb1a5e42e77e493fa",null,null,null,null],["TaskScheduled",1,"step","1",1,null,1,null,0]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483105109998, 1, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["TaskCompleted",1,"1"],["TaskScheduled",2,"gate","7",2,null,1,null,0]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483202879908, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","pays","2","65f6f5eb3b464d788156528a1e3a031e",null,null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483202879908, 1, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["EventRaised","pay","\"first\""]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483224977335, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","pays","1","e3c59d9a8ab14d148abcfeedbf45e167",null,null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483233178233, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","sleeps","\"2029-01-01T00:00:00Z\"","d786eefde0464ebba34f8b4c9afd2912",null,null,null,null],["TimerCreated",1,1861920000000000,"timer",null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483245308847, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","retries","\"2029-01-01T00:00:00Z\"","a5ad63fb01514499b81bb912c2b7faa2",null,null,null,null],["TaskScheduled",1,"fragile",null,1,null,1,null,0]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483245308847, 1, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["TaskFailed",1,{"error_type":"ConnectionError","message":"nobody answers","stack_trace":"Traceback (most recent call last):\n  File \"/tmp/flowyard/core/flowyard/executors/local.py\", line 97, in run_activity\n    return await self._call(task)\n           ^^^^^^^^^^^^^^^^^^^^^^\n  File \"/tmp/flowyard/core/flowyard/executors/local.py\", line 142, in _call\n    result = await definition.function(*arguments)\n             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  File \"/tmp/flowyard/tests/compatibility/workflows.py\", line 55, in fragile\n    raise ConnectionError(\"nobody answers\")\nConnectionError: nobody answers\n","cause":null,"non_retryable":false,"base_types":["OSError"]}],["TimerCreated",2,1861920000000000,"activity-retry","fragile",1]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483269206821, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","pays","2","4ef2f7c3ee4c42e3a435b0d3e1398e8e",null,null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483269206821, 1, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionSuspended","lunch"]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483269206821, 2, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["EventRaised","pay","\"while paused\""]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483298394047, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","changed",null,"914de2d0f21642e98b3d5f7adcea4f01",null,null,null,null],["TaskScheduled",1,"step","2",1,null,1,null,0]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483298394047, 1, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["TaskCompleted",1,"2"]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483397159331, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","reports",null,"1aec44c35cb0434fa5140c601a5584b2",null,null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483485557848, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","juggles","\"2029-01-01T00:00:00Z\"","3946916580f04984a736424436e5b67a",null,null,null,null],["EventSent",1,"its-child","nobody waits for this",null],["TaskScheduled",2,"step","1",2,null,1,null,0],["TaskScheduled",3,"gate","2",3,null,1,null,0],["TimerCreated",4,1861920000000000,"event","pay",null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483485557848, 1, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["TaskCompleted",2,"1"]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483604820807, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","parent","\"its-child\"","8e221f5e02ce408c81c9fd3264bdc891",null,null,null,null],["ChildCreated",1,"pays","parent:01c9601a:0001","0",false,null,null,0,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483604820807, 1, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ChildCompleted",1,"[]"],["ChildCreated",2,"pays","its-child","1",false,null,null,0,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483606120177, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","pays","0","0a17ca1d46904896a2cd25b4f612dd1b",["parent","8e221f5e02ce408c81c9fd3264bdc891","parent",1],null,null,null],["ExecutionCompleted","COMPLETED","[]",null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483633450158, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","twins","\"older-twin\"","7a87413bd3064f0da7f8884a9bfd9a54",null,null,null,null],["ChildCreated",1,"pays","older-twin","1",false,null,null,0,null],["ChildCreated",2,"pays","older-twin","1",false,null,null,0,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483633450158, 1, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ChildFailed",2,{"error_type":"InstanceAlreadyExists","message":"an instance with ID ''older-twin'' already exists and is PENDING. Choose another ID, or wait until it has closed and allow the ID to be reused.","stack_trace":"flowyard.errors.InstanceAlreadyExists: an instance with ID ''older-twin'' already exists and is PENDING. Choose another ID, or wait until it has closed and allow the ID to be reused.\n","cause":null,"non_retryable":false,"base_types":["FlowyardError"]}]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483633683478, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","pays","1","c48d37c79f304c81bbea5d2ad7a7ac04",["twins","7a87413bd3064f0da7f8884a9bfd9a54","twins",1],null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483716495250, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","pays","1","e97f92518ddc4009a1731c099c15e6b7",["parent","8e221f5e02ce408c81c9fd3264bdc891","parent",2],null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483731581712, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,["fee"]],["ExecutionStarted","patched",null,"e7d4edcb3c934778b710b174306ad1c2",null,null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483756816395, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","amended",null,"c623d99b315f4dbd91f395cd2f7a9aa4",null,null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483772742022, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,"v1",[]],["ExecutionStarted","versioned",null,"56a31e3539294b05a051b4fcf5b2a897",null,null,null,null]]' AS BLOB));
INSERT INTO "history" VALUES (1796034483814621660, 0, 1830297600000000, CAST('[["TurnStarted",1830297600000000,null,[]],["ExecutionStarted","loops","0","33383d4b21894f699ec1600dd52190a8",null,null,null,null],["EventRaised","pay","\"carried\""]]' AS BLOB));
INSERT INTO "sqlite_sequence" VALUES ('messages', 10);
INSERT INTO "lease" VALUES (1, 2, 0, 'vm/a1c973bd-a87a-472a-9920-8078be94b888/pid:[4026531836]/12020', 5.0);
INSERT INTO "messages" VALUES (1, 'pending', 1796034483084495623, 1861920000000000, NULL, CAST('[["ExecutionStarted","pays","1","79583aa7ae924e66a5cf664cca99fe42",null,1861920000000000,null,null]]' AS BLOB));
INSERT INTO "messages" VALUES (9, 'stalled', 1796034483298394047, 0, NULL, CAST('[["EventRaised","pay","\"while stalled\""]]' AS BLOB));
INSERT INTO "messages" VALUES (10, 'unheard', 1796034483224977335, 0, NULL, CAST('[["EventRaised","pay","\"while nobody runs it\""]]' AS BLOB));
CREATE INDEX instances_wake ON instances (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX instances_parent ON instances (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX messages_instance ON messages (instance_id);
CREATE INDEX messages_due ON messages (due_at) WHERE due_at > 0;
PRAGMA user_version = 2;
