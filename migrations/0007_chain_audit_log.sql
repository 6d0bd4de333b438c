-- Tables that are cut by month, an audit log in which a removed or changed row shows, and what is done at its hour.
--
-- For a later migration with a table that grows without end:
--
--     CREATE TABLE x (tenant_id uuid NOT NULL, id uuid NOT NULL, at timestamptz NOT NULL, …, PRIMARY KEY (tenant_id, id, at)) PARTITION BY RANGE (at);
--     … its indexes, foreign keys and triggers …
--     SELECT internal.protect_tenant_table('x');
--     SELECT internal.partition_monthly('x');      -- last of all: it makes the months from the last one to three ahead
--
-- and `.partitioned("at")` in the registry. The key that cuts is one timestamptz column and belongs to every unique key. A row of a month
-- that has no partition is refused, as no partition takes what is left over; months are made ahead by the nightly `ensure_partitions`.
-- For a table whose rows are written once: SELECT internal.append_only('x').

-- The months. Nobody but the owner may even name one: rows are reached through their table alone, where the policies are.
CREATE SCHEMA months;

-- Makes the partition of a month, if it is not there. A partition has no grant, and forced row-level security that lets only the owner in.
-- It is attached, not made in place, because that locks the table against nothing but other changes of its shape.
CREATE FUNCTION internal.make_month(target regclass, month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    parent text := (SELECT relname FROM pg_class WHERE oid = target);
    name text := parent || to_char(month, '_YYYY_MM');
BEGIN
    IF to_regclass(format('months.%I', name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE months.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name, target);
    EXECUTE format('ALTER TABLE months.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE months.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY owner ON months.%I TO mastwire_owner USING (true) WITH CHECK (true)', name);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION months.%I FOR VALUES FROM (%L) TO (%L)', target, name,
                   month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
    RETURN true;
END $$;

-- Makes the months of one table that are missing between two times, and returns how many there were.
CREATE FUNCTION internal.make_months(target regclass, since timestamptz, until timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    month date := date_trunc('month', since AT TIME ZONE 'UTC')::date;
    made integer := 0;
BEGIN
    IF until > since + interval '20 years' THEN
        RAISE EXCEPTION 'no more than 20 years of partitions are made at once';
    END IF;
    WHILE month <= (until AT TIME ZONE 'UTC')::date LOOP
        IF internal.make_month(target, month) THEN
            made := made + 1;
        END IF;
        month := (month + interval '1 month')::date;
    END LOOP;
    RETURN made;
END $$;

-- Begins the months of a table that a migration has just made.
CREATE FUNCTION internal.partition_monthly(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM internal.make_months(target, now() - interval '1 month', now() + interval '3 months');
END $$;

-- Makes the missing months of all tables that are cut by month. Run every night, well ahead.
CREATE FUNCTION ensure_partitions(since timestamptz, until timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public SET lock_timeout = '5s' AS $$
DECLARE
    target regclass;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'));
    FOR target IN SELECT p.partrelid FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
                   WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname LOOP
        made := made + internal.make_months(target, since, until);
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION ensure_partitions(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(timestamptz, timestamptz) TO mastwire_platform;

-- Drops the months of a table that ended before a time, and returns how many rows went with them. The last two months stay, whatever is
-- asked for: a slip in a retention setting does not take yesterday.
CREATE FUNCTION drop_partitions(target_name text, before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public SET lock_timeout = '5s' AS $$
DECLARE
    target oid := (SELECT p.partrelid FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
                    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = target_name);
    name text;
    gone bigint;
    total bigint := 0;
BEGIN
    IF target IS NULL THEN
        RAISE EXCEPTION '% is not cut by month', target_name;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'));
    FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = target AND c.relname ~ '_\d{4}_\d{2}$'
                   AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month')::timestamp AT TIME ZONE 'UTC'
                       <= least(before, date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 month')
                 ORDER BY c.relname LOOP
        PERFORM internal.before_drop(target_name, name);
        EXECUTE format('SELECT count(*) FROM months.%I', name) INTO gone;
        EXECUTE format('ALTER TABLE public.%I DETACH PARTITION months.%I', target_name, name);
        EXECUTE format('DROP TABLE months.%I', name);
        total := total + gone;
    END LOOP;
    RETURN total;
END $$;
REVOKE ALL ON FUNCTION drop_partitions(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_partitions(text, timestamptz) TO mastwire_platform;

-- Refuses to change or remove rows that are written once, whoever asks. The owner's own declared upkeep (restore, purge) sets app.upkeep for
-- its transaction; for anybody else the setting opens nothing.
CREATE FUNCTION internal.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'mastwire_owner' AND current_setting('app.upkeep', true) = 'on' THEN
        RETURN coalesce(NEW, OLD);
    END IF;
    RAISE EXCEPTION '% is written once: % is refused', TG_TABLE_NAME, lower(TG_OP) USING ERRCODE = 'MW003';
END $$;

CREATE FUNCTION internal.append_only(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION internal.refuse_change()', target);
    EXECUTE format('CREATE TRIGGER not_emptied BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION internal.refuse_change()', target);
END $$;


-- The audit log, again: cut by month, written once, and chained per tenant. Each line has a number without gaps and a hash over the hash of
-- the line before and its own fields, so that a line that was changed, removed or slipped in shows. `at` may run a little against `seq`:
-- of two transactions the later one may have begun earlier.
ALTER TABLE audit_log RENAME TO audit_log_before;
ALTER TABLE audit_log_before RENAME CONSTRAINT audit_log_pkey TO audit_log_before_pkey;
CREATE TABLE audit_log (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    id         uuid NOT NULL,
    at         timestamptz NOT NULL,
    seq        bigint NOT NULL CHECK (seq > 0),
    actor      text NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
    action     text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
    target     text NOT NULL CHECK (length(target) BETWEEN 1 AND 100),
    details    jsonb NOT NULL DEFAULT '{}',
    -- The request that did it and where that came from; empty for what the controller does by itself.
    request_id text CHECK (length(request_id) BETWEEN 1 AND 40),
    source     inet,
    hash       bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant_id, id, at)
) PARTITION BY RANGE (at);
CREATE INDEX audit_log_actor ON audit_log (tenant_id, actor, id DESC);
CREATE INDEX audit_log_target ON audit_log (tenant_id, target, id DESC);

-- Where each tenant's chain ends. Its row is locked from a tenant's audit line to the end of that transaction, so the line comes last.
CREATE TABLE audit_head (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    seq       bigint NOT NULL CHECK (seq >= 0),
    hash      bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant_id)
) WITH (fillfactor = 50);
SELECT internal.protect_tenant_table('audit_head');
GRANT SELECT ON audit_head TO mastwire_app;

-- What is kept of lines whose month was dropped: which they were, and where the chain stood behind them.
CREATE TABLE audit_anchor (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    first_seq  bigint NOT NULL CHECK (first_seq > 0),
    last_seq   bigint NOT NULL,
    hash       bytea NOT NULL CHECK (length(hash) = 32),
    dropped_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, first_seq),
    CONSTRAINT audit_anchor_order CHECK (first_seq <= last_seq)
);
SELECT internal.protect_tenant_table('audit_anchor');
GRANT SELECT ON audit_anchor TO mastwire_app;
SELECT internal.append_only('audit_anchor');

-- The text of a line over which its hash goes. crates/db/src/audit says the same, without asking this function.
CREATE FUNCTION internal.audit_text(line audit_log) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT convert_to(jsonb_build_array('audit_log', line.tenant_id, line.seq, line.id, (extract(epoch FROM line.at) * 1000000)::bigint, line.actor,
                                        line.action, line.target, line.details, line.request_id, line.source)::text, 'UTF8')
$$;

-- Gives a line its place in the chain. With the owner's rights, because nobody who serves may write the head.
CREATE FUNCTION internal.chain_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    head audit_head;
BEGIN
    -- This runs before the policy looks at the row, and must not lock another tenant's chain until then.
    IF session_user = 'mastwire_app' AND NEW.tenant_id <> current_setting('app.tenant_id')::uuid THEN
        RAISE EXCEPTION 'new row violates row-level security policy for table "audit_log"' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO head FROM audit_head WHERE tenant_id = NEW.tenant_id FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_head (tenant_id, seq, hash) VALUES (NEW.tenant_id, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
        SELECT * INTO STRICT head FROM audit_head WHERE tenant_id = NEW.tenant_id FOR UPDATE;
    END IF;
    NEW.seq := head.seq + 1;
    NEW.hash := sha256(head.hash || internal.audit_text(NEW));
    UPDATE audit_head SET seq = NEW.seq, hash = NEW.hash WHERE tenant_id = NEW.tenant_id;
    RETURN NEW;
END $$;

-- Under the owner's declared upkeep (a restore) a line keeps the place it had.
CREATE TRIGGER chained BEFORE INSERT ON audit_log FOR EACH ROW
    WHEN (NOT (current_user = 'mastwire_owner' AND coalesce(current_setting('app.upkeep', true), '') = 'on'))
    EXECUTE FUNCTION internal.chain_audit();
SELECT internal.append_only('audit_log');
SELECT internal.protect_tenant_table('audit_log');
SELECT internal.admit_platform('audit_log');
GRANT SELECT, INSERT ON audit_log TO mastwire_app;
-- What the platform does to a tenant is told in the tenant's own log; it cannot read there.
GRANT INSERT ON audit_log TO mastwire_platform;

SELECT internal.partition_monthly('audit_log');
SELECT internal.make_months('audit_log', min(at), now()) FROM audit_log_before HAVING count(*) > 0;
INSERT INTO audit_log (tenant_id, id, at, actor, action, target, details)
    SELECT tenant_id, id, at, actor, action, target, details FROM audit_log_before ORDER BY tenant_id, id;
DROP TABLE audit_log_before;

-- The platform's log is chained too, in one chain. It is not cut by month: it is small, and it is what remains of a tenant that is gone.
ALTER TABLE platform_audit ADD COLUMN seq bigint CHECK (seq > 0);
ALTER TABLE platform_audit ADD COLUMN request_id text CHECK (length(request_id) BETWEEN 1 AND 40);
ALTER TABLE platform_audit ADD COLUMN source inet;
ALTER TABLE platform_audit ADD COLUMN hash bytea CHECK (length(hash) = 32);

CREATE TABLE platform_audit_head (
    -- There is one row.
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq  bigint NOT NULL CHECK (seq >= 0),
    hash bytea NOT NULL CHECK (length(hash) = 32)
) WITH (fillfactor = 50);
ALTER TABLE platform_audit_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform_audit_head FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON platform_audit_head TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('platform_audit_head');
GRANT SELECT ON platform_audit_head TO mastwire_platform;
INSERT INTO platform_audit_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION internal.platform_audit_text(line platform_audit) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT convert_to(jsonb_build_array('platform_audit', line.seq, line.id, (extract(epoch FROM line.at) * 1000000)::bigint, line.actor, line.reason,
                                        line.request_id, line.source)::text, 'UTF8')
$$;

CREATE FUNCTION internal.chain_platform_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    head platform_audit_head;
BEGIN
    SELECT * INTO STRICT head FROM platform_audit_head FOR UPDATE;
    NEW.seq := head.seq + 1;
    NEW.hash := sha256(head.hash || internal.platform_audit_text(NEW));
    UPDATE platform_audit_head SET seq = NEW.seq, hash = NEW.hash;
    RETURN NEW;
END $$;

DO $$
DECLARE
    line platform_audit;
    head bytea := decode(repeat('00', 32), 'hex');
    number bigint := 0;
BEGIN
    FOR line IN SELECT * FROM platform_audit ORDER BY id LOOP
        number := number + 1;
        line.seq := number;
        head := sha256(head || internal.platform_audit_text(line));
        UPDATE platform_audit SET seq = number, hash = head WHERE id = line.id;
    END LOOP;
    UPDATE platform_audit_head SET seq = number, hash = head;
END $$;
ALTER TABLE platform_audit ALTER COLUMN seq SET NOT NULL;
ALTER TABLE platform_audit ALTER COLUMN hash SET NOT NULL;
ALTER TABLE platform_audit ADD CONSTRAINT platform_audit_seq_unique UNIQUE (seq);
CREATE TRIGGER chained BEFORE INSERT ON platform_audit FOR EACH ROW
    WHEN (NOT (current_user = 'mastwire_owner' AND coalesce(current_setting('app.upkeep', true), '') = 'on'))
    EXECUTE FUNCTION internal.chain_platform_audit();
SELECT internal.append_only('platform_audit');

-- Keeps of a month of the audit log where the chain stood, before the month goes.
CREATE FUNCTION internal.before_drop(target_name text, month_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF target_name <> 'audit_log' THEN
        RETURN;
    END IF;
    -- Lines that follow one another are one anchor.
    EXECUTE format('INSERT INTO public.audit_anchor (tenant_id, first_seq, last_seq, hash, dropped_at)
        SELECT tenant_id, min(seq), max(seq), (array_agg(hash ORDER BY seq DESC))[1], now()
          FROM (SELECT tenant_id, seq, hash, seq - row_number() OVER (PARTITION BY tenant_id ORDER BY seq) AS run FROM months.%I) AS line
         GROUP BY tenant_id, run', month_name);
END $$;

-- What is done at its hour. The code says what and how often; a row says when it is due, and which controller does it now.
CREATE TABLE schedule (
    name             text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 60),
    due_at           timestamptz NOT NULL,
    leased_until     timestamptz,
    lease_owner      text CHECK (length(lease_owner) BETWEEN 1 AND 60),
    last_started_at  timestamptz,
    last_finished_at timestamptz,
    outcome          text CHECK (outcome IN ('done', 'failed')),
    -- What the last run said: what it did, or why it failed.
    report           text CHECK (length(report) <= 500),
    failures         integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    CONSTRAINT schedule_lease CHECK ((leased_until IS NULL) = (lease_owner IS NULL))
);
ALTER TABLE schedule ENABLE ROW LEVEL SECURITY;
ALTER TABLE schedule FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON schedule TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('schedule');
GRANT SELECT, INSERT, UPDATE ON schedule TO mastwire_platform;

-- What is wrong with the installation now, by name. A row comes when it begins and goes when it is over.
CREATE TABLE health_condition (
    code     text PRIMARY KEY CHECK (code ~ '^[a-z]+([.-][a-z]+)*$' AND length(code) <= 60),
    severity text NOT NULL CHECK (severity IN ('warning', 'critical')),
    text     text NOT NULL CHECK (length(text) BETWEEN 1 AND 1000),
    remedy   text NOT NULL CHECK (length(remedy) BETWEEN 1 AND 500),
    since    timestamptz NOT NULL,
    seen_at  timestamptz NOT NULL
);
ALTER TABLE health_condition ENABLE ROW LEVEL SECURITY;
ALTER TABLE health_condition FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON health_condition TO mastwire_owner USING (true) WITH CHECK (true);
SELECT internal.admit_platform('health_condition');
GRANT SELECT, INSERT, UPDATE, DELETE ON health_condition TO mastwire_platform;

-- Nothing ever filled it: what a router has to do follows from generations, and what is done again and again stands in `schedule`.
DROP TABLE job;
