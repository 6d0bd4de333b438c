-- Messages to customers: texts with holes, the rules by which they are written, and what was written and became of it. Notifications to
-- those who serve the ISP.

-- A text with holes, for one channel and in one language. Those of one name say the same in several languages.
CREATE TABLE message_template (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    id         uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    channel    text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
    -- What it is written for, and so what it may name; NULL for what people send by hand.
    event      text CHECK (event IN ('customer_created', 'payment_received', 'expiry', 'outage_start', 'outage_end', 'ticket_opened',
                                     'ticket_closed')),
    language   text NOT NULL CHECK (language ~ '^([a-z]{2,3}(-[A-Z]{2})?)?$'),
    -- Its newest text.
    version    integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX message_template_name_unique ON message_template (tenant_id, name, channel, language) WHERE removed_at IS NULL;
SELECT internal.protect_tenant_table('message_template');
GRANT SELECT, INSERT ON message_template TO mastwire_app;
GRANT UPDATE (version, removed_at) ON message_template TO mastwire_app;

-- What a template said, from when on: written once, so that what was sent can be explained.
CREATE TABLE message_template_version (
    tenant_id   uuid NOT NULL,
    template_id uuid NOT NULL,
    version     integer NOT NULL CHECK (version > 0),
    text        text NOT NULL CHECK (length(text) BETWEEN 1 AND 1000),
    made_by     text NOT NULL CHECK (length(made_by) BETWEEN 1 AND 100),
    made_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, template_id, version),
    FOREIGN KEY (tenant_id, template_id) REFERENCES message_template (tenant_id, id)
);
SELECT internal.protect_tenant_table('message_template_version');
GRANT SELECT, INSERT ON message_template_version TO mastwire_app;

-- When a message is written by itself.
CREATE TABLE message_rule (
    tenant_id      uuid NOT NULL REFERENCES tenant (id),
    id             uuid NOT NULL,
    event          text NOT NULL CHECK (event IN ('customer_created', 'payment_received', 'expiry', 'outage_start', 'outage_end',
                                                  'ticket_opened', 'ticket_closed')),
    template_id    uuid NOT NULL,
    -- Of reminders: minutes after the end of what is paid; before it, below zero.
    offset_minutes integer CHECK (offset_minutes BETWEEN -43200 AND 43200),
    -- Only for customers who connect so.
    kind           text CHECK (kind IN ('pppoe', 'hotspot', 'static')),
    -- Whether it waits for the end of quiet hours.
    waits          boolean NOT NULL,
    enabled        boolean NOT NULL,
    -- What was due before is none of its.
    holds_since    timestamptz NOT NULL,
    -- What was due until then was looked at.
    seen_until     timestamptz NOT NULL,
    created_at     timestamptz NOT NULL,
    removed_at     timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT message_rule_offset CHECK ((event = 'expiry') = (offset_minutes IS NOT NULL)),
    FOREIGN KEY (tenant_id, template_id) REFERENCES message_template (tenant_id, id)
);
CREATE INDEX message_rule_template ON message_rule (tenant_id, template_id);
CREATE INDEX message_rule_event ON message_rule (tenant_id, event) WHERE enabled AND removed_at IS NULL;
SELECT internal.protect_tenant_table('message_rule');
GRANT SELECT, INSERT ON message_rule TO mastwire_app;
GRANT UPDATE (template_id, kind, waits, enabled, holds_since, seen_until, removed_at) ON message_rule TO mastwire_app;

