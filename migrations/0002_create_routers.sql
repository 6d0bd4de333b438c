CREATE TABLE router (
    tenant_id    uuid NOT NULL REFERENCES tenant (id),
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    -- Where it stands on the road from created to serving; what is observed of it stands in router_state.
    stage        text NOT NULL DEFAULT 'created' CHECK (stage IN ('created', 'joined', 'confirmed', 'removed')),
    serial       text CHECK (length(serial) <= 64),
    board        text CHECK (length(board) <= 64),
    version      text CHECK (length(version) <= 64),
    api_user     text CHECK (length(api_user) <= 64),
    api_password bytea,
    -- A password that was sent to the router and not yet seen to work; either of the two logs in.
    api_password_next bytea,
    -- The services that the operator is choosing, and those that were approved after looking at the plan. Only the latter are applied.
    services_chosen jsonb NOT NULL DEFAULT '[]',
    services     jsonb NOT NULL DEFAULT '[]',
    created_at   timestamptz NOT NULL,
    removed_at   timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX router_name_unique ON router (tenant_id, name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX router_serial_unique ON router (tenant_id, serial) WHERE removed_at IS NULL;
SELECT internal.protect_tenant_table('router');
GRANT SELECT, INSERT, UPDATE ON router TO mastwire_app;

-- Generations: a worker is told nothing but "look again", and a worker with an old generation is refused.
CREATE TABLE router_state (
    tenant_id   uuid NOT NULL,
    router_id   uuid NOT NULL,
    desired     bigint NOT NULL DEFAULT 0 CHECK (desired >= 0),
    applied     bigint NOT NULL DEFAULT 0 CHECK (applied BETWEEN 0 AND desired),
    failures    integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    last_error  text CHECK (length(last_error) <= 500),
    attempted_at timestamptz,
    applied_at  timestamptz,
    PRIMARY KEY (tenant_id, router_id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
);
CREATE INDEX router_state_behind ON router_state (tenant_id, router_id) WHERE applied < desired;
SELECT internal.protect_tenant_table('router_state');
SELECT internal.admit_platform('router_state');
GRANT SELECT, INSERT, UPDATE ON router_state TO mastwire_app;
GRANT SELECT ON router_state TO mastwire_platform;

-- The tags of what is ours on each router. Random, without meaning, unique per router.
CREATE TABLE router_object (
    tenant_id  uuid NOT NULL,
    router_id  uuid NOT NULL,
    object_key text NOT NULL CHECK (length(object_key) BETWEEN 1 AND 150),
    tag        text NOT NULL CHECK (tag ~ '^mw:[0-9a-f]{12}$'),
    PRIMARY KEY (tenant_id, router_id, object_key),
    CONSTRAINT router_object_tag_unique UNIQUE (tenant_id, router_id, tag),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
);
SELECT internal.protect_tenant_table('router_object');
GRANT SELECT, INSERT, DELETE ON router_object TO mastwire_app;

-- Plans as they were applied, with the time each step took.
CREATE TABLE change_set (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    router_id  uuid NOT NULL,
    generation bigint NOT NULL,
    started_at timestamptz NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('applied', 'failed')),
    error      text CHECK (length(error) <= 500),
    writes     integer NOT NULL CHECK (writes >= 0),
    changes    jsonb NOT NULL,
    timing_us  jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
);
CREATE INDEX change_set_newest ON change_set (tenant_id, router_id, id DESC);
SELECT internal.protect_tenant_table('change_set');
GRANT SELECT, INSERT ON change_set TO mastwire_app;
