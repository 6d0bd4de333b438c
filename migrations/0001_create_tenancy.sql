-- Runs as mastwire_owner, which owns every table and is never used to serve. mastwire_app sees one tenant at a time, by policy;
-- mastwire_platform does the declared cross-tenant work. Every table stands in the registry of crate db, and a test compares the two.

CREATE SCHEMA internal;

-- Makes a table a tenant's: no row is visible or writable outside the transaction's tenant, and without one there is an error, not an
-- empty answer (no missing_ok on purpose).
CREATE FUNCTION internal.protect_tenant_table(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant ON %s TO mastwire_app
                    USING (tenant_id = (SELECT current_setting(''app.tenant_id'')::uuid))
                    WITH CHECK (tenant_id = (SELECT current_setting(''app.tenant_id'')::uuid))', target);
    EXECUTE format('CREATE POLICY owner ON %s TO mastwire_owner USING (true) WITH CHECK (true)', target);
END $$;

-- Lets the platform role through on a table; the grants beside each call say for what.
CREATE FUNCTION internal.admit_platform(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE POLICY platform ON %s TO mastwire_platform USING (true) WITH CHECK (true)', target);
END $$;

CREATE TABLE tenant (
    id         uuid PRIMARY KEY,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    status     text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    time_zone  text NOT NULL CHECK (length(time_zone) BETWEEN 1 AND 64),
    created_at timestamptz NOT NULL,
    CONSTRAINT tenant_name_unique UNIQUE (name)
);
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant TO mastwire_app USING (id = (SELECT current_setting('app.tenant_id')::uuid));
CREATE POLICY owner ON tenant TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('tenant');
GRANT SELECT ON tenant TO mastwire_app;
GRANT SELECT, INSERT, UPDATE ON tenant TO mastwire_platform;

-- A person. One person may serve several tenants, so a login name is unique in the whole system.
CREATE TABLE operator (
    id            uuid PRIMARY KEY,
    login         text NOT NULL CHECK (login = lower(login) AND length(login) BETWEEN 3 AND 100),
    display_name  text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 100),
    -- Nothing but an Argon2id hash fits here, whatever path it comes by.
    password_hash text CHECK (password_hash LIKE '$argon2id$v=19$%' AND length(password_hash) <= 200),
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    platform      boolean NOT NULL DEFAULT false,
    failed_logins integer NOT NULL DEFAULT 0 CHECK (failed_logins >= 0),
    locked_until  timestamptz,
    created_at    timestamptz NOT NULL,
    CONSTRAINT operator_login_unique UNIQUE (login)
);
GRANT SELECT, INSERT, UPDATE ON operator TO mastwire_platform;

CREATE TABLE membership (
    tenant_id   uuid NOT NULL REFERENCES tenant (id),
    operator_id uuid NOT NULL REFERENCES operator (id),
    role        text NOT NULL CHECK (role IN ('admin', 'staff', 'customer_care', 'field_tech', 'viewer', 'reseller')),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, operator_id)
);
CREATE INDEX membership_operator ON membership (operator_id);
SELECT internal.protect_tenant_table('membership');
SELECT internal.admit_platform('membership');
GRANT SELECT, INSERT, UPDATE, DELETE ON membership TO mastwire_app;
GRANT SELECT, INSERT ON membership TO mastwire_platform;

-- A tenant sees the people who serve it, and never their password hashes.
ALTER TABLE operator ENABLE ROW LEVEL SECURITY;
ALTER TABLE operator FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON operator TO mastwire_app
    USING (EXISTS (SELECT 1 FROM membership m WHERE m.operator_id = operator.id AND m.tenant_id = (SELECT current_setting('app.tenant_id')::uuid)));
CREATE POLICY owner ON operator TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('operator');
GRANT SELECT (id, login, display_name, status, created_at) ON operator TO mastwire_app;

-- A browser's or a CLI's login, or a one-time link (purpose 'setup') that sets a password. tenant_id is empty for the platform's own.
CREATE TABLE login_session (
    id          uuid PRIMARY KEY,
    operator_id uuid NOT NULL REFERENCES operator (id),
    tenant_id   uuid REFERENCES tenant (id),
    purpose     text NOT NULL CHECK (purpose IN ('login', 'setup')),
    token_hash  bytea NOT NULL CHECK (length(token_hash) = 32),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    CONSTRAINT login_session_token_unique UNIQUE (token_hash)
);
CREATE INDEX login_session_operator ON login_session (operator_id);
CREATE INDEX login_session_tenant ON login_session (tenant_id);
ALTER TABLE login_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_session FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON login_session TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('login_session');
GRANT SELECT, INSERT, UPDATE, DELETE ON login_session TO mastwire_platform;

CREATE TABLE api_token (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    id         uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    role       text NOT NULL CHECK (role IN ('admin', 'staff', 'customer_care', 'field_tech', 'viewer', 'reseller')),
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT api_token_hash_unique UNIQUE (token_hash)
);
SELECT internal.protect_tenant_table('api_token');
SELECT internal.admit_platform('api_token');
GRANT SELECT, INSERT, UPDATE ON api_token TO mastwire_app;
GRANT SELECT ON api_token TO mastwire_platform;

-- One key per tenant seals that tenant's secrets; it is itself sealed by the master key. Without it nothing of the tenant can be read.
CREATE TABLE data_key (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    id         uuid NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    sealed_key bytea NOT NULL CHECK (length(sealed_key) BETWEEN 40 AND 200),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT data_key_version_unique UNIQUE (tenant_id, version)
);
SELECT internal.protect_tenant_table('data_key');
SELECT internal.admit_platform('data_key');
GRANT SELECT ON data_key TO mastwire_app;
GRANT INSERT ON data_key TO mastwire_platform;

CREATE TABLE audit_log (
    tenant_id   uuid NOT NULL REFERENCES tenant (id),
    id          uuid NOT NULL,
    at          timestamptz NOT NULL,
    actor       text NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
    action      text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
    target      text NOT NULL CHECK (length(target) BETWEEN 1 AND 100),
    details     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, id)
);
SELECT internal.protect_tenant_table('audit_log');
GRANT SELECT, INSERT ON audit_log TO mastwire_app;

-- What the platform's people and sweeps did across tenants, and why they said they did it.
CREATE TABLE platform_audit (
    id     uuid PRIMARY KEY,
    at     timestamptz NOT NULL,
    actor  text NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500)
);
ALTER TABLE platform_audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform_audit FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON platform_audit TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('platform_audit');
GRANT SELECT, INSERT ON platform_audit TO mastwire_platform;
