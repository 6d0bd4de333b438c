CREATE TABLE package (
    tenant_id        uuid NOT NULL REFERENCES tenant (id),
    id               uuid NOT NULL,
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    kind             text NOT NULL CHECK (kind IN ('pppoe', 'hotspot', 'static')),
    price_minor      bigint NOT NULL CHECK (price_minor >= 0),
    currency         text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    download_bps     bigint NOT NULL CHECK (download_bps > 0),
    upload_bps       bigint NOT NULL CHECK (upload_bps > 0),
    -- Burst: {download_bps, upload_bps, download_threshold_bps, upload_threshold_bps, seconds}
    burst            jsonb,
    -- Calendar validity, in seconds or in whole months, from purchase or renewal.
    validity_seconds bigint CHECK (validity_seconds > 0),
    validity_months  integer CHECK (validity_months BETWEEN 1 AND 36),
    -- How long one may be online in all, and how much may be carried; both apart from the calendar.
    online_seconds   bigint CHECK (online_seconds > 0),
    data_bytes       bigint CHECK (data_bytes > 0),
    shared_users     integer NOT NULL DEFAULT 1 CHECK (shared_users BETWEEN 1 AND 100),
    on_expiry        text NOT NULL CHECK (on_expiry IN ('redirect', 'disable')),
    created_at       timestamptz NOT NULL,
    retired_at       timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT package_validity CHECK ((validity_seconds IS NULL) <> (validity_months IS NULL))
);
CREATE UNIQUE INDEX package_name_unique ON package (tenant_id, name) WHERE retired_at IS NULL;
SELECT internal.protect_tenant_table('package');
GRANT SELECT, INSERT, UPDATE ON package TO mastwire_app;

CREATE TABLE customer (
    tenant_id   uuid NOT NULL REFERENCES tenant (id),
    id          uuid NOT NULL,
    login       text NOT NULL CHECK (login ~ '^[A-Za-z0-9._@+-]{1,64}$'),
    full_name   text NOT NULL DEFAULT '' CHECK (length(full_name) <= 100),
    phone       text NOT NULL DEFAULT '' CHECK (phone ~ '^[0-9]{0,15}$'),
    kind        text NOT NULL CHECK (kind IN ('pppoe', 'hotspot', 'static')),
    password    bytea NOT NULL,
    router_id   uuid NOT NULL,
    package_id  uuid NOT NULL,
    address     inet CHECK (family(address) = 4 AND masklen(address) = 32),
    mac         text CHECK (mac ~ '^([0-9A-F]{2}:){5}[0-9A-F]{2}$'),
    -- Intent only; whether the customer has paid follows from entitlements, whether it is online from the router.
    status      text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'terminated')),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, package_id) REFERENCES package (tenant_id, id),
    CONSTRAINT customer_static_has_address CHECK (kind <> 'static' OR address IS NOT NULL)
);
CREATE UNIQUE INDEX customer_login_unique ON customer (tenant_id, login) WHERE status <> 'terminated';
CREATE UNIQUE INDEX customer_address_unique ON customer (tenant_id, router_id, address) WHERE status <> 'terminated';
CREATE INDEX customer_router ON customer (tenant_id, router_id);
CREATE INDEX customer_package ON customer (tenant_id, package_id);
SELECT internal.protect_tenant_table('customer');
GRANT SELECT, INSERT, UPDATE ON customer TO mastwire_app;

CREATE TABLE payment (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    customer_id  uuid NOT NULL,
    package_id   uuid NOT NULL,
    method       text NOT NULL CHECK (method IN ('cash', 'voucher')),
    receipt      text NOT NULL CHECK (length(receipt) BETWEEN 1 AND 64),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    state        text NOT NULL DEFAULT 'completed' CHECK (state IN ('completed', 'reversed')),
    taken_by     text NOT NULL CHECK (length(taken_by) BETWEEN 1 AND 100),
    -- When the request arrived: payment to online is counted from here.
    received_at  timestamptz NOT NULL,
    reversed_at  timestamptz,
    reversal_reason text CHECK (length(reversal_reason) <= 200),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT payment_receipt_unique UNIQUE (tenant_id, method, receipt),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, package_id) REFERENCES package (tenant_id, id)
);
CREATE INDEX payment_newest ON payment (tenant_id, received_at DESC, id DESC);
CREATE INDEX payment_customer ON payment (tenant_id, customer_id, received_at DESC);
CREATE INDEX payment_package ON payment (tenant_id, package_id);
SELECT internal.protect_tenant_table('payment');
GRANT SELECT, INSERT ON payment TO mastwire_app;
GRANT UPDATE (state, reversed_at, reversal_reason) ON payment TO mastwire_app;

