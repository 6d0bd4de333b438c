-- Places in use, the devices at them, packages as they were at each time, and where each package is sold.

-- A place's parts in a list's order; it serves the foreign key too.
DROP INDEX site_parent;
CREATE INDEX site_parent ON site (tenant_id, parent_id, id DESC);
DROP INDEX router_site;
CREATE INDEX router_site ON router (tenant_id, site_id, id DESC);

-- A thing behind or beside a router. A tree, so that a station hangs below its access point.
CREATE TABLE device (
    tenant_id   uuid NOT NULL REFERENCES tenant (id),
    id          uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('access_point', 'sector', 'station', 'cpe', 'switch', 'other')),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    parent_id   uuid,
    site_id     uuid,
    -- The router it hangs on, and the customer whose it is.
    router_id   uuid,
    customer_id uuid,
    mac         text CHECK (mac ~ '^([0-9A-F]{2}:){5}[0-9A-F]{2}$'),
    address     inet CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END),
    serial      text NOT NULL DEFAULT '' CHECK (length(serial) <= 64),
    model       text NOT NULL DEFAULT '' CHECK (length(model) <= 100),
    notes       text NOT NULL DEFAULT '' CHECK (length(notes) <= 2000),
    -- User name and password together, sealed; nothing lists them.
    credentials bytea CHECK (length(credentials) BETWEEN 40 AND 2000),
    -- Whether its router should watch over it.
    watched     boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    removed_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES device (tenant_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES site (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    CONSTRAINT device_not_below_itself CHECK (parent_id <> id),
    CONSTRAINT device_removed_keeps_no_secret CHECK (removed_at IS NULL OR credentials IS NULL)
);
CREATE INDEX device_parent ON device (tenant_id, parent_id, id DESC);
CREATE INDEX device_site ON device (tenant_id, site_id, id DESC);
CREATE INDEX device_router ON device (tenant_id, router_id, id DESC);
CREATE INDEX device_customer ON device (tenant_id, customer_id, id DESC);
CREATE UNIQUE INDEX device_mac_unique ON device (tenant_id, mac) WHERE removed_at IS NULL;
SELECT internal.protect_tenant_table('device');
SELECT internal.limit_reach('device');
GRANT SELECT, INSERT, UPDATE ON device TO mastwire_app;

-- What a package was, from when on. Written once: a change is a new version, so that what was sold is known for ever.
CREATE TABLE package_version (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    package_id   uuid NOT NULL,
    number       integer NOT NULL CHECK (number BETWEEN 1 AND 1000),
    price_minor  bigint NOT NULL CHECK (price_minor >= 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    download_bps bigint NOT NULL CHECK (download_bps > 0),
    upload_bps   bigint NOT NULL CHECK (upload_bps > 0),
    burst        jsonb,
    -- Whether its speed reached everybody at once, or each customer with the next purchase.
    applies      text NOT NULL CHECK (applies IN ('now', 'next_renewal')),
    valid_from   timestamptz NOT NULL,
    made_by      text NOT NULL CHECK (length(made_by) BETWEEN 1 AND 100),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT package_version_number_unique UNIQUE (tenant_id, package_id, number),
    CONSTRAINT package_version_of_package UNIQUE (tenant_id, package_id, id),
    FOREIGN KEY (tenant_id, package_id) REFERENCES package (tenant_id, id)
);
SELECT internal.protect_tenant_table('package_version');
-- No UPDATE and no DELETE for anybody who serves.
GRANT SELECT, INSERT ON package_version TO mastwire_app;

-- What is on sale today is version 1 of each package; ids are unique within a table, so the package lends it its own.
INSERT INTO package_version (tenant_id, id, package_id, number, price_minor, currency, download_bps, upload_bps, burst, applies, valid_from, made_by)
SELECT tenant_id, id, id, 1, price_minor, currency, download_bps, upload_bps, burst, 'now', created_at, 'system:migration' FROM package;

-- The version that is sold now, whose terms stand in the package's row too.
ALTER TABLE package ADD COLUMN version_id uuid;
UPDATE package SET version_id = id;
ALTER TABLE package ALTER COLUMN version_id SET NOT NULL;
-- Deferred: a package and its first version name each other.
ALTER TABLE package ADD CONSTRAINT package_current_version FOREIGN KEY (tenant_id, id, version_id)
    REFERENCES package_version (tenant_id, package_id, id) DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX package_current_version ON package (tenant_id, id, version_id);
-- Whether customers see it where they buy for themselves.
ALTER TABLE package ADD COLUMN portal boolean NOT NULL DEFAULT true;
-- Sold on every router, or only where package_scope says. A flag, and not the absence of rows: rows that an operator may not see must not
-- widen what is allowed.
ALTER TABLE package ADD COLUMN everywhere boolean NOT NULL DEFAULT true;

ALTER TABLE payment ADD COLUMN package_version_id uuid;
UPDATE payment SET package_version_id = package_id;
ALTER TABLE payment ADD CONSTRAINT payment_package_version FOREIGN KEY (tenant_id, package_id, package_version_id)
    REFERENCES package_version (tenant_id, package_id, id);
ALTER TABLE payment ADD CONSTRAINT payment_version_known CHECK ((package_id IS NULL) = (package_version_id IS NULL));
DROP INDEX payment_package;
CREATE INDEX payment_package ON payment (tenant_id, package_id, package_version_id);

ALTER TABLE entitlement ADD COLUMN package_version_id uuid;
UPDATE entitlement SET package_version_id = package_id;
ALTER TABLE entitlement ALTER COLUMN package_version_id SET NOT NULL;
ALTER TABLE entitlement ADD CONSTRAINT entitlement_package_version FOREIGN KEY (tenant_id, package_id, package_version_id)
    REFERENCES package_version (tenant_id, package_id, id);
DROP INDEX entitlement_package;
CREATE INDEX entitlement_package ON entitlement (tenant_id, package_id, package_version_id);

-- Where a package is sold that is not sold everywhere: on a router, or on all routers at a place and within it.
CREATE TABLE package_scope (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    package_id uuid NOT NULL,
    router_id  uuid,
    site_id    uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT package_scope_of_one CHECK ((router_id IS NULL) <> (site_id IS NULL)),
    CONSTRAINT package_scope_router_unique UNIQUE (tenant_id, package_id, router_id),
    CONSTRAINT package_scope_site_unique UNIQUE (tenant_id, package_id, site_id),
    FOREIGN KEY (tenant_id, package_id) REFERENCES package (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES site (tenant_id, id)
);
CREATE INDEX package_scope_router ON package_scope (tenant_id, router_id);
CREATE INDEX package_scope_site ON package_scope (tenant_id, site_id);
SELECT internal.protect_tenant_table('package_scope');
SELECT internal.limit_reach('package_scope');
GRANT SELECT, INSERT, DELETE ON package_scope TO mastwire_app;
