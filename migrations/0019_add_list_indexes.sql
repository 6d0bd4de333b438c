-- Indexes in the order of lists that had none.

-- The audit log by how an action begins: what is rare in a long log is found without reading the log. In collation "C" a beginning is a range.
CREATE INDEX audit_log_action ON audit_log (tenant_id, action COLLATE "C", id DESC);

-- A customer's payments in their list's order; it serves the foreign key as before.
DROP INDEX payment_customer;
CREATE INDEX payment_customer ON payment (tenant_id, customer_id, id DESC);

-- A router is one tenant's, which PostgreSQL has to be told: it takes the two for independent of each other, expects next to nothing of a router in
-- a month, and sorts all of its sessions where it could read the newest by their index. A new month takes the statistics of its table over.
CREATE STATISTICS session_history_whose (dependencies) ON tenant_id, router_id, customer_id FROM session_history;

CREATE OR REPLACE FUNCTION internal.make_month(target regclass, month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    parent text := (SELECT relname FROM pg_class WHERE oid = target);
    name text := parent || to_char(month, '_YYYY_MM');
BEGIN
    IF to_regclass(format('months.%I', name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE months.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING STATISTICS)', name, target);
    EXECUTE format('ALTER TABLE months.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE months.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY owner ON months.%I TO mastwire_owner USING (true) WITH CHECK (true)', name);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION months.%I FOR VALUES FROM (%L) TO (%L)', target, name,
                   month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
    RETURN true;
END $$;

DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT inhrelid::regclass AS place, c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
                WHERE inhparent = 'session_history'::regclass
    LOOP EXECUTE format('CREATE STATISTICS months.%I (dependencies) ON tenant_id, router_id, customer_id FROM %s', one.relname || '_whose', one.place);
    END LOOP;
END $$;
