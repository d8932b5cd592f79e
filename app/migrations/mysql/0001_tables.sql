-- The tables of the photo app for MySQL and MariaDB (InnoDB). Ids are 63-bit, ordered by time, made by the app.
-- No foreign keys, on purpose: a like would hold a shared lock on its photo's row while it waits to count itself there,
-- and two likes at once would deadlock; and a shard holds rows of people who live on another. The writes check instead.
-- `_bin` collations: texts are compared byte by byte, as SQLite does.
CREATE TABLE users (
    id BIGINT NOT NULL PRIMARY KEY,
    name VARCHAR(30) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
    display_name VARCHAR(60) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    plan VARCHAR(4) NOT NULL,
    created_at_ms BIGINT NOT NULL,
    photo_count BIGINT NOT NULL,
    follower_count BIGINT NOT NULL,
    following_count BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- On shards a row stands beside the follower and, when they live apart, a copy of it beside the followed person.
CREATE TABLE follows (
    follower BIGINT NOT NULL,
    followee BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (follower, followee),
    -- For removing a person: who follows them.
    KEY follows_by_followee (followee, follower)
) ENGINE = InnoDB;

CREATE TABLE photos (
    id BIGINT NOT NULL PRIMARY KEY,
    author BIGINT NOT NULL,
    caption VARCHAR(2000) NOT NULL,
    alt VARCHAR(500) NOT NULL,
    width INT NOT NULL,
    height INT NOT NULL,
    format VARCHAR(4) NOT NULL,
    published_version BIGINT NOT NULL,
    progress VARCHAR(9) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at_ms BIGINT NOT NULL,
    ready_at_us BIGINT,
    like_count BIGINT NOT NULL,
    comment_count BIGINT NOT NULL,
    -- A profile, and each followed person's part of a home feed, newest first, without touching the rows.
    KEY photos_by_author (author, progress, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE versions (
    photo BIGINT NOT NULL,
    id BIGINT NOT NULL,
    filter VARCHAR(40) NOT NULL,
    strength INT NOT NULL,
    watermarked INT NOT NULL,
    progress VARCHAR(9) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (photo, id),
    -- What a crash left to finish.
    KEY versions_by_progress (progress, created_at_ms, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE likes (
    photo BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (photo, user_id),
    -- For removing a person: what they like.
    KEY likes_by_user (user_id, photo)
) ENGINE = InnoDB;

CREATE TABLE comments (
    photo BIGINT NOT NULL,
    id BIGINT NOT NULL,
    author BIGINT NOT NULL,
    body VARCHAR(1000) NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (photo, id),
    -- For removing a person: what they wrote.
    KEY comments_by_author (author, photo)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Used by the sharded store only: which id a name belongs to, kept on the shard of the name. Reserves it, too.
CREATE TABLE names (
    name VARCHAR(30) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    reserved_at_ms BIGINT NOT NULL
) ENGINE = InnoDB;