CREATE TABLE entitlement (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    customer_id uuid NOT NULL,
    package_id  uuid NOT NULL,
    router_id   uuid NOT NULL,
    payment_id  uuid NOT NULL,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    -- Where the chain of entitlements without a gap began that this one belongs to; a router counts time and volume from there. Kept here
    -- so that what holds now is read without the history.
    unbroken_since timestamptz NOT NULL,
    voided_at   timestamptz,
    -- The router's desired generation that carries it, and when the router was seen to hold it and to list the session.
    generation  bigint NOT NULL,
    applied_at  timestamptz,
    online_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT entitlement_payment_unique UNIQUE (tenant_id, payment_id),
    CONSTRAINT entitlement_order CHECK (unbroken_since <= starts_at AND starts_at < ends_at),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, package_id) REFERENCES package (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment (tenant_id, id)
);
CREATE INDEX entitlement_customer ON entitlement (tenant_id, customer_id, ends_at DESC);
CREATE INDEX entitlement_router ON entitlement (tenant_id, router_id, ends_at);
CREATE INDEX entitlement_unapplied ON entitlement (tenant_id, router_id, generation) WHERE applied_at IS NULL AND voided_at IS NULL;
CREATE INDEX entitlement_package ON entitlement (tenant_id, package_id);
SELECT internal.protect_tenant_table('entitlement');
SELECT internal.admit_platform('entitlement');
GRANT SELECT, INSERT, UPDATE ON entitlement TO mastwire_app;
-- The expiry sweep asks which routers have something that ends now, and nothing else.
GRANT SELECT (tenant_id, router_id, ends_at, voided_at) ON entitlement TO mastwire_platform;

CREATE TABLE voucher_batch (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    package_id uuid NOT NULL,
    router_id  uuid,
    size       integer NOT NULL CHECK (size BETWEEN 1 AND 10000),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, package_id) REFERENCES package (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
);
CREATE INDEX voucher_batch_package ON voucher_batch (tenant_id, package_id);
CREATE INDEX voucher_batch_router ON voucher_batch (tenant_id, router_id);
SELECT internal.protect_tenant_table('voucher_batch');
GRANT SELECT, INSERT ON voucher_batch TO mastwire_app;

CREATE TABLE voucher (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    batch_id    uuid NOT NULL,
    code_hmac   bytea NOT NULL CHECK (length(code_hmac) = 32),
    -- For reprinting only, sealed; what is shown otherwise are the last three characters.
    sealed_code bytea NOT NULL,
    code_tail   text NOT NULL CHECK (length(code_tail) = 3),
    state       text NOT NULL DEFAULT 'available' CHECK (state IN ('available', 'redeemed', 'void')),
    customer_id uuid,
    redeemed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT voucher_code_unique UNIQUE (tenant_id, code_hmac),
    CONSTRAINT voucher_redeemed_by CHECK ((state = 'redeemed') = (customer_id IS NOT NULL)),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES voucher_batch (tenant_id, id),
    -- Deferred: the one statement that takes a code comes before the customer that the code makes.
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX voucher_batch_state ON voucher (tenant_id, batch_id, state);
CREATE INDEX voucher_customer ON voucher (tenant_id, customer_id);
SELECT internal.protect_tenant_table('voucher');
GRANT SELECT, INSERT, UPDATE ON voucher TO mastwire_app;

-- A request that may be sent again. Kept 30 days.
CREATE TABLE idempotency_key (
    tenant_id    uuid NOT NULL REFERENCES tenant (id),
    id           uuid NOT NULL,
    key          text NOT NULL CHECK (length(key) BETWEEN 8 AND 100),
    operation    text NOT NULL CHECK (length(operation) <= 100),
    request_hash bytea NOT NULL CHECK (length(request_hash) = 32),
    status       integer,
    response     jsonb,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT idempotency_key_unique UNIQUE (tenant_id, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (tenant_id, created_at);
SELECT internal.protect_tenant_table('idempotency_key');
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_key TO mastwire_app;

CREATE TABLE ledger_journal (
    tenant_id   uuid NOT NULL REFERENCES tenant (id),
    id          uuid NOT NULL,
    at          timestamptz NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('sale', 'reversal')),
    payment_id  uuid NOT NULL,
    reversal_of uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT ledger_journal_once UNIQUE (tenant_id, payment_id, kind),
    CONSTRAINT ledger_journal_reversal CHECK ((kind = 'reversal') = (reversal_of IS NOT NULL)),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment (tenant_id, id),
    FOREIGN KEY (tenant_id, reversal_of) REFERENCES ledger_journal (tenant_id, id)
);
CREATE INDEX ledger_journal_reversal_of ON ledger_journal (tenant_id, reversal_of);
SELECT internal.protect_tenant_table('ledger_journal');
-- No UPDATE and no DELETE for anybody who serves: a correction is a reversal.
GRANT SELECT, INSERT ON ledger_journal TO mastwire_app;

CREATE TABLE ledger_entry (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    journal_id   uuid NOT NULL,
    account      text NOT NULL CHECK (account IN ('cash', 'voucher_clearing', 'sales')),
    -- Debit positive, credit negative, in minor units.
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, journal_id) REFERENCES ledger_journal (tenant_id, id)
);
CREATE INDEX ledger_entry_journal ON ledger_entry (tenant_id, journal_id);
CREATE INDEX ledger_entry_account ON ledger_entry (tenant_id, account);
SELECT internal.protect_tenant_table('ledger_entry');
GRANT SELECT, INSERT ON ledger_entry TO mastwire_app;

-- Looks at the end of the transaction whether each journal it touched balances in each currency. It runs with the caller's rights, under
-- the caller's policies, so it can see no other tenant's entries.
CREATE FUNCTION internal.refuse_unbalanced_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_entry e WHERE e.tenant_id = NEW.tenant_id AND e.journal_id = NEW.journal_id
               GROUP BY e.currency HAVING sum(e.amount_minor) <> 0) THEN
        RAISE EXCEPTION 'journal % does not balance', NEW.journal_id USING ERRCODE = 'MW002';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT OR UPDATE ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION internal.refuse_unbalanced_journal();
