-- Tenants' lifecycle, limits, use, settings and flags, and their end: the purge.

-- The lifecycle. What each state allows, and which follows which, is said once, in the controller's tenants/rules.rs.
ALTER TABLE tenant DROP CONSTRAINT tenant_status_check;
ALTER TABLE tenant ADD CONSTRAINT tenant_status_check
    CHECK (status IN ('trial', 'active', 'past_due', 'restricted', 'suspended', 'exported', 'purging', 'purged'));
ALTER TABLE tenant ADD COLUMN status_since timestamptz;
UPDATE tenant SET status_since = created_at;
ALTER TABLE tenant ALTER COLUMN status_since SET NOT NULL;
ALTER TABLE tenant ADD COLUMN status_reason text NOT NULL DEFAULT '' CHECK (length(status_reason) <= 300);
-- When a trial ends by itself.
ALTER TABLE tenant ADD COLUMN trial_ends_at timestamptz;
-- What happens to the ISP's own customers when it is suspended: what they paid for runs to its end, or to its end but no longer than so
-- many days. There is no third way that cuts all at once.
ALTER TABLE tenant ADD COLUMN customer_policy text NOT NULL DEFAULT 'keep_paid' CHECK (customer_policy IN ('keep_paid', 'keep_days'));
ALTER TABLE tenant ADD COLUMN customer_policy_days integer CHECK (customer_policy_days BETWEEN 1 AND 365);
ALTER TABLE tenant ADD CONSTRAINT tenant_policy_days CHECK ((customer_policy = 'keep_days') = (customer_policy_days IS NOT NULL));
-- Until when the ISP's routers serve anybody, worked out at the suspension; empty where what is paid runs to its end.
ALTER TABLE tenant ADD COLUMN service_ends_at timestamptz;
ALTER TABLE tenant ADD COLUMN purged_at timestamptz;
ALTER TABLE tenant ADD CONSTRAINT tenant_purged CHECK ((status = 'purged') = (purged_at IS NOT NULL));
CREATE INDEX tenant_status ON tenant (status, status_since) WHERE status <> 'active';
-- Its own currency (while nothing has a price yet) and time zone an ISP sets itself.
GRANT UPDATE (currency, time_zone) ON tenant TO mastwire_app;

-- When service begins to end earlier, or does no longer, the tenant's routers look again.
GRANT UPDATE (desired) ON router_state TO mastwire_platform;
GRANT INSERT ON outbox TO mastwire_platform;

-- A limit that is other than the default, set by the platform.
CREATE TABLE tenant_limit (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    name      text NOT NULL CHECK (name ~ '^[a-z_]{3,40}$'),
    -- From here on it is warned; from the hard one on it is refused.
    soft      bigint NOT NULL CHECK (soft >= 0),
    hard      bigint NOT NULL CHECK (hard >= 0),
    reason    text NOT NULL CHECK (length(reason) BETWEEN 1 AND 300),
    set_by    text NOT NULL CHECK (length(set_by) BETWEEN 1 AND 100),
    set_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name),
    CONSTRAINT tenant_limit_order CHECK (soft <= hard)
);
SELECT internal.protect_tenant_table('tenant_limit');
SELECT internal.admit_platform('tenant_limit');
GRANT SELECT ON tenant_limit TO mastwire_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_limit TO mastwire_platform;

-- What is counted as it happens, a row for each day of the tenant's calendar: requests to the API, messages.
CREATE TABLE usage_counter (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    day       date NOT NULL,
    name      text NOT NULL CHECK (name ~ '^[a-z_]{3,40}$'),
    amount    bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (tenant_id, day, name)
);
SELECT internal.protect_tenant_table('usage_counter');
GRANT SELECT, INSERT, UPDATE, DELETE ON usage_counter TO mastwire_app;

-- What a tenant was and used on a day of its calendar. The day's row is written again until the day is over.
CREATE TABLE tenant_usage (
    tenant_id        uuid NOT NULL REFERENCES tenant (id),
    day              date NOT NULL,
    routers          bigint NOT NULL CHECK (routers >= 0),
    customers        bigint NOT NULL CHECK (customers >= 0),
    -- Those whose time is paid.
    customers_served bigint NOT NULL CHECK (customers_served >= 0),
    operators        bigint NOT NULL CHECK (operators >= 0),
    api_tokens       bigint NOT NULL CHECK (api_tokens >= 0),
    messages         bigint NOT NULL CHECK (messages >= 0),
    api_requests     bigint NOT NULL CHECK (api_requests >= 0),
    storage_bytes    bigint NOT NULL CHECK (storage_bytes >= 0),
    -- {table: {rows, bytes}}
    tables           jsonb NOT NULL,
    measured_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, day)
);
CREATE INDEX tenant_usage_day ON tenant_usage (day, tenant_id);
SELECT internal.protect_tenant_table('tenant_usage');
SELECT internal.admit_platform('tenant_usage');
GRANT SELECT, INSERT, UPDATE ON tenant_usage TO mastwire_app;
GRANT SELECT ON tenant_usage TO mastwire_platform;

