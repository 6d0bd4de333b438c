-- How long each ISP keeps what grows without end: one list of tables, one function that forgets.
--
-- For a later migration with such a table: a column in `retention` (empty as long as the ISP says nothing), an index on tenant and time, and
-- `internal.kept` again with a line more; `.kept("at", "x_days")` in the registry.

-- Empty: as long as the code says.
ALTER TABLE retention ALTER COLUMN sessions_days DROP NOT NULL;
ALTER TABLE retention ALTER COLUMN usage_days DROP NOT NULL;
ALTER TABLE retention ADD COLUMN outages_days integer CHECK (outages_days BETWEEN 31 AND 1100);
ALTER TABLE retention ADD COLUMN diagnoses_days integer CHECK (diagnoses_days BETWEEN 7 AND 1100);
ALTER TABLE retention ADD COLUMN changes_days integer CHECK (changes_days BETWEEN 7 AND 1100);
ALTER TABLE retention ADD COLUMN messages_days integer CHECK (messages_days BETWEEN 31 AND 1100);
ALTER TABLE retention ADD COLUMN audit_days integer CHECK (audit_days BETWEEN 366 AND 3660);

CREATE INDEX outage_ended ON outage (tenant_id, ended_at);
CREATE INDEX diagnosis_finished ON diagnosis (tenant_id, finished_at);
CREATE INDEX change_set_started ON change_set (tenant_id, started_at);

-- The list: the column that says how old a row is, the ISP's setting, and the days that no setting and no wrong clock goes below. A row whose
-- column is empty goes on and is not old.
CREATE FUNCTION internal.kept() RETURNS TABLE (table_name name, time_column name, setting name, at_least integer)
LANGUAGE sql IMMUTABLE AS $$
    VALUES ('audit_log'::name,  'at'::name,     'audit_days'::name, 366),
           ('change_set',       'started_at',   'changes_days',     7),
           ('diagnosis',        'finished_at',  'diagnoses_days',   7),
           ('message',          'at',           'messages_days',    31),
           ('outage',           'ended_at',     'outages_days',     31),
           ('session_history',  'closed_at',    'sessions_days',    7),
           ('usage',            'hour',         'usage_days',       7),
           ('watch_gap',        'ended_at',     'outages_days',     31)
$$;

-- Each ISP with the time before which it keeps nothing of a table. A day is 24 hours; the floor counts by the database's own clock too.
CREATE FUNCTION internal.kept_since(rule record, unless_said integer, at timestamptz)
RETURNS TABLE (tenant uuid, since timestamptz) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT t.id, least($1 - make_interval(hours => 24 * greatest(coalesce(r.%I, $2), $3)), now() - make_interval(hours => 24 * $3))
           FROM public.tenant t LEFT JOIN public.retention r ON r.tenant_id = t.id ORDER BY t.id', rule.setting)
        USING at, unless_said, rule.at_least;
END $$;

-- Forgets rows of one table that their ISPs keep no longer, so many at most, and returns how many went. What something else refers to stays.
-- Of the audit log whole months go, as its chain then keeps an anchor for each and not one for each night.
CREATE FUNCTION forget_rows(target_name text, unless_said integer, at timestamptz, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    target regclass;
    rule record;
    keeps record;
    key text;
    referred text;
    chained boolean := target_name = 'audit_log';
    total bigint := 0;
    gone bigint;
BEGIN
    SELECT * INTO rule FROM internal.kept() k WHERE k.table_name = target_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% has no rows that are forgotten', target_name;
    END IF;
    target := format('public.%I', target_name)::regclass;
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY u.place) INTO key
      FROM pg_index x CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS u (number, place)
      JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.number
     WHERE x.indrelid = target AND x.indisprimary;
    SELECT coalesce(string_agg(format(' AND NOT EXISTS (SELECT FROM %s c WHERE %s)', k.conrelid::regclass, joined.on_columns), ''), '') INTO referred
      FROM pg_constraint k CROSS JOIN LATERAL (
            SELECT string_agg(format('c.%I = t.%I', a.attname, b.attname), ' AND ') AS on_columns
              FROM unnest(k.conkey, k.confkey) AS u (here, there)
              JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.here
              JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.there) joined
     WHERE k.contype = 'f' AND k.confrelid = target AND k.conparentid = 0;
    -- Tables that are written once lose a row only where the owner says that this is upkeep.
    PERFORM set_config('app.upkeep', 'on', true);
    FOR keeps IN SELECT * FROM internal.kept_since(rule, unless_said, at) LOOP
        IF chained THEN
            keeps.since := date_trunc('month', keeps.since AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
        END IF;
        EXECUTE format('WITH gone AS (DELETE FROM %1$s WHERE tenant_id = $1 AND %3$I < $2 AND (%2$s) IN
                (SELECT %2$s FROM %1$s t WHERE t.tenant_id = $1 AND t.%3$I < $2%4$s ORDER BY %5$s LIMIT $3) RETURNING %6$s) %7$s
            SELECT count(*) FROM gone',
            target, key, rule.time_column, referred, CASE WHEN chained THEN 'seq' ELSE quote_ident(rule.time_column) END,
            CASE WHEN chained THEN 'tenant_id, seq, hash' ELSE '1' END,
            -- Lines that follow one another are one anchor, as internal.before_drop makes them.
            CASE WHEN chained THEN ', anchored AS (INSERT INTO public.audit_anchor (tenant_id, first_seq, last_seq, hash, dropped_at)
                SELECT tenant_id, min(seq), max(seq), (array_agg(hash ORDER BY seq DESC))[1], now()
                  FROM (SELECT tenant_id, seq, hash, seq - row_number() OVER (ORDER BY seq) AS run FROM gone) AS line GROUP BY tenant_id, run)'
            ELSE '' END)
            INTO gone USING keeps.tenant, keeps.since, most - total;
        total := total + gone;
        EXIT WHEN total >= most;
    END LOOP;
    PERFORM set_config('app.upkeep', '', true);
    RETURN total;
END $$;
REVOKE ALL ON FUNCTION forget_rows(text, integer, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_rows(text, integer, timestamptz, integer) TO mastwire_platform;

-- Drops the months of a table that no ISP keeps any more, and returns how many rows went with them.
CREATE FUNCTION drop_unkept_months(target_name text, unless_said integer, at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public SET lock_timeout = '5s' AS $$
DECLARE
    rule record;
    since timestamptz;
BEGIN
    SELECT * INTO rule FROM internal.kept() k WHERE k.table_name = target_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% has no months that are dropped', target_name;
    END IF;
    SELECT min(k.since) INTO since FROM internal.kept_since(rule, unless_said, at) k;
    -- Where there is no ISP yet there is nothing to drop.
    RETURN CASE WHEN since IS NULL THEN 0 ELSE drop_partitions(target_name, since) END;
END $$;
REVOKE ALL ON FUNCTION drop_unkept_months(text, integer, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_unkept_months(text, integer, timestamptz) TO mastwire_platform;

-- Nobody who serves drops a month that somebody may still keep.
REVOKE EXECUTE ON FUNCTION drop_partitions(text, timestamptz) FROM mastwire_platform;
