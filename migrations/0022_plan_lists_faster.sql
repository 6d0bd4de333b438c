-- A policy is planned with every statement. As a subquery, the one that keeps limited operators to their routers brought three more tables
-- into every plan, also of those who see everything: planning took longer than the list itself. A function is planned once a session.

-- The routers that the caller sees: with the caller's rights and policies, which say it.
CREATE FUNCTION internal.reachable_routers() RETURNS SETOF uuid LANGUAGE plpgsql STABLE ROWS 200
    SET search_path = pg_catalog AS $$
BEGIN
    RETURN QUERY SELECT r.id FROM public.router r WHERE r.tenant_id = (SELECT current_setting('app.tenant_id')::uuid);
END $$;

CREATE OR REPLACE FUNCTION internal.limit_reach(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP POLICY IF EXISTS reach ON %s', target);
    EXECUTE format('CREATE POLICY reach ON %s AS RESTRICTIVE TO mastwire_app
                    USING ((SELECT current_setting(''app.reach'')) = ''all'' OR router_id IS NULL
                        OR router_id IN (SELECT internal.reachable_routers()))', target);
END $$;

SELECT internal.limit_reach(p.polrelid::regclass)
  FROM pg_policy p
 WHERE p.polname = 'reach'
   AND regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s+', ' ', 'g')
       LIKE '%OR (router_id IS NULL) OR (router_id IN ( SELECT r.id FROM router r WHERE %';