-- That a rule has written to a customer about something: the one claim through which it writes. It stands apart from the messages, as a key
-- of a table that is cut by month could not hold across two months. Forgotten when what it is about is long over.
CREATE TABLE message_cycle (
    tenant_id   uuid NOT NULL,
    rule_id     uuid NOT NULL,
    customer_id uuid NOT NULL,
    -- The entitlement that ends, the payment, the ticket, the outage.
    cycle       uuid NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, rule_id, customer_id, cycle),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES message_rule (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX message_cycle_customer ON message_cycle (tenant_id, customer_id);
CREATE INDEX message_cycle_at ON message_cycle (tenant_id, at);
SELECT internal.protect_tenant_table('message_cycle');
GRANT SELECT, INSERT, DELETE ON message_cycle TO mastwire_app;

-- What was written to whom, and what became of it.
CREATE TABLE message (
    tenant_id        uuid NOT NULL,
    id               uuid NOT NULL,
    -- When it was written; the row's month.
    at               timestamptz NOT NULL,
    channel          text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
    recipient        text NOT NULL CHECK (recipient ~ '^[0-9]{5,15}$'),
    customer_id      uuid NOT NULL,
    -- The customer's at that moment.
    router_id        uuid NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('pppoe', 'hotspot', 'static')),
    rule_id          uuid,
    template_id      uuid,
    template_version integer,
    text             text NOT NULL CHECK (length(text) BETWEEN 1 AND 2000),
    segments         integer NOT NULL CHECK (segments BETWEEN 1 AND 20),
    author           text NOT NULL CHECK (length(author) BETWEEN 1 AND 100),
    -- 'unknown': it was handed over and the answer was lost, so nobody sends it again by itself.
    state            text NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'cancelled')),
    -- Why it waits, failed, or is not known.
    reason           text NOT NULL CHECK (length(reason) <= 300),
    attempts         integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Not before, and not after.
    not_before       timestamptz NOT NULL,
    not_after        timestamptz NOT NULL,
    -- Of a reminder: the end of what is paid that it speaks of. If that has moved, nobody needs it.
    about_end        timestamptz,
    -- Whether it was counted against the month's limit.
    counted          boolean NOT NULL,
    leased_until     timestamptz,
    gateway_id       uuid,
    -- The provider's name for it.
    provider_ref     text CHECK (length(provider_ref) BETWEEN 1 AND 100),
    sent_at          timestamptz,
    PRIMARY KEY (tenant_id, id, at),
    CONSTRAINT message_lease CHECK ((state = 'sending') = (leased_until IS NOT NULL)),
    CONSTRAINT message_sent CHECK ((state = 'sent') = (sent_at IS NOT NULL) AND (sent_at IS NULL OR gateway_id IS NOT NULL)),
    CONSTRAINT message_template_whole CHECK ((template_id IS NULL) = (template_version IS NULL)),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES message_rule (tenant_id, id),
    FOREIGN KEY (tenant_id, template_id, template_version) REFERENCES message_template_version (tenant_id, template_id, version),
    FOREIGN KEY (tenant_id, gateway_id) REFERENCES gateway (tenant_id, id)
) PARTITION BY RANGE (at);
CREATE INDEX message_customer ON message (tenant_id, customer_id, id DESC);
CREATE INDEX message_router ON message (tenant_id, router_id, id DESC);
CREATE INDEX message_state ON message (tenant_id, state, id DESC);
CREATE INDEX message_rule_of ON message (tenant_id, rule_id, id DESC);
CREATE INDEX message_template_of ON message (tenant_id, template_id, template_version);
CREATE INDEX message_gateway ON message (tenant_id, gateway_id);
CREATE INDEX message_at ON message (tenant_id, at, id);
CREATE INDEX message_due ON message (tenant_id, not_before) WHERE state = 'queued';
CREATE INDEX message_leased ON message (tenant_id, leased_until) WHERE state = 'sending';
SELECT internal.protect_tenant_table('message');
SELECT internal.limit_reach('message');
SELECT internal.admit_platform('message');
SELECT internal.partition_monthly('message');
GRANT SELECT, INSERT, DELETE ON message TO mastwire_app;
GRANT UPDATE (state, reason, attempts, not_before, counted, leased_until, gateway_id, provider_ref, sent_at) ON message TO mastwire_app;
-- Whose messages are due.
GRANT SELECT (tenant_id, state, not_before, leased_until) ON message TO mastwire_platform;

-- Whose time ends soon, or ended.
CREATE INDEX entitlement_end ON entitlement (tenant_id, ends_at) WHERE voided_at IS NULL;
-- Routers' outages that ended.
CREATE INDEX outage_router_end ON outage (tenant_id, ended_at) WHERE customer_id IS NULL;

-- Something that one of those who serve the tenant should know. Told once each: an outage, a visit, a ticket.
CREATE TABLE notification (
    tenant_id   uuid NOT NULL REFERENCES tenant (id),
    id          uuid NOT NULL,
    operator_id uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('router_silent', 'support_visit', 'ticket_assigned')),
    -- What it is about, by which it is told once.
    about       uuid NOT NULL,
    -- Where to look, as an id of the API.
    link        text CHECK (length(link) BETWEEN 1 AND 60),
    text        text NOT NULL CHECK (length(text) BETWEEN 1 AND 500),
    created_at  timestamptz NOT NULL,
    read_at     timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT notification_once UNIQUE (tenant_id, operator_id, kind, about)
);
CREATE INDEX notification_operator ON notification (tenant_id, operator_id, id DESC);
CREATE INDEX notification_unread ON notification (tenant_id, operator_id, id DESC) WHERE read_at IS NULL;
CREATE INDEX notification_about ON notification (tenant_id, about);
CREATE INDEX notification_at ON notification (tenant_id, created_at);
SELECT internal.protect_tenant_table('notification');
SELECT internal.admit_platform('notification');
GRANT SELECT, INSERT, DELETE ON notification TO mastwire_app;
GRANT UPDATE (read_at) ON notification TO mastwire_app;
-- A visit is told with its beginning, in one transaction.
GRANT INSERT ON notification TO mastwire_platform;