-- An ISP's settings, one row for each version; the highest one holds. The keys are those of the controller's tenants/settings.rs.
CREATE TABLE tenant_settings (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    version   integer NOT NULL CHECK (version > 0),
    settings  jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object' AND length(settings::text) <= 20000),
    made_by   text NOT NULL CHECK (length(made_by) BETWEEN 1 AND 100),
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, version)
);
SELECT internal.protect_tenant_table('tenant_settings');
GRANT SELECT, INSERT ON tenant_settings TO mastwire_app;

-- A feature flag that is other than its default.
CREATE TABLE tenant_flag (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    name      text NOT NULL CHECK (name ~ '^[a-z_]{3,40}$'),
    value     boolean NOT NULL,
    set_by    text NOT NULL CHECK (length(set_by) BETWEEN 1 AND 100),
    set_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
SELECT internal.protect_tenant_table('tenant_flag');
SELECT internal.admit_platform('tenant_flag');
GRANT SELECT, INSERT, UPDATE ON tenant_flag TO mastwire_app;
GRANT SELECT, INSERT, UPDATE ON tenant_flag TO mastwire_platform;

-- What was purged, and what proves it. It outlives everything else of the tenant; while the purge goes on it says how far it is.
CREATE TABLE purge_certificate (
    id              uuid PRIMARY KEY,
    tenant_id       uuid NOT NULL REFERENCES tenant (id),
    tenant_name     text NOT NULL CHECK (length(tenant_name) BETWEEN 1 AND 100),
    requested_by    text NOT NULL CHECK (length(requested_by) BETWEEN 1 AND 100),
    reason          text NOT NULL CHECK (length(reason) BETWEEN 1 AND 300),
    requested_at    timestamptz NOT NULL,
    finished_at     timestamptz,
    -- {table: {rows, sha256}}: how many rows went, and a hash over what they held.
    tables          jsonb NOT NULL DEFAULT '{}',
    -- Who served this tenant and nobody else when it began; empty once they are gone.
    people          uuid[] NOT NULL,
    people_removed  bigint NOT NULL DEFAULT 0 CHECK (people_removed >= 0),
    blocks_retired  bigint NOT NULL DEFAULT 0 CHECK (blocks_retired >= 0),
    backups_removed bigint NOT NULL DEFAULT 0 CHECK (backups_removed >= 0),
    -- Over all of the above, when it is finished.
    sha256          bytea CHECK (length(sha256) = 32),
    CONSTRAINT purge_certificate_once UNIQUE (tenant_id),
    CONSTRAINT purge_certificate_finished CHECK ((finished_at IS NULL) = (sha256 IS NULL))
);
ALTER TABLE purge_certificate ENABLE ROW LEVEL SECURITY;
ALTER TABLE purge_certificate FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON purge_certificate TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('purge_certificate');
GRANT SELECT, INSERT ON purge_certificate TO mastwire_platform;
GRANT UPDATE (finished_at, tables, people, people_removed, blocks_retired, backups_removed, sha256) ON purge_certificate TO mastwire_platform;

-- Addresses of purged tenants rest like all others, in whole blocks.
CREATE TABLE retired_block (
    network     cidr PRIMARY KEY,
    rests_until timestamptz NOT NULL
);
ALTER TABLE retired_block ENABLE ROW LEVEL SECURITY;
ALTER TABLE retired_block FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON retired_block TO mastwire_owner USING (true) WITH CHECK (true);

-- As before, but a block that rests is passed over; one whose rest is over is forgotten.
CREATE OR REPLACE FUNCTION allocate_tunnel_block(block_id uuid, supernet cidr, at timestamptz) RETURNS cidr
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    caller uuid := current_setting('app.tenant_id')::uuid;
    candidate cidr;
BEGIN
    -- One allocation at a time; the lock ends with the caller's transaction.
    PERFORM pg_advisory_xact_lock(hashtext('allocate_tunnel_block'));
    DELETE FROM retired_block WHERE rests_until <= at;
    -- The first four /26 are the reserved /24.
    SELECT set_masklen((supernet + (n * 64))::inet, 26)::cidr INTO candidate
      FROM generate_series(4, (1 << (26 - masklen(supernet))) - 1) AS n
     WHERE NOT EXISTS (SELECT 1 FROM tunnel_block b WHERE b.network && set_masklen((supernet + (n * 64))::inet, 26))
       AND NOT EXISTS (SELECT 1 FROM retired_block r WHERE r.network && set_masklen((supernet + (n * 64))::inet, 26))
     ORDER BY n LIMIT 1;
    IF candidate IS NULL THEN
        RAISE EXCEPTION 'the tunnel network % has no free block', supernet USING ERRCODE = 'MW001';
    END IF;
    INSERT INTO tunnel_block (tenant_id, id, network, created_at) VALUES (caller, block_id, candidate, at);
    RETURN candidate;
END $$;

-- Counts what a limit limits, once nobody else of the tenant is about to make one more: the lock ends with the caller's transaction. It
-- counts all of the tenant's, also for an operator who sees a part of it. A tenant counts its own; the platform says whose.
CREATE FUNCTION count_for_limit(kind text, whose uuid, at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    tenant uuid := CASE WHEN session_user = 'mastwire_platform' THEN whose ELSE current_setting('app.tenant_id')::uuid END;
    counted bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('limit:' || kind || ':' || tenant::text, 0));
    IF kind = 'routers' THEN
        SELECT count(*) INTO counted FROM router WHERE tenant_id = tenant AND removed_at IS NULL;
    ELSIF kind = 'customers' THEN
        SELECT count(*) INTO counted FROM customer WHERE tenant_id = tenant AND status <> 'terminated';
    ELSIF kind = 'operators' THEN
        SELECT count(*) INTO counted FROM membership WHERE tenant_id = tenant;
    ELSIF kind = 'api_tokens' THEN
        SELECT count(*) INTO counted FROM api_token
         WHERE tenant_id = tenant AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > at);
    ELSE
        RAISE EXCEPTION 'nothing is counted as %', kind;
    END IF;
    RETURN counted;
