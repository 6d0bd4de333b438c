-- Who may do what: rights beside the role, limits by place, logins that can be seen and ended, a second factor, invitations, and visits of
-- the platform's support.

-- Permissions by name beside those of the role; what is added counts first, what is removed counts last.
ALTER TABLE membership ADD COLUMN added text[] NOT NULL DEFAULT '{}'
    CHECK (cardinality(added) <= 64 AND array_position(added, NULL) IS NULL AND length(array_to_string(added, ',')) <= 2000);
ALTER TABLE membership ADD COLUMN removed text[] NOT NULL DEFAULT '{}'
    CHECK (cardinality(removed) <= 64 AND array_position(removed, NULL) IS NULL AND length(array_to_string(removed, ',')) <= 2000);
-- An operator is moved between tenants by the platform.
GRANT UPDATE (role), DELETE ON membership TO mastwire_platform;
SELECT internal.admit_platform('assignment');
GRANT SELECT (tenant_id, operator_id), DELETE ON assignment TO mastwire_platform;

-- Exactly these permissions instead of those of the role, and who made the token.
ALTER TABLE api_token ADD COLUMN permissions text[]
    CHECK (cardinality(permissions) <= 64 AND array_position(permissions, NULL) IS NULL AND length(array_to_string(permissions, ',')) <= 2000);
ALTER TABLE api_token ADD COLUMN created_by text CHECK (length(created_by) BETWEEN 1 AND 100);

-- The sites that are assigned to the operator whose reach it is, and all that stands below them. As its owner it sees the tree whatever the
-- caller may see of it; it looks at the caller's tenant and operator alone.
CREATE FUNCTION reachable_sites() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    WITH RECURSIVE below (id) AS (
        SELECT a.site_id FROM assignment a
         WHERE a.tenant_id = current_setting('app.tenant_id')::uuid
           AND a.operator_id = nullif(current_setting('app.reach'), 'all')::uuid AND a.site_id IS NOT NULL
        UNION
        SELECT s.id FROM site s JOIN below b ON s.tenant_id = current_setting('app.tenant_id')::uuid AND s.parent_id = b.id
    )
    SELECT id FROM below
$$;
REVOKE ALL ON FUNCTION reachable_sites() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reachable_sites() TO mastwire_app;

-- The tunnel addresses of the caller's tenant that are not free, also those of routers that the caller does not see: otherwise a limited
-- operator who adds a router would be given an address that is in use.
CREATE FUNCTION taken_tunnel_addresses() RETURNS SETOF inet
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT a.address FROM tunnel_address a WHERE a.tenant_id = current_setting('app.tenant_id')::uuid
$$;
REVOKE ALL ON FUNCTION taken_tunnel_addresses() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taken_tunnel_addresses() TO mastwire_app;

DROP POLICY reach ON router;
CREATE POLICY reach ON router AS RESTRICTIVE TO mastwire_app
    USING ((SELECT current_setting('app.reach')) = 'all'
        OR id IN (SELECT a.router_id FROM assignment a
                   WHERE a.tenant_id = (SELECT current_setting('app.tenant_id')::uuid)
                     AND a.operator_id = (SELECT nullif(current_setting('app.reach'), 'all')::uuid) AND a.router_id IS NOT NULL)
        OR site_id IN (SELECT reachable_sites()))
    WITH CHECK (true);

-- When a login was last used, to the minute, and from where it came. Its tenant sees it and may end it.
ALTER TABLE login_session ADD COLUMN seen_at timestamptz;
UPDATE login_session SET seen_at = created_at;
ALTER TABLE login_session ALTER COLUMN seen_at SET NOT NULL;
ALTER TABLE login_session ADD COLUMN address inet;
ALTER TABLE login_session ADD COLUMN user_agent text NOT NULL DEFAULT '' CHECK (length(user_agent) <= 200);
CREATE POLICY serving ON login_session TO mastwire_app
    USING (tenant_id = (SELECT current_setting('app.tenant_id')::uuid))
    WITH CHECK (tenant_id = (SELECT current_setting('app.tenant_id')::uuid));
GRANT SELECT (id, operator_id, tenant_id, purpose, created_at, expires_at, revoked_at, seen_at, address, user_agent),
      UPDATE (revoked_at) ON login_session TO mastwire_app;
DROP INDEX login_session_operator;
DROP INDEX login_session_tenant;
CREATE INDEX login_session_operator ON login_session (operator_id, id DESC);
CREATE INDEX login_session_tenant ON login_session (tenant_id, id DESC);
CREATE INDEX login_session_expired ON login_session (expires_at);

