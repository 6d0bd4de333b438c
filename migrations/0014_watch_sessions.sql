-- What is observed: who is online and was, what was used, what was away, and what a diagnosis found.

-- What was last heard of a router's sessions, and the one row that whoever writes its sessions holds.
CREATE TABLE session_source (
    tenant_id uuid NOT NULL,
    router_id uuid NOT NULL,
    -- When the router last started. Sessions' names on a router begin anew with it.
    boot_at   timestamptz,
    -- When its sessions were last listed as a whole.
    listed_at timestamptz,
    PRIMARY KEY (tenant_id, router_id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
);
SELECT internal.protect_tenant_table('session_source');
SELECT internal.limit_reach('session_source');
GRANT SELECT, INSERT, UPDATE ON session_source TO mastwire_app;

-- Who is online. A session that ends moves to session_history and never comes back.
CREATE TABLE session_live (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    router_id      uuid NOT NULL,
    -- 'class:' and our own id that the router echoes, else 'acct:' with the router's start, its name for the session, and the caller.
    session_key    text NOT NULL CHECK (length(session_key) BETWEEN 1 AND 200),
    -- The router's own name for it; empty where it has none.
    acct_id        text NOT NULL CHECK (length(acct_id) <= 64),
    customer_id    uuid,
    kind           text NOT NULL CHECK (kind IN ('pppoe', 'hotspot')),
    login          text NOT NULL CHECK (length(login) <= 100),
    address        inet,
    -- Who calls: the device's MAC, as far as the router knows it.
    station        text NOT NULL CHECK (length(station) <= 64),
    started_at     timestamptz NOT NULL,
    seen_at        timestamptz NOT NULL,
    -- Counters only grow. From and to the customer, in bytes; NULL where the router does not say.
    online_seconds bigint NOT NULL CHECK (online_seconds >= 0),
    upload_bytes   bigint CHECK (upload_bytes >= 0),
    download_bytes bigint CHECK (download_bytes >= 0),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT session_live_key_unique UNIQUE (tenant_id, router_id, session_key),
    CONSTRAINT session_live_order CHECK (started_at <= seen_at),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX session_live_router ON session_live (tenant_id, router_id, id DESC);
CREATE INDEX session_live_customer ON session_live (tenant_id, customer_id, id DESC);
SELECT internal.protect_tenant_table('session_live');
SELECT internal.limit_reach('session_live');
GRANT SELECT, INSERT, UPDATE, DELETE ON session_live TO mastwire_app;

-- Who was online. Cut by the month in which the end was noted, not by the start: a session may have begun before anything was watched,
-- and the end's month never changes.
CREATE TABLE session_history (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    router_id      uuid NOT NULL,
    session_key    text NOT NULL CHECK (length(session_key) BETWEEN 1 AND 200),
    acct_id        text NOT NULL CHECK (length(acct_id) <= 64),
    customer_id    uuid,
    kind           text NOT NULL CHECK (kind IN ('pppoe', 'hotspot')),
    login          text NOT NULL CHECK (length(login) <= 100),
    address        inet,
    station        text NOT NULL CHECK (length(station) <= 64),
    started_at     timestamptz NOT NULL,
    seen_at        timestamptz NOT NULL,
    online_seconds bigint NOT NULL CHECK (online_seconds >= 0),
    upload_bytes   bigint CHECK (upload_bytes >= 0),
    download_bytes bigint CHECK (download_bytes >= 0),
    ended_at       timestamptz NOT NULL,
    cause          text NOT NULL CHECK (cause ~ '^[a-z_]{1,32}$'),
    -- When the end was noted here; the row's month.
    closed_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id, closed_at),
    CONSTRAINT session_history_order CHECK (started_at <= seen_at AND started_at <= ended_at),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
) PARTITION BY RANGE (closed_at);
CREATE INDEX session_history_key ON session_history (tenant_id, router_id, session_key);
CREATE INDEX session_history_router ON session_history (tenant_id, router_id, id DESC);
CREATE INDEX session_history_customer ON session_history (tenant_id, customer_id, id DESC);
CREATE INDEX session_history_closed ON session_history (tenant_id, closed_at, id);
SELECT internal.protect_tenant_table('session_history');
SELECT internal.limit_reach('session_history');
SELECT internal.partition_monthly('session_history');
GRANT SELECT, INSERT, UPDATE, DELETE ON session_history TO mastwire_app;

-- What a customer used on a router in an hour (UTC). Written with the sessions alone, by what their counters grew.
CREATE TABLE usage (
    tenant_id      uuid NOT NULL,
    customer_id    uuid NOT NULL,
    router_id      uuid NOT NULL,
    hour           timestamptz NOT NULL,
    online_seconds bigint NOT NULL CHECK (online_seconds >= 0),
    upload_bytes   bigint NOT NULL CHECK (upload_bytes >= 0),
    download_bytes bigint NOT NULL CHECK (download_bytes >= 0),
    PRIMARY KEY (tenant_id, customer_id, hour, router_id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
) PARTITION BY RANGE (hour);
CREATE INDEX usage_router ON usage (tenant_id, router_id, hour);
CREATE INDEX usage_hour ON usage (tenant_id, hour);
SELECT internal.protect_tenant_table('usage');
SELECT internal.limit_reach('usage');
SELECT internal.partition_monthly('usage');
GRANT SELECT, INSERT, UPDATE, DELETE ON usage TO mastwire_app;

-- How long a tenant keeps what was observed of its customers, in days. A tenant without a row keeps it as long as the code says.
CREATE TABLE retention (
    tenant_id     uuid NOT NULL REFERENCES tenant (id),
    sessions_days integer NOT NULL CHECK (sessions_days BETWEEN 7 AND 1100),
    usage_days    integer NOT NULL CHECK (usage_days BETWEEN 7 AND 1100),
    PRIMARY KEY (tenant_id)
);
SELECT internal.protect_tenant_table('retention');
GRANT SELECT, INSERT, UPDATE ON retention TO mastwire_app;

-- How far a tenant has been watched. While nobody watched, nothing is known: such times stand in watch_gap.
CREATE TABLE watch (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    watched_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id)
);
SELECT internal.protect_tenant_table('watch');
GRANT SELECT, INSERT, UPDATE ON watch TO mastwire_app;

CREATE TABLE watch_gap (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, started_at),
    CONSTRAINT watch_gap_order CHECK (started_at < ended_at)
);
CREATE INDEX watch_gap_ended ON watch_gap (tenant_id, ended_at);
SELECT internal.protect_tenant_table('watch_gap');
GRANT SELECT, INSERT ON watch_gap TO mastwire_app;

