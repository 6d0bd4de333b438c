-- The office: tickets with what was said on them, people who may become customers, and the technicians' work.
-- Operators are named without a foreign key: who has left the ISP is still the one who did the work, and their leaving must not be refused
-- for it. That an assignee serves the tenant is checked when it is written.

-- The last number that a tenant's tickets were given. One row a tenant, locked by who opens the next.
CREATE TABLE ticket_counter (
    tenant_id uuid PRIMARY KEY REFERENCES tenant (id),
    last      integer NOT NULL CHECK (last > 0)
);
SELECT internal.protect_tenant_table('ticket_counter');
GRANT SELECT, INSERT, UPDATE ON ticket_counter TO mastwire_app;

CREATE TABLE ticket (
    tenant_id    uuid NOT NULL REFERENCES tenant (id),
    id           uuid NOT NULL,
    -- What people say on the phone.
    number       integer NOT NULL CHECK (number > 0),
    category     text NOT NULL CHECK (category IN ('no_internet', 'slow', 'installation', 'billing', 'hardware', 'other')),
    priority     text NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    status       text NOT NULL CHECK (status IN ('open', 'in_progress', 'waiting', 'resolved', 'closed')),
    status_since timestamptz NOT NULL,
    title        text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    body         text NOT NULL CHECK (length(body) <= 4000),
    -- What it is about, as far as it is known.
    customer_id  uuid,
    router_id    uuid,
    site_id      uuid,
    device_id    uuid,
    diagnosis_id uuid,
    assignee_id  uuid,
    opened_by    text NOT NULL CHECK (length(opened_by) BETWEEN 1 AND 100),
    opened_at    timestamptz NOT NULL,
    due_at       timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT ticket_number_unique UNIQUE (tenant_id, number),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES site (tenant_id, id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES device (tenant_id, id),
    FOREIGN KEY (tenant_id, diagnosis_id) REFERENCES diagnosis (tenant_id, id)
);
CREATE INDEX ticket_status ON ticket (tenant_id, status, id DESC);
CREATE INDEX ticket_assignee ON ticket (tenant_id, assignee_id, id DESC);
CREATE INDEX ticket_customer ON ticket (tenant_id, customer_id, id DESC);
CREATE INDEX ticket_router ON ticket (tenant_id, router_id, id DESC);
CREATE INDEX ticket_site ON ticket (tenant_id, site_id, id DESC);
CREATE INDEX ticket_device ON ticket (tenant_id, device_id, id DESC);
CREATE INDEX ticket_diagnosis ON ticket (tenant_id, diagnosis_id);
SELECT internal.protect_tenant_table('ticket');
SELECT internal.limit_reach('ticket');
GRANT SELECT, INSERT, UPDATE ON ticket TO mastwire_app;

-- Written once: what was said stays said.
CREATE TABLE ticket_note (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    ticket_id   uuid NOT NULL,
    at          timestamptz NOT NULL,
    author      text NOT NULL CHECK (length(author) BETWEEN 1 AND 100),
    -- Whether the customer may read it.
    to_customer boolean NOT NULL,
    text        text NOT NULL CHECK (length(text) BETWEEN 1 AND 4000),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id)
);
CREATE INDEX ticket_note_ticket ON ticket_note (tenant_id, ticket_id, id DESC);
SELECT internal.protect_tenant_table('ticket_note');
GRANT SELECT, INSERT ON ticket_note TO mastwire_app;

CREATE TABLE lead (
    tenant_id    uuid NOT NULL REFERENCES tenant (id),
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    phone        text NOT NULL CHECK (phone ~ '^[0-9]{0,15}$'),
    -- Where it came from: a neighbour, a leaflet, a call.
    source       text NOT NULL CHECK (length(source) <= 100),
    stage        text NOT NULL CHECK (stage IN ('new', 'contacted', 'survey', 'won', 'lost')),
    follow_up_on date,
    site_id      uuid,
    assignee_id  uuid,
    notes        text NOT NULL CHECK (length(notes) <= 2000),
    -- The customer that came of it.
    customer_id  uuid,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT lead_won_is_a_customer CHECK ((stage = 'won') = (customer_id IS NOT NULL)),
    FOREIGN KEY (tenant_id, site_id) REFERENCES site (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX lead_stage ON lead (tenant_id, stage, id DESC);
CREATE INDEX lead_follow_up ON lead (tenant_id, follow_up_on, id) WHERE stage IN ('new', 'contacted', 'survey');
CREATE INDEX lead_site ON lead (tenant_id, site_id);
CREATE INDEX lead_customer ON lead (tenant_id, customer_id);
SELECT internal.protect_tenant_table('lead');
GRANT SELECT, INSERT, UPDATE ON lead TO mastwire_app;

-- What a technician did. A wrong entry is struck out, not changed.
CREATE TABLE work_entry (
    tenant_id   uuid NOT NULL REFERENCES tenant (id),
    id          uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('install', 'support', 'maintenance', 'survey')),
    operator_id uuid NOT NULL,
    started_at  timestamptz NOT NULL,
    minutes     integer NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
    customer_id uuid,
    router_id   uuid,
    site_id     uuid,
    ticket_id   uuid,
    -- [{name, quantity, unit}]
    materials   jsonb NOT NULL CHECK (jsonb_typeof(materials) = 'array' AND jsonb_array_length(materials) <= 50),
    -- Where it was noted, WGS 84 in degrees, and how far off that may be, in metres.
    latitude    double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude   double precision CHECK (longitude BETWEEN -180 AND 180),
    accuracy_m  integer CHECK (accuracy_m BETWEEN 0 AND 100000),
    note        text NOT NULL CHECK (length(note) <= 2000),
    created_at  timestamptz NOT NULL,
    struck_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT work_entry_position CHECK ((latitude IS NULL) = (longitude IS NULL) AND (accuracy_m IS NULL OR latitude IS NOT NULL)),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES site (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id)
);
CREATE INDEX work_entry_operator ON work_entry (tenant_id, operator_id, id DESC);
CREATE INDEX work_entry_customer ON work_entry (tenant_id, customer_id, id DESC);
CREATE INDEX work_entry_router ON work_entry (tenant_id, router_id, id DESC);
CREATE INDEX work_entry_site ON work_entry (tenant_id, site_id, id DESC);
CREATE INDEX work_entry_ticket ON work_entry (tenant_id, ticket_id, id DESC);
SELECT internal.protect_tenant_table('work_entry');
SELECT internal.limit_reach('work_entry');
GRANT SELECT, INSERT ON work_entry TO mastwire_app;
GRANT UPDATE (struck_at) ON work_entry TO mastwire_app;
