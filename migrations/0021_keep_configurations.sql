-- The history of each router's configuration, as its own export writes it.

ALTER TABLE retention ADD COLUMN configurations_days integer CHECK (configurations_days BETWEEN 7 AND 1100);

-- An export that differs from the one before it. It is never empty: what could not be taken whole is not kept, and is noted in
-- configuration_state.
CREATE TABLE configuration (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    router_id   uuid NOT NULL,
    taken_at    timestamptz NOT NULL,
    -- When the router was last seen to hold just this.
    seen_until  timestamptz NOT NULL,
    reason      text NOT NULL CHECK (reason IN ('asked', 'nightly', 'before_change')),
    taken_by    text NOT NULL CHECK (length(taken_by) BETWEEN 1 AND 100),
    version     text NOT NULL CHECK (length(version) <= 50),
    commands    integer NOT NULL CHECK (commands > 0),
    -- Commands of the text that are no configuration, menus that the router could not export, and secrets that it showed unasked.
    left_out    integer NOT NULL CHECK (left_out >= 0),
    faults      integer NOT NULL CHECK (faults >= 0),
    hidden      integer NOT NULL CHECK (hidden >= 0),
    bytes       integer NOT NULL CHECK (bytes BETWEEN 1 AND 10485760),
    -- Of the text without what changes by itself, under the tenant's own key.
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    sealed_text bytea NOT NULL CHECK (length(sealed_text) <= 10490000),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    CONSTRAINT configuration_seen_after_taken CHECK (seen_until >= taken_at)
);
CREATE INDEX configuration_router ON configuration (tenant_id, router_id, id DESC);
CREATE INDEX configuration_seen ON configuration (tenant_id, seen_until);
SELECT internal.protect_tenant_table('configuration');
SELECT internal.limit_reach('configuration');
-- The oldest of a router go when there are too many.
GRANT SELECT, INSERT, DELETE ON configuration TO mastwire_app;
-- A new key of the tenant seals what is there anew.
GRANT UPDATE (seen_until, sealed_text) ON configuration TO mastwire_app;

-- How it stands with a router's history.
CREATE TABLE configuration_state (
    tenant_id     uuid NOT NULL,
    router_id     uuid NOT NULL,
    -- What the router held when it was last looked at; it is not forgotten, however old it is.
    latest_id     uuid,
    -- Whether the file that an export is read from may still lie on the router.
    file_left     boolean NOT NULL DEFAULT false,
    failing_since timestamptz,
    failure       text CHECK (length(failure) BETWEEN 1 AND 500),
    PRIMARY KEY (tenant_id, router_id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, latest_id) REFERENCES configuration (tenant_id, id),
    CONSTRAINT configuration_state_failure CHECK ((failing_since IS NULL) = (failure IS NULL))
);
CREATE INDEX configuration_state_latest ON configuration_state (tenant_id, latest_id);
SELECT internal.protect_tenant_table('configuration_state');
SELECT internal.limit_reach('configuration_state');
GRANT SELECT, INSERT, UPDATE ON configuration_state TO mastwire_app;

CREATE OR REPLACE FUNCTION internal.kept() RETURNS TABLE (table_name name, time_column name, setting name, at_least integer)
LANGUAGE sql IMMUTABLE AS $$
    VALUES ('audit_log'::name,  'at'::name,     'audit_days'::name,    366),
           ('change_set',       'started_at',   'changes_days',        7),
           ('configuration',    'seen_until',   'configurations_days', 7),
           ('diagnosis',        'finished_at',  'diagnoses_days',      7),
           ('message',          'at',           'messages_days',       31),
           ('outage',           'ended_at',     'outages_days',        31),
           ('session_history',  'closed_at',    'sessions_days',       7),
           ('usage',            'hour',         'usage_days',          7),
           ('watch_gap',        'ended_at',     'outages_days',        31)
$$;
