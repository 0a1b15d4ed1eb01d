CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE board (
	challenge VARCHAR(100) NOT NULL, 
	phase VARCHAR(100) NOT NULL, 
	version INTEGER NOT NULL, 
	made DATETIME NOT NULL, 
	board TEXT NOT NULL, 
	changes TEXT NOT NULL, 
	CONSTRAINT pk_board PRIMARY KEY (challenge, phase)
);
CREATE TABLE deed (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	person_id INTEGER, 
	what VARCHAR(64) NOT NULL, 
	about VARCHAR(255) NOT NULL, 
	text TEXT NOT NULL, 
	CONSTRAINT pk_deed PRIMARY KEY (id), 
	CONSTRAINT fk_deed_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE entry (
	id VARCHAR(16) NOT NULL, 
	challenge VARCHAR(100) NOT NULL, 
	phase VARCHAR(100) NOT NULL, 
	team_id INTEGER, 
	person_id INTEGER, 
	team VARCHAR(60) NOT NULL, 
	title VARCHAR(200) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	"key" VARCHAR(100) NOT NULL, 
	upload VARCHAR(255) NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	received DATETIME NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	why TEXT NOT NULL, 
	until DATETIME, 
	changed DATETIME NOT NULL, 
	evaluation VARCHAR(16), 
	CONSTRAINT pk_entry PRIMARY KEY (id), 
	CONSTRAINT fk_entry_person_id FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT fk_entry_team_id FOREIGN KEY(team_id) REFERENCES team (id), 
	CONSTRAINT uq_entry_person_id_key UNIQUE (person_id, "key")
);
CREATE TABLE event (
	id INTEGER NOT NULL, 
	entry_id VARCHAR(16) NOT NULL, 
	at DATETIME NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	text TEXT NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (id), 
	CONSTRAINT fk_event_entry_id FOREIGN KEY(entry_id) REFERENCES entry (id)
);
CREATE TABLE identity (
	id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	issuer VARCHAR(255) NOT NULL, 
	subject VARCHAR(255) NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_identity PRIMARY KEY (id), 
	CONSTRAINT fk_identity_person_id FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT uq_identity_issuer_subject UNIQUE (issuer, subject)
);
CREATE TABLE invitation (
	id INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	person_id INTEGER, 
	team_id INTEGER, 
	organiser BOOLEAN NOT NULL, 
	note VARCHAR(200) NOT NULL, 
	created DATETIME NOT NULL, 
	created_by INTEGER, 
	expires DATETIME NOT NULL, 
	used DATETIME, 
	CONSTRAINT pk_invitation PRIMARY KEY (id), 
	CONSTRAINT fk_invitation_created_by FOREIGN KEY(created_by) REFERENCES person (id), 
	CONSTRAINT fk_invitation_person_id FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT fk_invitation_team_id FOREIGN KEY(team_id) REFERENCES team (id), 
	CONSTRAINT uq_invitation_digest UNIQUE (digest)
);
CREATE TABLE job (
	id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	challenge VARCHAR(100) NOT NULL, 
	phase VARCHAR(100) NOT NULL, 
	entry_id VARCHAR(16), 
	evaluation VARCHAR(16), 
	state VARCHAR(16) NOT NULL, 
	not_before DATETIME NOT NULL, 
	created DATETIME NOT NULL, 
	attempts INTEGER NOT NULL, 
	lease VARCHAR(32), 
	worker VARCHAR(120), 
	leased_until DATETIME, 
	started DATETIME, 
	ended DATETIME, 
	done INTEGER NOT NULL, 
	total INTEGER NOT NULL, 
	note VARCHAR(200) NOT NULL, 
	error TEXT NOT NULL, 
	CONSTRAINT pk_job PRIMARY KEY (id), 
	CONSTRAINT fk_job_entry_id FOREIGN KEY(entry_id) REFERENCES entry (id)
);
CREATE TABLE kept (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_kept PRIMARY KEY (name)
);
CREATE TABLE member (
	team_id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	leader BOOLEAN NOT NULL, 
	joined DATETIME NOT NULL, 
	CONSTRAINT pk_member PRIMARY KEY (team_id, person_id), 
	CONSTRAINT fk_member_person_id FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT fk_member_team_id FOREIGN KEY(team_id) REFERENCES team (id)
);
CREATE TABLE person (
	id INTEGER NOT NULL, 
	name VARCHAR(120) NOT NULL, 
	login VARCHAR(64), 
	password VARCHAR(255), 
	organiser BOOLEAN NOT NULL, 
	disabled BOOLEAN NOT NULL, 
	created DATETIME NOT NULL, 
	failures INTEGER NOT NULL, 
	locked_until DATETIME, 
	CONSTRAINT pk_person PRIMARY KEY (id), 
	CONSTRAINT uq_person_login UNIQUE (login)
);
CREATE TABLE session (
	digest VARCHAR(64) NOT NULL, 
	person_id INTEGER, 
	csrf VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	seen DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	data JSON NOT NULL, 
	CONSTRAINT pk_session PRIMARY KEY (digest), 
	CONSTRAINT fk_session_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE team (
	id INTEGER NOT NULL, 
	name VARCHAR(60) NOT NULL, 
	folded VARCHAR(180) NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_team PRIMARY KEY (id), 
	CONSTRAINT uq_team_folded UNIQUE (folded)
);
CREATE TABLE token (
	id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	name VARCHAR(120) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	scopes JSON NOT NULL, 
	created DATETIME NOT NULL, 
	expires DATETIME, 
	used DATETIME, 
	revoked DATETIME, 
	CONSTRAINT pk_token PRIMARY KEY (id), 
	CONSTRAINT fk_token_person_id FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT uq_token_digest UNIQUE (digest)
);
CREATE TABLE worker (
	name VARCHAR(120) NOT NULL, 
	started DATETIME NOT NULL, 
	seen DATETIME NOT NULL, 
	jobs INTEGER NOT NULL, 
	CONSTRAINT pk_worker PRIMARY KEY (name)
);
CREATE INDEX ix_deed_at ON deed (at);
CREATE INDEX ix_entry_challenge_phase_state ON entry (challenge, phase, state);
CREATE INDEX ix_entry_person_id ON entry (person_id);
CREATE INDEX ix_entry_received ON entry (received);
CREATE INDEX ix_entry_team_id ON entry (team_id);
CREATE INDEX ix_event_entry_id ON event (entry_id);
CREATE INDEX ix_identity_person_id ON identity (person_id);
CREATE INDEX ix_invitation_person_id ON invitation (person_id);
CREATE INDEX ix_invitation_team_id ON invitation (team_id);
CREATE INDEX ix_job_entry_id ON job (entry_id);
CREATE INDEX ix_job_leased_until ON job (leased_until);
CREATE INDEX ix_job_state_not_before ON job (state, not_before, id);
CREATE INDEX ix_member_person_id ON member (person_id);
CREATE INDEX ix_session_expires ON session (expires);
CREATE INDEX ix_session_person_id ON session (person_id);
CREATE INDEX ix_token_person_id ON token (person_id);
