-- The tables of the photo app for SQLite. Ids are 63-bit, ordered by time, made by the app.
-- WITHOUT ROWID keeps a table in the order of its primary key, as InnoDB does: a photo's likes and comments lie together.
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    plan TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    photo_count INTEGER NOT NULL,
    follower_count INTEGER NOT NULL,
    following_count INTEGER NOT NULL
) STRICT;

CREATE TABLE follows (
    follower INTEGER NOT NULL REFERENCES users (id),
    followee INTEGER NOT NULL REFERENCES users (id),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (follower, followee)
) STRICT, WITHOUT ROWID;
-- For removing a person: who follows them.
CREATE INDEX follows_by_followee ON follows (followee, follower);

CREATE TABLE photos (
    id INTEGER PRIMARY KEY,
    author INTEGER NOT NULL REFERENCES users (id),
    caption TEXT NOT NULL,
    alt TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    format TEXT NOT NULL,
    published_version INTEGER NOT NULL,
    progress TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    ready_at_us INTEGER,
    like_count INTEGER NOT NULL,
    comment_count INTEGER NOT NULL
) STRICT;
-- A profile, and each followed person's part of a home feed, newest first, without touching the rows.
CREATE INDEX photos_by_author ON photos (author, progress, id);

CREATE TABLE versions (
    photo INTEGER NOT NULL REFERENCES photos (id),
    id INTEGER NOT NULL,
    filter TEXT NOT NULL,
    strength INTEGER NOT NULL,
    watermarked INTEGER NOT NULL,
    progress TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (photo, id)
) STRICT, WITHOUT ROWID;
-- What a crash left to finish.
CREATE INDEX versions_unfinished ON versions (created_at_ms, id) WHERE progress = 'preparing';

CREATE TABLE likes (
    photo INTEGER NOT NULL REFERENCES photos (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (photo, user_id)
) STRICT, WITHOUT ROWID;
-- For removing a person: what they like.
CREATE INDEX likes_by_user ON likes (user_id, photo);

CREATE TABLE comments (
    photo INTEGER NOT NULL REFERENCES photos (id),
    id INTEGER NOT NULL,
    author INTEGER NOT NULL REFERENCES users (id),
    body TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (photo, id)
) STRICT, WITHOUT ROWID;
-- For removing a person: what they wrote.
CREATE INDEX comments_by_author ON comments (author, photo);
