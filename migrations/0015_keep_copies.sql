-- Backups and restores, and keys that can be changed.

-- A tenant's data keys: those that seal, of which the newest is used and older ones stay only while they are changed, and the one that
-- makes fingerprints. Fingerprints are compared, so their key cannot change while codes are in people's hands; it seals nothing.
ALTER TABLE data_key ADD COLUMN purpose text NOT NULL DEFAULT 'seal' CHECK (purpose IN ('seal', 'fingerprint'));
ALTER TABLE data_key DROP CONSTRAINT data_key_version_unique;
ALTER TABLE data_key ADD CONSTRAINT data_key_version_unique UNIQUE (tenant_id, purpose, version);
-- Until now one key did both. What exists keeps its fingerprints: the same key stays for that, and what it sealed can leave it.
INSERT INTO data_key (tenant_id, id, version, sealed_key, created_at, purpose)
    SELECT tenant_id, gen_random_uuid(), version, sealed_key, created_at, 'fingerprint' FROM data_key WHERE version = 1;
-- A new master key rewraps them, a rotation adds and retires one, a restore brings them along; all by the platform, who cannot open one.
GRANT SELECT, UPDATE (sealed_key), DELETE ON data_key TO mastwire_platform;

-- Names the key that seals now, and keeps it from being retired until the caller's transaction ends: else a value sealed with it could be
-- committed after the last look for such values. Volatile, so that what it reads is newer than the lock.
CREATE FUNCTION sealing_key(tenant uuid) RETURNS uuid LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('data_key:' || tenant, 0));
    RETURN (SELECT k.id FROM data_key k WHERE k.tenant_id = tenant AND k.purpose = 'seal' ORDER BY k.version DESC LIMIT 1);
END $$;
REVOKE ALL ON FUNCTION sealing_key(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sealing_key(uuid) TO mastwire_app;

-- A shadow is what a backup held, laid beside the tenant it was taken of, to be compared. It is never let out of its suspension.
ALTER TABLE tenant ADD COLUMN shadow_of uuid REFERENCES tenant (id);
CREATE INDEX tenant_shadow ON tenant (shadow_of) WHERE shadow_of IS NOT NULL;
ALTER TABLE tenant ADD CONSTRAINT tenant_shadow_rests
    CHECK (shadow_of IS NULL OR (shadow_of <> id AND status IN ('suspended', 'purging', 'purged')));

-- A customer's account number can be only once in all tenants, so in a shadow it has a mark behind it, by which no money finds anybody.
ALTER TABLE customer DROP CONSTRAINT customer_account_digits;
ALTER TABLE customer ADD CONSTRAINT customer_account_digits CHECK (account_number ~ '^[1-9][0-9]{7}(~[0-9a-f]{12})?$');

-- Backups that were taken through the API; the file lies in the data folder, under the row's id.
CREATE TABLE backup (
    tenant_id      uuid NOT NULL REFERENCES tenant (id),
    id             uuid NOT NULL,
    state          text NOT NULL DEFAULT 'making' CHECK (state IN ('making', 'ready', 'failed', 'removed')),
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    schema_version bigint NOT NULL CHECK (schema_version > 0),
    tables         integer CHECK (tables >= 0),
    row_count      bigint CHECK (row_count >= 0),
    bytes          bigint CHECK (bytes >= 0),
    -- Of the whole file, so that a download can be checked.
    sha256         bytea CHECK (length(sha256) = 32),
    error          text CHECK (length(error) <= 500),
    made_by        text NOT NULL CHECK (length(made_by) BETWEEN 1 AND 100),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT backup_ready_is_whole CHECK (state <> 'ready' OR (bytes IS NOT NULL AND sha256 IS NOT NULL AND row_count IS NOT NULL))
);
SELECT internal.protect_tenant_table('backup');
GRANT SELECT, INSERT ON backup TO mastwire_app;
GRANT UPDATE (state, finished_at, tables, row_count, bytes, sha256, error) ON backup TO mastwire_app;

-- That a tenant's rows were put in from a backup. Rows can be put in only by the transaction that writes one of these.
CREATE TABLE restore (
    tenant_id      uuid NOT NULL REFERENCES tenant (id),
    id             uuid NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('replace', 'fresh', 'shadow')),
    -- When the backup was taken, of whom, and by which schema.
    taken_at       timestamptz NOT NULL,
    taken_of       uuid NOT NULL,
    schema_version bigint NOT NULL CHECK (schema_version > 0),
    restored_at    timestamptz NOT NULL,
    restored_by    text NOT NULL CHECK (length(restored_by) BETWEEN 1 AND 100),
    PRIMARY KEY (tenant_id, id)
);
SELECT internal.protect_tenant_table('restore');
SELECT internal.admit_platform('restore');
GRANT SELECT ON restore TO mastwire_app;
GRANT SELECT, INSERT ON restore TO mastwire_platform;

-- A whole copy of the installation has the resting blocks too: an address that rests here rests there.
SELECT internal.admit_platform('retired_block');
GRANT SELECT ON retired_block TO mastwire_platform;

