-- Places, and how far an operator sees: everything of the tenant, or the routers that were assigned to them, one by one or by place.

-- A place, or a part of one: an area, a mast, a building, a flat. A tree, so that a flat stands in its house.
CREATE TABLE site (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    id         uuid NOT NULL,
    parent_id  uuid,
    kind       text NOT NULL CHECK (kind IN ('area', 'tower', 'building', 'floor', 'unit', 'shop', 'other')),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    address    text NOT NULL DEFAULT '' CHECK (length(address) <= 300),
    -- WGS 84, in degrees.
    latitude   double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude  double precision CHECK (longitude BETWEEN -180 AND 180),
    notes      text NOT NULL DEFAULT '' CHECK (length(notes) <= 2000),
    created_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES site (tenant_id, id),
    CONSTRAINT site_position CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CONSTRAINT site_not_in_itself CHECK (parent_id <> id)
);
CREATE INDEX site_parent ON site (tenant_id, parent_id);
-- Two flats may have one number, in two houses.
CREATE UNIQUE INDEX site_name_unique ON site (tenant_id, coalesce(parent_id, '00000000-0000-0000-0000-000000000000'), name) WHERE removed_at IS NULL;
SELECT internal.protect_tenant_table('site');
GRANT SELECT, INSERT, UPDATE ON site TO mastwire_app;

ALTER TABLE router ADD COLUMN site_id uuid;
ALTER TABLE router ADD CONSTRAINT router_site FOREIGN KEY (tenant_id, site_id) REFERENCES site (tenant_id, id);
CREATE INDEX router_site ON router (tenant_id, site_id);

ALTER TABLE membership ADD COLUMN reach text NOT NULL DEFAULT 'all' CHECK (reach IN ('all', 'assigned'));

-- What an operator with reach 'assigned' sees: a router, or all routers at a site.
CREATE TABLE assignment (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    operator_id uuid NOT NULL,
    router_id   uuid,
    site_id     uuid,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT assignment_of_one CHECK ((router_id IS NULL) <> (site_id IS NULL)),
    CONSTRAINT assignment_router_unique UNIQUE (tenant_id, operator_id, router_id),
    CONSTRAINT assignment_site_unique UNIQUE (tenant_id, operator_id, site_id),
    FOREIGN KEY (tenant_id, operator_id) REFERENCES membership (tenant_id, operator_id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES site (tenant_id, id)
);
CREATE INDEX assignment_router ON assignment (tenant_id, router_id);
CREATE INDEX assignment_site ON assignment (tenant_id, site_id);
SELECT internal.protect_tenant_table('assignment');
GRANT SELECT, INSERT, DELETE ON assignment TO mastwire_app;

-- A second policy, which can only take away: app.reach is 'all', or the id of the operator who sees what is assigned to them. As with
-- the tenant, unset is an error. A new router is let in before it is assigned; all else needs a router within reach.
CREATE POLICY reach ON router AS RESTRICTIVE TO mastwire_app
    USING ((SELECT current_setting('app.reach')) = 'all'
        OR EXISTS (SELECT 1 FROM assignment a
                    WHERE a.tenant_id = router.tenant_id AND a.operator_id::text = (SELECT current_setting('app.reach'))
                      AND (a.router_id = router.id OR a.site_id = router.site_id)))
    WITH CHECK (true);

-- Limits a table that names a router in router_id to the routers within reach; a row that names none is not limited.
CREATE FUNCTION internal.limit_reach(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE POLICY reach ON %s AS RESTRICTIVE TO mastwire_app
                    USING ((SELECT current_setting(''app.reach'')) = ''all'' OR router_id IS NULL
                        OR router_id IN (SELECT r.id FROM router r WHERE r.tenant_id = (SELECT current_setting(''app.tenant_id'')::uuid)))', target);
END $$;

SELECT internal.limit_reach(t::regclass)
  FROM unnest(ARRAY['router_state', 'router_object', 'change_set', 'tunnel_address', 'tunnel_peer', 'enrolment', 'customer', 'entitlement',
                    'voucher_batch', 'outbox']) AS t;