-- A second factor (RFC 6238). It belongs to the person, not to a tenant. Not in force until confirmed; no step is used twice.
CREATE TABLE operator_totp (
    operator_id   uuid PRIMARY KEY REFERENCES operator (id),
    sealed_secret bytea NOT NULL CHECK (length(sealed_secret) BETWEEN 40 AND 200),
    created_at    timestamptz NOT NULL,
    confirmed_at  timestamptz,
    last_step     bigint NOT NULL DEFAULT 0 CHECK (last_step >= 0)
);
ALTER TABLE operator_totp ENABLE ROW LEVEL SECURITY;
ALTER TABLE operator_totp FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON operator_totp TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('operator_totp');
GRANT SELECT, INSERT, UPDATE, DELETE ON operator_totp TO mastwire_platform;

-- A code for who has lost the second factor: 80 random bits, used once.
CREATE TABLE recovery_code (
    operator_id uuid NOT NULL REFERENCES operator (id),
    code_hash   bytea NOT NULL CHECK (length(code_hash) = 32),
    used_at     timestamptz,
    PRIMARY KEY (operator_id, code_hash)
);
ALTER TABLE recovery_code ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_code FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON recovery_code TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('recovery_code');
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_code TO mastwire_platform;

-- An invitation to serve a tenant: good once, for one login name, whether somebody has it already or not.
CREATE TABLE invitation (
    tenant_id    uuid NOT NULL REFERENCES tenant (id),
    id           uuid NOT NULL,
    login        text NOT NULL CHECK (login = lower(login) AND length(login) BETWEEN 3 AND 100),
    display_name text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 100),
    role         text NOT NULL CHECK (role IN ('admin', 'staff', 'customer_care', 'field_tech', 'viewer', 'reseller')),
    added        text[] NOT NULL DEFAULT '{}' CHECK (cardinality(added) <= 64 AND array_position(added, NULL) IS NULL AND length(array_to_string(added, ',')) <= 2000),
    removed      text[] NOT NULL DEFAULT '{}' CHECK (cardinality(removed) <= 64 AND array_position(removed, NULL) IS NULL AND length(array_to_string(removed, ',')) <= 2000),
    reach        text NOT NULL DEFAULT 'all' CHECK (reach IN ('all', 'assigned')),
    token_hash   bytea NOT NULL CHECK (length(token_hash) = 32),
    created_by   text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 100),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    accepted_at  timestamptz,
    accepted_by  uuid REFERENCES operator (id),
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT invitation_token_unique UNIQUE (token_hash),
    CONSTRAINT invitation_accepted CHECK ((accepted_at IS NULL) = (accepted_by IS NULL)),
    CONSTRAINT invitation_ends CHECK (created_at < expires_at)
);
CREATE INDEX invitation_accepted_by ON invitation (accepted_by);
CREATE UNIQUE INDEX invitation_open_unique ON invitation (tenant_id, login) WHERE accepted_at IS NULL AND revoked_at IS NULL;
SELECT internal.protect_tenant_table('invitation');
SELECT internal.admit_platform('invitation');
GRANT SELECT, INSERT, UPDATE (revoked_at) ON invitation TO mastwire_app;
-- Whoever accepts is not yet known to the tenant, so the platform's role finds the invitation and uses it up.
GRANT SELECT, UPDATE (accepted_at, accepted_by, revoked_at) ON invitation TO mastwire_platform;

-- A visit of the platform's support in a tenant: with a reason, for an hour at most, seen by the tenant and ended by it.
CREATE TABLE impersonation (
    tenant_id   uuid NOT NULL REFERENCES tenant (id),
    id          uuid NOT NULL,
    operator_id uuid NOT NULL REFERENCES operator (id),
    -- The visitor's name as it was: a tenant does not see the platform's people.
    visitor     text NOT NULL CHECK (length(visitor) BETWEEN 1 AND 100),
    reason      text NOT NULL CHECK (length(reason) BETWEEN 1 AND 300),
    writes      boolean NOT NULL,
    token_hash  bytea NOT NULL CHECK (length(token_hash) = 32),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    ended_by    text CHECK (length(ended_by) BETWEEN 1 AND 100),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT impersonation_token_unique UNIQUE (token_hash),
    CONSTRAINT impersonation_time_box CHECK (created_at < expires_at AND expires_at <= created_at + interval '1 hour'),
    CONSTRAINT impersonation_ended CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX impersonation_operator ON impersonation (operator_id);
SELECT internal.protect_tenant_table('impersonation');
SELECT internal.admit_platform('impersonation');
GRANT SELECT, UPDATE (ended_at, ended_by) ON impersonation TO mastwire_app;
GRANT SELECT, INSERT ON impersonation TO mastwire_platform;

-- What the platform does to a tenant is written into that tenant's own log, which the platform's role cannot read.
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = 'audit_log'::regclass AND polname = 'platform') THEN
        PERFORM internal.admit_platform('audit_log');
    END IF;
END $$;
GRANT INSERT ON audit_log TO mastwire_platform;
