-- Who has to look again. Written in the transaction that gives the reason; read by one dispatcher, which is told within the process and
-- polls in case it was not.
CREATE TABLE outbox (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    id         uuid NOT NULL,
    router_id  uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
);
CREATE INDEX outbox_oldest ON outbox (created_at);
CREATE INDEX outbox_router ON outbox (tenant_id, router_id);
SELECT internal.protect_tenant_table('outbox');
SELECT internal.admit_platform('outbox');
GRANT SELECT, INSERT ON outbox TO mastwire_app;
GRANT SELECT, DELETE ON outbox TO mastwire_platform;

-- Work to be done later, claimed in batches with a lease.
CREATE TABLE job (
    tenant_id    uuid NOT NULL REFERENCES tenant (id),
    id           uuid NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('remove_router')),
    subject      uuid NOT NULL,
    run_at       timestamptz NOT NULL,
    leased_until timestamptz,
    attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_error   text CHECK (length(last_error) <= 500),
    done_at      timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX job_once ON job (tenant_id, kind, subject) WHERE done_at IS NULL;
CREATE INDEX job_due ON job (run_at) WHERE done_at IS NULL;
SELECT internal.protect_tenant_table('job');
SELECT internal.admit_platform('job');
GRANT SELECT, INSERT, UPDATE ON job TO mastwire_app;
GRANT SELECT ON job TO mastwire_platform;
GRANT UPDATE (leased_until, attempts) ON job TO mastwire_platform;
