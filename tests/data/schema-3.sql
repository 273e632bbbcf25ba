-- A file of schema 3 as it was, with a few rows. Never change it: test_store_sqlite.c migrates it.
PRAGMA application_id = 1146048338;
PRAGMA user_version = 3;
BEGIN;
CREATE TABLE users (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  username TEXT,
  username_key TEXT UNIQUE,
  email TEXT UNIQUE,
  password_hash TEXT NOT NULL,
  roles TEXT NOT NULL,
  disabled INTEGER NOT NULL,
  session_epoch INTEGER NOT NULL,
  epoch_keep BLOB NOT NULL,
  failures INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX users_deleted ON users (deleted_at) WHERE deleted_at > 0;
CREATE TABLE sessions (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  user_id BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  master_key BLOB NOT NULL,
  counter INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  rotated_at INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  idle_expires_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL,
  ip TEXT NOT NULL DEFAULT '',
  agent TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user_id) WHERE revoked_at = 0;
CREATE INDEX sessions_expiry ON sessions (idle_expires_at);
CREATE TABLE revocations (
  sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL CHECK (length(id) = 16),
  is_user INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  keep BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  UNIQUE (id, is_user)
) STRICT;
CREATE INDEX revocations_expiry ON revocations (expires_at);
CREATE TABLE keys (
  kid TEXT NOT NULL PRIMARY KEY,
  algorithm TEXT NOT NULL,
  state INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  active_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  public_jwk TEXT NOT NULL,
  wrapped_private BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE heartbeat (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  at INTEGER NOT NULL
) STRICT;
INSERT INTO users VALUES (x'019a0000000070008000000000000001', 'Ann', 'ann', 'ann@example.org',
  '$2b$12$ann', 'admin', 0, 3, zeroblob(16), 1, 0, 1780000000000, 1780000000001, 0);
INSERT INTO users VALUES (x'019a0000000070008000000000000002', NULL, NULL, 'bob@example.org',
  '$2b$12$bob', '', 1, 0, zeroblob(16), 0, 0, 1780000000002, 1780000000003, 0);
INSERT INTO sessions VALUES (x'019a0000000070008000000000000011',
  x'019a0000000070008000000000000001', 3, x'6d6b', 7, 1780000000000, 1780000000100,
  1780000000200, 1999999999999, 1999999999999, 0, '192.0.2.7', 'curl/8');
INSERT INTO revocations VALUES (1, x'019a0000000070008000000000000001', 1, 3,
  x'019a0000000070008000000000000011', 1999999999999);
INSERT INTO revocations VALUES (2, x'019a0000000070008000000000000012', 0, 0, zeroblob(16),
  1999999999999);
INSERT INTO keys VALUES ('k1', 'ES256', 0, 1780000000000, 1780000000000, 0, '{"kty":"EC"}',
  x'00ff');
COMMIT;
