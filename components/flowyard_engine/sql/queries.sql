-- name: insert_instance
-- A new instance; nothing happens if the ID is taken.
INSERT INTO instances (id, birth, run, workflow, status, created_at, wake_at, parent_id,
    parent_birth, custom_status, stalled)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING;

-- name: update_instance
-- What changed of an instance by a turn; the row is there.
INSERT INTO instances (id, birth, run, workflow, status, created_at, wake_at, parent_id,
    parent_birth, custom_status, stalled)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET run = excluded.run, status = excluded.status,
    wake_at = excluded.wake_at, custom_status = excluded.custom_status, stalled = excluded.stalled
    WHERE birth = excluded.birth;

-- name: insert_history
-- The events of one turn.
INSERT INTO history (run, turn, at, events) VALUES (?, ?, ?, ?);

-- name: delete_history
-- A run that was replaced or purged.
DELETE FROM history WHERE run = ?;

-- name: delete_instance
-- An instance that was replaced or purged.
DELETE FROM instances WHERE id = ?;

-- name: insert_message
-- An event that a turn of an active instance is to take up. Birth 0 means whoever holds the ID.
INSERT INTO messages (instance_id, birth, due_at, execution_id, event)
SELECT id, birth, :due_at, :execution_id, :event FROM instances
WHERE id = :instance_id AND (:birth = 0 OR birth = :birth)
  AND status NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'TERMINATED')
RETURNING id, birth;

-- name: delete_taken_messages
-- Turns have taken them up. The argument is a JSON array of their IDs.
DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?));

-- name: delete_messages_of
-- The instances are closed. The argument is a JSON array of their IDs.
DELETE FROM messages WHERE instance_id IN (SELECT value FROM json_each(?));

-- name: delete_messages
-- The instance is closed or gone.
DELETE FROM messages WHERE instance_id = ?;

-- name: messages
-- What is waiting for an instance: what begins its execution, then the oldest first.
SELECT id, birth, due_at, execution_id, event FROM messages
WHERE instance_id = ? AND birth = ? ORDER BY due_at >= 0, id;

-- name: message
-- Whether a message still waits.
SELECT 1 FROM messages WHERE id = ?;

-- name: arrived
-- What was stored after a message. Numbers are given in the order of the commits.
SELECT id, instance_id, birth, due_at, execution_id, event FROM messages WHERE id > ? ORDER BY id;

-- name: copies
-- Instances that were copied and that no turn has changed since.
SELECT id FROM instances WHERE wake_at = 1;

-- name: newest_message
-- The number of the newest message there has been.
SELECT seq FROM sqlite_sequence WHERE name = 'messages';

-- name: birth
-- Who holds an ID.
SELECT birth FROM instances WHERE id = ?;

-- name: instance
-- One instance.
SELECT id, birth, run, workflow, status, created_at, wake_at, parent_id, parent_birth,
    custom_status, stalled
FROM instances WHERE id = ?;

-- name: history
-- All turns of a run, oldest first.
SELECT events FROM history WHERE run = ? ORDER BY turn;

-- name: first_turn
-- The turn that holds the input.
SELECT events FROM history WHERE run = ? ORDER BY turn LIMIT 1;

-- name: last_turn
-- The turn that holds the output, and the time of the last change.
SELECT at, events FROM history WHERE run = ? ORDER BY turn DESC LIMIT 1;

-- name: last_change
-- When the instance last changed.
SELECT at FROM history WHERE run = ? ORDER BY turn DESC LIMIT 1;

-- name: unfinished
-- Instances that must be in memory after a restart, and those that have messages.
SELECT id FROM instances WHERE wake_at = 0
UNION
SELECT instance_id FROM messages WHERE due_at <= ?;

-- name: stalled
-- Instances that wait for fitting code.
SELECT id FROM instances WHERE wake_at = 0 AND status = 'STALLED';

-- name: due
-- Instances with a timer that is due, or with a start that is. Version 1 wrote times before 1970.
SELECT id FROM instances WHERE wake_at BETWEEN 1 AND ? OR wake_at < 0
UNION
SELECT instance_id FROM messages WHERE due_at BETWEEN 1 AND ?;

-- name: next_due
-- When the next of them will be.
SELECT min(next) FROM (
    SELECT min(wake_at) AS next FROM instances WHERE wake_at > ?
    UNION ALL
    SELECT min(due_at) FROM messages WHERE due_at > 0 AND due_at > ?
);

-- name: children
-- The instances that the holder of an ID has started, since it was born.
SELECT id, birth, run, status FROM instances WHERE parent_id = ? AND parent_birth = ?;

-- name: list
-- A page of instances, newest first. Rows are numbered in the order of their creation.
SELECT rowid, id, birth, run, workflow, status, created_at, wake_at, parent_id, parent_birth,
    custom_status, stalled,
    (SELECT at FROM history WHERE history.run = instances.run ORDER BY turn DESC LIMIT 1)
FROM instances
WHERE rowid < :before
  AND (:workflow IS NULL OR workflow = :workflow)
  AND (:statuses IS NULL OR instr(:statuses, ' ' || status || ' ') > 0)
  AND (:created_from IS NULL OR created_at >= :created_from)
  AND (:created_to IS NULL OR created_at < :created_to)
  AND (:prefix IS NULL OR substr(id, 1, length(:prefix)) = :prefix)
ORDER BY rowid DESC LIMIT :limit;

-- name: fence
-- The number of the present owner, the end of its lease, and its machine and process.
SELECT * FROM lease;

-- name: take_lease
-- Become the owner.
UPDATE lease SET fence = fence + 1, expires_at = ?, holder = ?, seconds = ?;

-- name: renew_lease
-- Stay the owner.
UPDATE lease SET expires_at = ? WHERE fence = ?;

-- name: waiting_events
-- The messages of active instances, with the execution that these are in.
SELECT instance_id, run, event FROM messages JOIN instances ON instances.id = instance_id
WHERE due_at = 0 ORDER BY messages.id;