END $$;
REVOKE ALL ON FUNCTION count_for_limit(text, uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_for_limit(text, uuid, timestamptz) TO mastwire_app, mastwire_platform;

-- Counts a table's rows by tenant, and gives each tenant its share of what the table takes on the disk with its indexes.
CREATE FUNCTION rows_by_tenant(counted name) RETURNS TABLE (tenant_id uuid, row_count bigint, bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    target regclass := format('public.%I', counted)::regclass;
    size bigint;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = target AND a.attname = 'tenant_id' AND NOT a.attisdropped) THEN
        RAISE EXCEPTION '% belongs to no tenant', counted;
    END IF;
    SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint INTO size FROM pg_partition_tree(target) t;
    IF size = 0 THEN
        size := pg_total_relation_size(target);
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT g.tenant_id, g.n, (%s::numeric * g.n / sum(g.n) OVER ())::bigint
           FROM (SELECT t.tenant_id, count(*) AS n FROM %s t GROUP BY t.tenant_id) g WHERE g.tenant_id IS NOT NULL', size, target);
END $$;
REVOKE ALL ON FUNCTION rows_by_tenant(name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rows_by_tenant(name) TO mastwire_platform;

-- Removes up to so many rows of a tenant that is being purged, and tells how many went and a hash over what they held. Tables that refer to
-- each other in a circle are given together and lose all their rows in one statement; of a table that refers to itself, those rows go that
-- no other row refers to. Nothing else may delete a tenant's rows, and this may only while its status says so.
CREATE FUNCTION purge_tenant_rows(doomed name[], tenant uuid, batch integer)
RETURNS TABLE (table_name name, row_count bigint, digest bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    target regclass;
    step record;
    key text;
    leaf text := '';
    parts text[] := '{}';
    counts text[] := '{}';
BEGIN
    IF NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = tenant AND t.status = 'purging' FOR SHARE) THEN
        RAISE EXCEPTION 'tenant % is not being purged', tenant USING ERRCODE = 'MW004';
    END IF;
    IF 'purge_certificate' = ANY (doomed) THEN
        RAISE EXCEPTION 'a certificate stays';
    END IF;
    -- Tables that are written once refuse to lose a row unless the owner says that this is upkeep.
    PERFORM set_config('app.upkeep', 'on', true);
    FOR step IN SELECT d.name, d.place FROM unnest(doomed) WITH ORDINALITY AS d (name, place) LOOP
        target := format('public.%I', step.name)::regclass;
        IF array_length(doomed, 1) = 1 THEN
            SELECT string_agg(format(' AND NOT EXISTS (SELECT 1 FROM %s c WHERE %s)', target, joined.on_columns), '') INTO leaf
              FROM pg_constraint k CROSS JOIN LATERAL (
                    SELECT string_agg(format('c.%I = t.%I', a.attname, b.attname), ' AND ') AS on_columns
                      FROM unnest(k.conkey, k.confkey) AS u (here, there)
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.here
                      JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.there) joined
             WHERE k.contype = 'f' AND k.conrelid = target AND k.confrelid = target AND k.conparentid = 0;
            SELECT string_agg(format('%I', a.attname), ', ' ORDER BY u.place) INTO key
              FROM pg_index x CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS u (number, place)
              JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.number
             WHERE x.indrelid = target AND x.indisprimary;
            parts := parts || format('d1 AS (DELETE FROM %1$s t WHERE t.tenant_id = $1 AND (%2$s) IN
                (SELECT %2$s FROM %1$s t WHERE t.tenant_id = $1%3$s ORDER BY %2$s LIMIT %4$s) RETURNING t::text AS held)',
                target, key, coalesce(leaf, ''), batch);
        ELSE
            parts := parts || format('d%s AS (DELETE FROM %s t WHERE t.tenant_id = $1 RETURNING t::text AS held)', step.place, target);
        END IF;
        counts := counts || format('SELECT %L::name, count(*), sha256(convert_to(coalesce(string_agg(held, E''\n'' ORDER BY held), ''''), ''UTF8'')) FROM d%s',
            step.name, step.place);
    END LOOP;
    RETURN QUERY EXECUTE 'WITH ' || array_to_string(parts, ', ') || ' ' || array_to_string(counts, ' UNION ALL ') USING tenant;
    PERFORM set_config('app.upkeep', '', true);
END $$;
REVOKE ALL ON FUNCTION purge_tenant_rows(name[], uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_tenant_rows(name[], uuid, integer) TO mastwire_platform;

-- Says whether any of some tables holds a row of a tenant that is being purged.
CREATE FUNCTION tenant_has_rows(tables name[], tenant uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    one name;
    found boolean;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = tenant AND t.status = 'purging') THEN
        RAISE EXCEPTION 'tenant % is not being purged', tenant USING ERRCODE = 'MW004';
    END IF;
    FOREACH one IN ARRAY tables LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM public.%I t WHERE t.tenant_id = $1)', one) INTO found USING tenant;
        IF found THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;
REVOKE ALL ON FUNCTION tenant_has_rows(name[], uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_has_rows(name[], uuid) TO mastwire_platform;

-- Puts the blocks of a tenant that is being purged to rest, those of which an address was used or was resting.
CREATE FUNCTION retire_tunnel_blocks(tenant uuid, until timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    retired bigint;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = tenant AND t.status = 'purging') THEN
        RAISE EXCEPTION 'tenant % is not being purged', tenant USING ERRCODE = 'MW004';
    END IF;
    INSERT INTO retired_block (network, rests_until)
    SELECT b.network, until FROM tunnel_block b
     WHERE b.tenant_id = tenant AND EXISTS (SELECT 1 FROM tunnel_address a WHERE a.tenant_id = tenant AND a.block_id = b.id)
    ON CONFLICT (network) DO UPDATE SET rests_until = EXCLUDED.rests_until;
    GET DIAGNOSTICS retired = ROW_COUNT;
    RETURN retired;
END $$;
REVOKE ALL ON FUNCTION retire_tunnel_blocks(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION retire_tunnel_blocks(uuid, timestamptz) TO mastwire_platform;

-- Removes people who serve no tenant, with what the platform keeps of them, and returns those who went. Who is still named in another
-- tenant's rows stays, as does the platform's own.
CREATE FUNCTION purge_people(ids uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    person uuid;
    held record;
BEGIN
    FOR person IN
        SELECT o.id FROM operator o
         WHERE o.id = ANY (ids) AND NOT o.platform AND NOT EXISTS (SELECT 1 FROM membership m WHERE m.operator_id = o.id)
         ORDER BY o.id FOR UPDATE
    LOOP
        BEGIN
            -- Tables of tenants have a policy of that name; what is left are the platform's own.
            FOR held IN
                SELECT k.conrelid::regclass AS target, a.attname FROM pg_constraint k
                  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
                 WHERE k.contype = 'f' AND k.confrelid = 'operator'::regclass AND array_length(k.conkey, 1) = 1
                   AND NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = k.conrelid AND p.polname = 'tenant')
            LOOP
                EXECUTE format('DELETE FROM %s WHERE %I = $1', held.target, held.attname) USING person;
            END LOOP;
            DELETE FROM operator WHERE id = person;
            RETURN NEXT person;
        EXCEPTION WHEN foreign_key_violation THEN
            NULL;
        END;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION purge_people(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_people(uuid[]) TO mastwire_platform;