-- A time in which a router was silent, or a customer with a paid connection was not online. One that is open has no end.
CREATE TABLE outage (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    router_id   uuid NOT NULL,
    -- Empty for an outage of the router itself.
    customer_id uuid,
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    -- Why it ended: back again, or nobody was owed anything any more.
    ending      text CHECK (ending IN ('back', 'not_owed')),
    -- The router's outage that explains it; nobody is alarmed for it then.
    parent_id   uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT outage_order CHECK (ended_at >= started_at),
    CONSTRAINT outage_ends_somehow CHECK ((ended_at IS NULL) = (ending IS NULL)),
    CONSTRAINT outage_parent_of_customers CHECK (parent_id IS NULL OR customer_id IS NOT NULL),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES outage (tenant_id, id)
);
CREATE UNIQUE INDEX outage_open_router ON outage (tenant_id, router_id) WHERE ended_at IS NULL AND customer_id IS NULL;
CREATE UNIQUE INDEX outage_open_customer ON outage (tenant_id, customer_id) WHERE ended_at IS NULL AND customer_id IS NOT NULL;
CREATE INDEX outage_router ON outage (tenant_id, router_id, id DESC);
CREATE INDEX outage_customer ON outage (tenant_id, customer_id, id DESC);
CREATE INDEX outage_parent ON outage (tenant_id, parent_id);
SELECT internal.protect_tenant_table('outage');
SELECT internal.limit_reach('outage');
GRANT SELECT, INSERT, UPDATE ON outage TO mastwire_app;

-- What a diagnosis found. Written once.
CREATE TABLE diagnosis (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    router_id   uuid NOT NULL,
    customer_id uuid,
    -- The checks in their order, each {name, status, summary, details}.
    steps       jsonb NOT NULL,
    cause       text NOT NULL CHECK (cause ~ '^[a-z_]{1,40}$'),
    conclusion  text NOT NULL CHECK (length(conclusion) BETWEEN 1 AND 1000),
    remedy      text NOT NULL CHECK (length(remedy) <= 1000),
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    run_by      text NOT NULL CHECK (length(run_by) BETWEEN 1 AND 100),
    -- The SHA-256 of all that stands above as canonical JSON, sealed: it opens only here, and only while the row is as it was written.
    seal        bytea NOT NULL CHECK (length(seal) BETWEEN 60 AND 200),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT diagnosis_order CHECK (started_at <= finished_at),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX diagnosis_router ON diagnosis (tenant_id, router_id, id DESC);
CREATE INDEX diagnosis_customer ON diagnosis (tenant_id, customer_id, id DESC);
SELECT internal.protect_tenant_table('diagnosis');
SELECT internal.limit_reach('diagnosis');
GRANT SELECT, INSERT ON diagnosis TO mastwire_app;
-- A seal is made anew when the tenant's key is changed; nothing else of a diagnosis ever is.
GRANT UPDATE (seal) ON diagnosis TO mastwire_app;
