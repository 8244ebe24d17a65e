-- +goose Up

-- Who may sign in to the console with a password.
CREATE TABLE people (
	name       TEXT   PRIMARY KEY, -- lower case
	role       TEXT   NOT NULL,    -- operator, viewer
	password   TEXT   NOT NULL,    -- argon2id
	created_at BIGINT NOT NULL
);

-- Who is signed in, by the SHA-256 of the token in the cookie.
CREATE TABLE sessions (
	digest     TEXT   PRIMARY KEY, -- hex
	person     TEXT   NOT NULL,    -- a name of people; '' = signed in by the admin token or a link
	name       TEXT   NOT NULL,    -- for people to read
	credential TEXT   NOT NULL,    -- SHA-256 of the admin token that signed in, hex; '' = another way
	client     TEXT   NOT NULL,    -- the browser, as it names itself
	created_at BIGINT NOT NULL,
	seen_at    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_person ON sessions (person);

-- Links that sign in once, by the SHA-256 of their code.
CREATE TABLE sign_in_links (
	digest     TEXT   PRIMARY KEY, -- hex
	name       TEXT   NOT NULL,
	expires_at BIGINT NOT NULL
);
