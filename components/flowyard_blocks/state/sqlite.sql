-- name: create_metadata
-- What the file says of itself.
CREATE TABLE IF NOT EXISTS {metadata} (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);

-- name: create_state
-- The values.
CREATE TABLE IF NOT EXISTS {state} (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    is_binary BOOLEAN NOT NULL,
    etag TEXT NOT NULL,
    expiration_time TIMESTAMP DEFAULT NULL,
    update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- name: has_metadata
-- Whether the table that has the version is there.
SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?;

-- name: version
-- How many of Dapr's migrations the file has had.
SELECT value FROM {metadata} WHERE key = 'migrations';

-- name: set_version
-- The tables are as this version of them has it.
INSERT INTO {metadata} (key, value) VALUES ('migrations', ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: get
-- A value that has not expired.
SELECT value, is_binary, etag, expiration_time FROM {state}
WHERE key = :key AND (expiration_time IS NULL OR expiration_time > :now);

-- name: set
-- Replaces whatever is there.
INSERT OR REPLACE INTO {state} (key, value, is_binary, etag, expiration_time, update_time)
VALUES (:key, :value, :is_binary, :new_etag, :expires_at, :now);

-- name: set_first
-- Only where nothing is, or what is there has expired.
INSERT INTO {state} (key, value, is_binary, etag, expiration_time, update_time)
VALUES (:key, :value, :is_binary, :new_etag, :expires_at, :now)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, is_binary = excluded.is_binary,
    etag = excluded.etag, expiration_time = excluded.expiration_time,
    update_time = excluded.update_time
    WHERE expiration_time IS NOT NULL AND expiration_time <= :now;

-- name: set_version_of_value
-- Only where the version is there that the caller has read.
UPDATE {state} SET value = :value, is_binary = :is_binary, etag = :new_etag,
    expiration_time = :expires_at, update_time = :now
WHERE key = :key AND etag = :etag AND (expiration_time IS NULL OR expiration_time > :now);

-- name: delete
-- Whatever is there.
DELETE FROM {state} WHERE key = :key;

-- name: delete_version_of_value
-- Only the version that the caller has read; as in Dapr, also one that has expired.
DELETE FROM {state} WHERE key = :key AND etag = :etag;

-- name: begin_cleanup
-- Changes a row only if no process has cleaned up since.
INSERT INTO {metadata} (key, value) VALUES ('last-cleanup', :now)
ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <= :since;

-- name: delete_expired
-- What nobody sees any more.
DELETE FROM {state} WHERE expiration_time IS NOT NULL AND expiration_time <= :now;
