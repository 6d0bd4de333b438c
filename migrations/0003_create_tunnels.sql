-- The hub's own WireGuard key, sealed by the master key. A second one appears only while the key is being changed.
CREATE TABLE hub_key (
    id          uuid PRIMARY KEY,
    public_key  bytea NOT NULL CHECK (length(public_key) = 32),
    sealed_key  bytea NOT NULL CHECK (length(sealed_key) BETWEEN 40 AND 200),
    created_at  timestamptz NOT NULL,
    retired_at  timestamptz,
    CONSTRAINT hub_key_public_unique UNIQUE (public_key)
);
ALTER TABLE hub_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE hub_key FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON hub_key TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('hub_key');
GRANT SELECT, INSERT, UPDATE ON hub_key TO mastwire_platform;

-- A tenant's range of addresses: 64 at first, more as it fills. Blocks of all tenants are disjoint.
CREATE TABLE tunnel_block (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    id         uuid NOT NULL,
    network    cidr NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT tunnel_block_disjoint EXCLUDE USING gist (network inet_ops WITH &&)
);
SELECT internal.protect_tenant_table('tunnel_block');
GRANT SELECT ON tunnel_block TO mastwire_app;

-- One row per address that is in use or resting. An address without a row is free.
CREATE TABLE tunnel_address (
    tenant_id         uuid NOT NULL,
    address           inet NOT NULL CHECK (family(address) = 4 AND masklen(address) = 32),
    block_id          uuid NOT NULL,
    router_id         uuid,
    quarantined_until timestamptz,
    PRIMARY KEY (tenant_id, address),
    CONSTRAINT tunnel_address_unique UNIQUE (address),
    CONSTRAINT tunnel_address_used_or_resting CHECK ((router_id IS NULL) <> (quarantined_until IS NULL)),
    FOREIGN KEY (tenant_id, block_id) REFERENCES tunnel_block (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
);
CREATE UNIQUE INDEX tunnel_address_router ON tunnel_address (tenant_id, router_id);
CREATE INDEX tunnel_address_block ON tunnel_address (tenant_id, block_id);
SELECT internal.protect_tenant_table('tunnel_address');
GRANT SELECT, INSERT, UPDATE, DELETE ON tunnel_address TO mastwire_app;

CREATE TABLE tunnel_peer (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    router_id     uuid NOT NULL,
    address       inet NOT NULL,
    public_key    bytea NOT NULL CHECK (length(public_key) = 32),
    preshared_key bytea NOT NULL,
    endpoint      text CHECK (length(endpoint) <= 64),
    seen_at       timestamptz,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT tunnel_peer_key_unique UNIQUE (public_key),
    CONSTRAINT tunnel_peer_address_unique UNIQUE (address),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, address) REFERENCES tunnel_address (tenant_id, address)
);
CREATE UNIQUE INDEX tunnel_peer_router ON tunnel_peer (tenant_id, router_id);
CREATE INDEX tunnel_peer_address ON tunnel_peer (tenant_id, address);
SELECT internal.protect_tenant_table('tunnel_peer');
SELECT internal.admit_platform('tunnel_peer');
GRANT SELECT, INSERT, UPDATE, DELETE ON tunnel_peer TO mastwire_app;
-- The locator finds a peer by its key and stores where it was last heard from; it cannot read a secret.
GRANT SELECT (tenant_id, router_id, address, public_key, endpoint, seen_at), UPDATE (endpoint, seen_at) ON tunnel_peer TO mastwire_platform;

-- One router's permission to join. The secrets in it are sealed, and erased at completion or expiry.
CREATE TABLE enrolment (
    tenant_id         uuid NOT NULL,
    id                uuid NOT NULL,
    router_id         uuid NOT NULL,
    state             text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'bound', 'completed', 'expired', 'cancelled')),
    hub_public_key    bytea NOT NULL CHECK (length(hub_public_key) = 32),
    hub_private_key   bytea,
    preshared_key     bytea,
    lasting_preshared_key bytea,
    api_password      bytea,
    line_token_hash   bytea CHECK (length(line_token_hash) = 32),
    router_public_key bytea CHECK (length(router_public_key) = 32),
    endpoint          text CHECK (length(endpoint) <= 64),
    -- What the hub last saw of it, for the person who waits: no data after the handshake, a second router, and so on.
    last_attempt      text CHECK (length(last_attempt) <= 500),
    attempted_at      timestamptz,
    created_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    bound_at          timestamptz,
    ended_at          timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT enrolment_line_unique UNIQUE (line_token_hash),
    CONSTRAINT enrolment_secrets_erased CHECK (state IN ('pending', 'bound')
        OR (hub_private_key IS NULL AND preshared_key IS NULL AND lasting_preshared_key IS NULL AND api_password IS NULL AND line_token_hash IS NULL)),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
);
CREATE UNIQUE INDEX enrolment_open ON enrolment (tenant_id, router_id) WHERE state IN ('pending', 'bound');
CREATE INDEX enrolment_router ON enrolment (tenant_id, router_id);
CREATE INDEX enrolment_due ON enrolment (tenant_id, expires_at) WHERE state IN ('pending', 'bound');
SELECT internal.protect_tenant_table('enrolment');
SELECT internal.admit_platform('enrolment');
GRANT SELECT, INSERT, UPDATE ON enrolment TO mastwire_app;
GRANT SELECT (tenant_id, id, state, line_token_hash) ON enrolment TO mastwire_platform;

-- Gives a tenant the lowest free /26 of the supernet. It sees all tenants' blocks, which the caller may not, and tells only its own result.
CREATE FUNCTION allocate_tunnel_block(block_id uuid, supernet cidr, at timestamptz) RETURNS cidr
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    caller uuid := current_setting('app.tenant_id')::uuid;
    candidate cidr;
BEGIN
    -- One allocation at a time; the lock ends with the caller's transaction.
    PERFORM pg_advisory_xact_lock(hashtext('allocate_tunnel_block'));
    -- The first four /26 are the reserved /24.
    SELECT set_masklen((supernet + (n * 64))::inet, 26)::cidr INTO candidate
      FROM generate_series(4, (1 << (26 - masklen(supernet))) - 1) AS n
     WHERE NOT EXISTS (SELECT 1 FROM tunnel_block b WHERE b.network && set_masklen((supernet + (n * 64))::inet, 26))
     ORDER BY n LIMIT 1;
    IF candidate IS NULL THEN
        RAISE EXCEPTION 'the tunnel network % has no free block', supernet USING ERRCODE = 'MW001';
    END IF;
    INSERT INTO tunnel_block (tenant_id, id, network, created_at) VALUES (caller, block_id, candidate, at);
    RETURN candidate;
END $$;
REVOKE ALL ON FUNCTION allocate_tunnel_block(uuid, cidr, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION allocate_tunnel_block(uuid, cidr, timestamptz) TO mastwire_app;