-- Rows on their way in, within one transaction: a table's rows are put in by one statement, so that rows may refer to each other. Not
-- logged, as nothing of it outlives its transaction.
CREATE UNLOGGED TABLE restore_row (
    restore_id uuid NOT NULL,
    table_name text NOT NULL CHECK (length(table_name) <= 63),
    place      bigint NOT NULL,
    -- The row as the backup has it, and what is other in this copy of it.
    body       jsonb NOT NULL,
    changes    jsonb NOT NULL,
    PRIMARY KEY (restore_id, table_name, place)
);
ALTER TABLE restore_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE restore_row FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON restore_row TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('restore_row');
GRANT INSERT ON restore_row TO mastwire_platform;

-- Refuses unless this very transaction has said that it restores this tenant, and the table is a tenant's.
CREATE FUNCTION internal.check_restore(run uuid, tenant uuid, target text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM public.restore r
                    WHERE r.tenant_id = tenant AND r.id = run AND r.xmin = pg_current_xact_id()::xid) THEN
        RAISE EXCEPTION 'this transaction does not restore tenant %', tenant USING ERRCODE = 'MW005';
    END IF;
    IF target IN ('restore', 'backup') OR NOT EXISTS (
        SELECT 1 FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnotnull
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname = target AND p.polname = 'tenant' AND p.polpermissive) THEN
        RAISE EXCEPTION '% is no table that can be restored', target USING ERRCODE = 'MW005';
    END IF;
END $$;

-- Removes a tenant's rows of one table, for the restore that this transaction is.
CREATE FUNCTION clear_rows(run uuid, tenant uuid, target text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    cleared bigint;
BEGIN
    PERFORM internal.check_restore(run, tenant, target);
    PERFORM set_config('app.upkeep', 'on', true);
    EXECUTE format('DELETE FROM public.%I WHERE tenant_id = $1', target) USING tenant;
    GET DIAGNOSTICS cleared = ROW_COUNT;
    PERFORM set_config('app.upkeep', '', true);
    RETURN cleared;
END $$;
REVOKE ALL ON FUNCTION clear_rows(uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clear_rows(uuid, uuid, text) TO mastwire_platform;

-- Puts a table's waiting rows in, as the tenant's, whatever tenant they name. Columns that the backup does not know get their default.
CREATE FUNCTION load_rows(run uuid, tenant uuid, target text, wanted text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    columns text;
    loaded bigint;
BEGIN
    PERFORM internal.check_restore(run, tenant, target);
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) INTO columns
      FROM pg_attribute a
     WHERE a.attrelid = format('public.%I', target)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       AND (a.attname = ANY (wanted) OR a.attname = 'tenant_id');
    PERFORM set_config('app.upkeep', 'on', true);
    EXECUTE format(
        'INSERT INTO public.%1$I (%2$s)
         SELECT %2$s FROM (SELECT (jsonb_populate_record(NULL::public.%1$I, s.body || s.changes || jsonb_build_object(''tenant_id'', $2))).*
                             FROM restore_row s WHERE s.restore_id = $1 AND s.table_name = $3 ORDER BY s.place) AS r', target, columns)
      USING run, tenant, target;
    GET DIAGNOSTICS loaded = ROW_COUNT;
    PERFORM set_config('app.upkeep', '', true);
    DELETE FROM restore_row s WHERE s.restore_id = run AND s.table_name = target;
    RETURN loaded;
END $$;
REVOKE ALL ON FUNCTION load_rows(uuid, uuid, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_rows(uuid, uuid, text, text[]) TO mastwire_platform;

-- Checks now what would be checked at the end of the transaction, with the owner's eyes: the caller may not see the rows.
CREATE FUNCTION settle_rows() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    SET CONSTRAINTS ALL IMMEDIATE;
END $$;
REVOKE ALL ON FUNCTION settle_rows() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settle_rows() TO mastwire_platform;

-- Puts rows into a table of the platform's own, of an instance in which there is no tenant's key yet: one that is being restored whole.
CREATE FUNCTION load_platform_rows(run uuid, target text, wanted text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    columns text;
    loaded bigint;
BEGIN
    IF EXISTS (SELECT 1 FROM data_key) THEN
        RAISE EXCEPTION 'tenants live here: a whole instance is restored into an empty one' USING ERRCODE = 'MW005';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
                    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = target AND p.polname = 'platform') THEN
        RAISE EXCEPTION '% is no table of the platform', target USING ERRCODE = 'MW005';
    END IF;
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) INTO columns
      FROM pg_attribute a
     WHERE a.attrelid = format('public.%I', target)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       AND a.attname = ANY (wanted);
    PERFORM set_config('app.upkeep', 'on', true);
    -- What the migrations put in, and the lines of this restore itself.
    EXECUTE format('DELETE FROM public.%I', target);
    EXECUTE format(
        'INSERT INTO public.%1$I (%2$s)
         SELECT %2$s FROM (SELECT (jsonb_populate_record(NULL::public.%1$I, s.body)).*
                             FROM restore_row s WHERE s.restore_id = $1 AND s.table_name = $2 ORDER BY s.place) AS r', target, columns)
      USING run, target;
    GET DIAGNOSTICS loaded = ROW_COUNT;
    PERFORM set_config('app.upkeep', '', true);
    DELETE FROM restore_row s WHERE s.restore_id = run AND s.table_name = target;
    RETURN loaded;
END $$;
REVOKE ALL ON FUNCTION load_platform_rows(uuid, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_platform_rows(uuid, text, text[]) TO mastwire_platform;
