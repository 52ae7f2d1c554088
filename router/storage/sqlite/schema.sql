-- Tables of MongooseIM 2.0.1 in SQLite. Names and columns are the reference's;
-- types follow its PostgreSQL schema.

CREATE TABLE users (
    username     varchar(250) NOT NULL PRIMARY KEY,
    password     text NOT NULL,
    pass_details text,
    created_at   timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID;

CREATE TABLE last (
    username varchar(250) NOT NULL PRIMARY KEY,
    seconds  int NOT NULL,
    state    text NOT NULL
) WITHOUT ROWID;
-- The reference's index on seconds is left out: it would double the cost of
-- every logout, for administration commands that may as well read the table.

CREATE TABLE rosterusers (
    username     varchar(250) NOT NULL,
    jid          text NOT NULL,
    nick         text NOT NULL,
    subscription char(1) NOT NULL,
    ask          char(1) NOT NULL,
    askmessage   text NOT NULL,
    server       char(1) NOT NULL,
    subscribe    text,
    type         text,
    created_at   timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (username, jid)
) WITHOUT ROWID;
CREATE INDEX i_rosteru_jid ON rosterusers (jid);

CREATE TABLE rostergroups (
    username varchar(250) NOT NULL,
    jid      text NOT NULL,
    grp      text NOT NULL
);
CREATE INDEX pk_rosterg_user_jid ON rostergroups (username, jid);

CREATE TABLE roster_version (
    username varchar(250) NOT NULL PRIMARY KEY,
    version  text NOT NULL
) WITHOUT ROWID;

CREATE TABLE vcard (
    username   varchar(150) NOT NULL,
    server     varchar(100) NOT NULL,
    vcard      text NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (server, username)
);

CREATE TABLE vcard_search (
    username  varchar(150) NOT NULL,
    lusername varchar(100) NOT NULL,
    server    varchar(250) NOT NULL,
    fn        text NOT NULL,
    lfn       text NOT NULL,
    family    text NOT NULL,
    lfamily   text NOT NULL,
    given     text NOT NULL,
    lgiven    text NOT NULL,
    middle    text NOT NULL,
    lmiddle   text NOT NULL,
    nickname  text NOT NULL,
    lnickname text NOT NULL,
    bday      text NOT NULL,
    lbday     text NOT NULL,
    ctry      text NOT NULL,
    lctry     text NOT NULL,
    locality  text NOT NULL,
    llocality text NOT NULL,
    email     text NOT NULL,
    lemail    text NOT NULL,
    orgname   text NOT NULL,
    lorgname  text NOT NULL,
    orgunit   text NOT NULL,
    lorgunit  text NOT NULL,
    PRIMARY KEY (server, lusername)
);
CREATE INDEX i_vcard_search_lfn ON vcard_search (lfn);
CREATE INDEX i_vcard_search_lfamily ON vcard_search (lfamily);
CREATE INDEX i_vcard_search_lgiven ON vcard_search (lgiven);
CREATE INDEX i_vcard_search_lmiddle ON vcard_search (lmiddle);
CREATE INDEX i_vcard_search_lnickname ON vcard_search (lnickname);
CREATE INDEX i_vcard_search_lbday ON vcard_search (lbday);
CREATE INDEX i_vcard_search_lctry ON vcard_search (lctry);
CREATE INDEX i_vcard_search_llocality ON vcard_search (llocality);
CREATE INDEX i_vcard_search_lemail ON vcard_search (lemail);
CREATE INDEX i_vcard_search_lorgname ON vcard_search (lorgname);
CREATE INDEX i_vcard_search_lorgunit ON vcard_search (lorgunit);

CREATE TABLE privacy_default_list (
    username varchar(250) NOT NULL PRIMARY KEY,
    name     text NOT NULL
) WITHOUT ROWID;

-- Ids are never used again: rows of privacy_list_data, occupants and archives
-- may outlive what they belong to.
CREATE TABLE privacy_list (
    username   varchar(250) NOT NULL,
    name       text NOT NULL,
    id         integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (username, name)
);

CREATE TABLE privacy_list_data (
    id                 bigint NOT NULL REFERENCES privacy_list (id) ON DELETE CASCADE,
    t                  char(1) NOT NULL,
    value              text NOT NULL,
    action             char(1) NOT NULL,
    ord                numeric NOT NULL,
    match_all          boolean NOT NULL,
    match_iq           boolean NOT NULL,
    match_message      boolean NOT NULL,
    match_presence_in  boolean NOT NULL,
    match_presence_out boolean NOT NULL,
    PRIMARY KEY (id, ord)
) WITHOUT ROWID;

CREATE TABLE private_storage (
    username   varchar(250) NOT NULL,
    namespace  text NOT NULL,
    data       text NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (username, namespace)
);

CREATE TABLE offline_message (
    id        integer NOT NULL PRIMARY KEY,
    timestamp bigint NOT NULL,
    expire    bigint,
    server    varchar(250) NOT NULL,
    username  varchar(250) NOT NULL,
    from_jid  varchar(250) NOT NULL,
    packet    text NOT NULL
);
CREATE INDEX i_offline_message ON offline_message (server, username, id);

CREATE TABLE mam_server_user (
    id        integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    server    varchar(250) NOT NULL,
    user_name varchar(250) NOT NULL,
    UNIQUE (server, user_name)
);

CREATE TABLE mam_message (
    id              bigint NOT NULL,
    user_id         int NOT NULL,
    from_jid        varchar(250) NOT NULL,
    remote_bare_jid varchar(250) NOT NULL,
    remote_resource varchar(250) NOT NULL,
    direction       char(1) NOT NULL CHECK (direction IN ('I', 'O')),
    message         blob NOT NULL,
    PRIMARY KEY (user_id, id)
);
CREATE INDEX i_mam_message_rem ON mam_message (user_id, remote_bare_jid, id);

CREATE TABLE mam_muc_message (
    id        bigint NOT NULL,
    room_id   int NOT NULL,
    nick_name varchar(250) NOT NULL,
    message   blob NOT NULL,
    PRIMARY KEY (room_id, id)
);

CREATE TABLE mam_config (
    user_id    int NOT NULL,
    remote_jid varchar(250) NOT NULL,
    behaviour  char(1) NOT NULL CHECK (behaviour IN ('A', 'N', 'R')),
    PRIMARY KEY (user_id, remote_jid)
) WITHOUT ROWID;

CREATE TABLE muc_light_rooms (
    id      integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    luser   varchar(250) NOT NULL,
    lserver varchar(250) NOT NULL,
    version varchar(20) NOT NULL,
    UNIQUE (lserver, luser)
);

CREATE TABLE muc_light_occupants (
    room_id bigint NOT NULL REFERENCES muc_light_rooms (id),
    luser   varchar(250) NOT NULL,
    lserver varchar(250) NOT NULL,
    aff     smallint NOT NULL
);
CREATE INDEX i_muc_light_occupants_id ON muc_light_occupants (room_id);
CREATE INDEX i_muc_light_occupants_us ON muc_light_occupants (lserver, luser);

CREATE TABLE muc_light_config (
    room_id bigint NOT NULL REFERENCES muc_light_rooms (id),
    opt     varchar(100) NOT NULL,
    val     varchar(250) NOT NULL
);
CREATE INDEX i_muc_light_config ON muc_light_config (room_id);

CREATE TABLE muc_light_blocking (
    luser   varchar(250) NOT NULL,
    lserver varchar(250) NOT NULL,
    what    smallint NOT NULL,
    who     varchar(500) NOT NULL
);
CREATE INDEX i_muc_light_blocking ON muc_light_blocking (luser, lserver);

CREATE TABLE auth_token (
    owner  text NOT NULL PRIMARY KEY,
    seq_no bigint NOT NULL
) WITHOUT ROWID;
