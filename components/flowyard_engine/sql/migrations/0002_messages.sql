-- What one instance has for another is a message, also how a child has ended: before, a child's
-- close wrote into its parent's row. Each holder of an ID has a birth, so that a message reaches
-- whom it was for, and each message tells which execution it answers.
ALTER TABLE instances ADD COLUMN birth INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN parent_birth INTEGER;
UPDATE instances SET birth = run;

-- A parent that was made after its child is another holder of the ID.
UPDATE instances SET parent_birth = (
    SELECT parent.birth FROM instances AS parent
    WHERE parent.id = instances.parent_id AND parent.created_at <= instances.created_at
) WHERE parent_id IS NOT NULL;

ALTER TABLE messages RENAME TO old_messages;
DROP INDEX messages_instance;
DROP INDEX messages_due;
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL,
    birth INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    execution_id TEXT,
    event BLOB NOT NULL
);
INSERT INTO messages (id, instance_id, birth, due_at, event)
SELECT old_messages.id, instance_id, birth, due_at, event
FROM old_messages JOIN instances ON instances.id = instance_id ORDER BY old_messages.id;
DROP TABLE old_messages;
CREATE INDEX messages_instance ON messages (instance_id);
CREATE INDEX messages_due ON messages (due_at) WHERE due_at > 0;

-- The ends of children whose parents are active. A parent that has taken one up already drops it.
INSERT INTO messages (instance_id, birth, due_at, execution_id, event)
SELECT
    parent.id,
    parent.birth,
    0,
    json_extract(started.value, '$[4][1]'),
    CAST(CASE json_extract(ended.value, '$[1]')
        WHEN 'COMPLETED' THEN json_array(json_array(
            'ChildCompleted',
            json_extract(started.value, '$[4][3]'),
            json_extract(ended.value, '$[2]')
        ))
        ELSE json_array(json_array(
            'ChildFailed',
            json_extract(started.value, '$[4][3]'),
            json(coalesce(
                json_extract(ended.value, '$[3]'),
                json_object(
                    'error_type', 'WorkflowTerminated',
                    'message', 'child workflow ''' || child.id || ''' was terminated'
                )
            ))
        ))
    END AS BLOB)
FROM instances AS child
JOIN instances AS parent ON parent.id = child.parent_id
    AND parent.status NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'TERMINATED')
JOIN history AS first ON first.run = child.run
JOIN json_each(CAST(first.events AS TEXT)) AS started
    ON json_extract(started.value, '$[0]') = 'ExecutionStarted'
JOIN history AS last ON last.run = child.run
JOIN json_each(CAST(last.events AS TEXT)) AS ended
    ON json_extract(ended.value, '$[0]') = 'ExecutionCompleted'
WHERE child.status IN ('COMPLETED', 'FAILED', 'CANCELED', 'TERMINATED')
    AND json_extract(started.value, '$[4][0]') = parent.id
ORDER BY last.at;

-- So that a process of version 1 which has the file open cannot become its owner any more.
ALTER TABLE lease RENAME COLUMN owner TO holder;
-- How long a lease is, by whatever clock its end was written: no longer is it believed.
ALTER TABLE lease ADD COLUMN seconds REAL NOT NULL DEFAULT 60;
