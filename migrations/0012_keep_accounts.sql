-- Money in full: a chart of accounts, wallets, gateways, attempts to collect, and money that came and fits nobody yet.

-- Where money stands. Journals name an account by its code. What the program itself books in is a system account and stays as it is.
CREATE TABLE account (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    id         uuid NOT NULL,
    code       text NOT NULL CHECK (code ~ '^[a-z][a-z0-9_]{1,39}$'),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    type       text NOT NULL CHECK (type IN ('asset', 'liability', 'income', 'expense', 'equity')),
    system     boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    closed_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT account_code_unique UNIQUE (tenant_id, code),
    CONSTRAINT account_system_stays CHECK (NOT system OR closed_at IS NULL)
);
SELECT internal.protect_tenant_table('account');
SELECT internal.admit_platform('account');
GRANT SELECT, INSERT ON account TO mastwire_app;
GRANT UPDATE (name, closed_at) ON account TO mastwire_app;
-- A new tenant is given its system accounts by those who make it.
GRANT INSERT ON account TO mastwire_platform;

INSERT INTO account (tenant_id, id, code, name, type, system, created_at)
SELECT t.id, gen_random_uuid(), a.code, a.name, a.type, true, now()
  FROM tenant t CROSS JOIN (VALUES
        ('cash', 'Cash at the desk', 'asset'),
        ('bank', 'Bank', 'asset'),
        ('mobile_money', 'Mobile money', 'asset'),
        ('voucher_clearing', 'Vouchers handed out', 'asset'),
        ('receivables', 'Owed by customers', 'asset'),
        ('wallets', 'Customers'' wallets', 'liability'),
        ('unmatched', 'Money whose owner is not known', 'liability'),
        ('tax', 'Tax to be paid on', 'liability'),
        ('sales', 'Sales', 'income'),
        ('adjustments', 'Wallets set right by hand', 'expense'),
        ('expenses', 'Other expenses', 'expense')) AS a (code, name, type);

ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_account_check;
ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_account FOREIGN KEY (tenant_id, account) REFERENCES account (tenant_id, code);

-- A way by which money or messages travel. Its keys are sealed; of them only the names of what is set are ever shown.
CREATE TABLE gateway (
    tenant_id          uuid NOT NULL REFERENCES tenant (id),
    id                 uuid NOT NULL,
    kind               text NOT NULL CHECK (kind IN ('money', 'sms', 'whatsapp', 'email')),
    provider           text NOT NULL CHECK (length(provider) BETWEEN 1 AND 40),
    name               text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    purpose            text NOT NULL CHECK (purpose IN ('hotspot', 'pppoe', 'all')),
    -- Only for customers of this router.
    router_id          uuid,
    is_default         boolean NOT NULL DEFAULT false,
    -- Which is tried first, among those that fit equally well.
    position           integer NOT NULL DEFAULT 0 CHECK (position BETWEEN 0 AND 1000),
    environment        text NOT NULL CHECK (environment IN ('sandbox', 'production')),
    credentials        bytea NOT NULL CHECK (length(credentials) <= 16384),
    -- Names of what is set, so that it can be shown without opening anything.
    fields             text[] NOT NULL CHECK (cardinality(fields) <= 20),
    credential_version bigint NOT NULL DEFAULT 1 CHECK (credential_version > 0),
    enabled            boolean NOT NULL DEFAULT true,
    created_at         timestamptz NOT NULL,
    changed_at         timestamptz NOT NULL,
    removed_at         timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id)
);
CREATE UNIQUE INDEX gateway_name_unique ON gateway (tenant_id, name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX gateway_default_unique ON gateway (tenant_id, kind, purpose) WHERE is_default AND removed_at IS NULL;
CREATE INDEX gateway_router ON gateway (tenant_id, router_id);
SELECT internal.protect_tenant_table('gateway');
SELECT internal.limit_reach('gateway');
GRANT SELECT, INSERT ON gateway TO mastwire_app;
GRANT UPDATE (name, purpose, router_id, is_default, position, credentials, fields, credential_version, enabled, changed_at, removed_at)
    ON gateway TO mastwire_app;

-- Every sum that came in is a payment, once: this key is the one claim through which money counts. What fits nobody has no customer yet;
-- what bought nothing has no package and lies in the wallet.
ALTER TABLE payment DROP CONSTRAINT payment_method_check;
ALTER TABLE payment ADD CONSTRAINT payment_method_check
    CHECK (method IN ('cash', 'voucher', 'wallet', 'bank', 'mobile_money', 'compensation'));
ALTER TABLE payment DROP CONSTRAINT payment_state_check;
ALTER TABLE payment ADD CONSTRAINT payment_state_check CHECK (state IN ('completed', 'reversed', 'unmatched', 'refunded'));
ALTER TABLE payment ALTER COLUMN customer_id DROP NOT NULL;
ALTER TABLE payment ALTER COLUMN package_id DROP NOT NULL;
ALTER TABLE payment ADD COLUMN gateway_id uuid;
ALTER TABLE payment ADD CONSTRAINT payment_has_customer CHECK ((customer_id IS NULL) = (state IN ('unmatched', 'refunded')));
ALTER TABLE payment ADD CONSTRAINT payment_free CHECK (method <> 'compensation' OR amount_minor = 0);
ALTER TABLE payment ADD CONSTRAINT payment_gateway FOREIGN KEY (tenant_id, gateway_id) REFERENCES gateway (tenant_id, id);
ALTER TABLE payment ADD CONSTRAINT payment_gateway_method CHECK (gateway_id IS NULL OR method IN ('bank', 'mobile_money'));
ALTER TABLE payment DROP CONSTRAINT payment_receipt_unique;
ALTER TABLE payment ADD CONSTRAINT payment_receipt_unique UNIQUE NULLS NOT DISTINCT (tenant_id, method, gateway_id, receipt);
CREATE INDEX payment_gateway ON payment (tenant_id, gateway_id);
GRANT UPDATE (customer_id, package_id, package_version_id) ON payment TO mastwire_app;

-- Time that was given, not sold: it carries no volume or online time of its own.
ALTER TABLE entitlement ADD COLUMN complimentary boolean NOT NULL DEFAULT false;

-- Journals are about more than sales. The router is the customer's at that moment: a later move changes no book.
ALTER TABLE ledger_journal DROP CONSTRAINT ledger_journal_kind_check;
ALTER TABLE ledger_journal ADD CONSTRAINT ledger_journal_kind_check CHECK (kind IN
    ('sale', 'reversal', 'top_up', 'adjustment', 'unmatched', 'match', 'refund', 'invoice', 'invoice_payment', 'expense'));
ALTER TABLE ledger_journal ALTER COLUMN payment_id DROP NOT NULL;
ALTER TABLE ledger_journal ADD COLUMN router_id uuid;
ALTER TABLE ledger_journal ADD COLUMN method text CHECK (method IN ('cash', 'voucher', 'wallet', 'bank', 'mobile_money'));
ALTER TABLE ledger_journal ADD COLUMN reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 200);
UPDATE ledger_journal j SET method = p.method, router_id = c.router_id
  FROM payment p JOIN customer c ON c.tenant_id = p.tenant_id AND c.id = p.customer_id
 WHERE p.tenant_id = j.tenant_id AND p.id = j.payment_id;
ALTER TABLE ledger_journal ADD CONSTRAINT ledger_journal_router FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id);
ALTER TABLE ledger_journal DROP CONSTRAINT ledger_journal_once;
CREATE UNIQUE INDEX ledger_journal_once ON ledger_journal (tenant_id, payment_id, kind) WHERE kind <> 'reversal';
CREATE INDEX ledger_journal_payment ON ledger_journal (tenant_id, payment_id);
DROP INDEX ledger_journal_reversal_of;
CREATE UNIQUE INDEX ledger_journal_reversed_once ON ledger_journal (tenant_id, reversal_of);
CREATE INDEX ledger_journal_router ON ledger_journal (tenant_id, router_id);
CREATE INDEX ledger_journal_day ON ledger_journal (tenant_id, at);
SELECT internal.limit_reach('ledger_journal');

-- Whose wallet, or who owes. A wallet's entries are numbered and carry the balance behind them, so that one that is missing is seen.
ALTER TABLE ledger_entry ADD COLUMN customer_id uuid;
ALTER TABLE ledger_entry ADD COLUMN wallet_number bigint CHECK (wallet_number > 0);
ALTER TABLE ledger_entry ADD COLUMN wallet_balance_minor bigint CHECK (wallet_balance_minor >= 0);
ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_customer FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id);
ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_whose CHECK ((customer_id IS NOT NULL) = (account IN ('wallets', 'receivables')));
ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_numbered
    CHECK ((account = 'wallets') = (wallet_number IS NOT NULL) AND (wallet_number IS NULL) = (wallet_balance_minor IS NULL));
CREATE UNIQUE INDEX ledger_entry_wallet ON ledger_entry (tenant_id, customer_id, currency, wallet_number);

-- What the ISP owes a customer: minus the sum of the customer's entries in account wallets, kept in the transaction that writes them.
CREATE TABLE wallet (
    tenant_id     uuid NOT NULL,
    customer_id   uuid NOT NULL,
    currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    balance_minor bigint NOT NULL DEFAULT 0 CHECK (balance_minor >= 0),
    entries       bigint NOT NULL DEFAULT 0 CHECK (entries >= 0),
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, customer_id, currency),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
SELECT internal.protect_tenant_table('wallet');
GRANT SELECT, INSERT ON wallet TO mastwire_app;
GRANT UPDATE (balance_minor, entries, changed_at) ON wallet TO mastwire_app;

-- An attempt to collect money through a gateway, with what was wanted and its price at that moment. It ends by its state; a late success
-- revives what failed or ran out, and nothing undoes a success.
CREATE TABLE payment_attempt (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    gateway_id   uuid NOT NULL,
    -- The provider's name for it, such as a CheckoutRequestID.
    checkout     text NOT NULL CHECK (length(checkout) BETWEEN 1 AND 128),
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'completed', 'failed', 'expired', 'cancelled')),
    revived      boolean NOT NULL DEFAULT false,
    environment  text NOT NULL CHECK (environment IN ('sandbox', 'production')),
    phone        text NOT NULL CHECK (phone ~ '^[0-9]{1,15}$'),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- As it was sold when the attempt began: its price is what counts, whatever it costs by now.
    package_id   uuid NOT NULL,
    package_version_id uuid NOT NULL,
    customer_id  uuid,
    -- A device in a hotspot that is nobody's yet.
    router_id    uuid NOT NULL,
    mac          text CHECK (mac ~ '^([0-9A-F]{2}:){5}[0-9A-F]{2}$'),
    -- What a provider sent about it, as it came, before anything was made of it.
    hint         text CHECK (length(hint) <= 8192),
    hint_at      timestamptz,
    outcome      text CHECK (length(outcome) <= 200),
    payment_id   uuid,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT payment_attempt_checkout_unique UNIQUE (tenant_id, gateway_id, checkout),
    CONSTRAINT payment_attempt_payment_unique UNIQUE (tenant_id, payment_id),
    CONSTRAINT payment_attempt_of_somebody CHECK (customer_id IS NOT NULL OR mac IS NOT NULL),
    CONSTRAINT payment_attempt_ended CHECK ((state = 'pending') = (ended_at IS NULL)),
    -- A sandbox's money is none.
    CONSTRAINT payment_attempt_counted CHECK ((state = 'completed' AND environment = 'production') = (payment_id IS NOT NULL)),
    FOREIGN KEY (tenant_id, gateway_id) REFERENCES gateway (tenant_id, id),
    FOREIGN KEY (tenant_id, package_id, package_version_id) REFERENCES package_version (tenant_id, package_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, router_id) REFERENCES router (tenant_id, id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment (tenant_id, id)
);
CREATE INDEX payment_attempt_state ON payment_attempt (tenant_id, state, id);
CREATE INDEX payment_attempt_pending ON payment_attempt (tenant_id, expires_at) WHERE state = 'pending';
CREATE INDEX payment_attempt_customer ON payment_attempt (tenant_id, customer_id);
CREATE INDEX payment_attempt_package ON payment_attempt (tenant_id, package_id, package_version_id);
CREATE INDEX payment_attempt_router ON payment_attempt (tenant_id, router_id);
SELECT internal.protect_tenant_table('payment_attempt');
SELECT internal.limit_reach('payment_attempt');
GRANT SELECT, INSERT ON payment_attempt TO mastwire_app;
GRANT UPDATE (state, revived, hint, hint_at, outcome, payment_id, customer_id, ended_at) ON payment_attempt TO mastwire_app;

-- Money that came and fits nobody yet: what was known of the payer, who it may be, and what was done about it, once.
CREATE TABLE unmatched_payment (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    payment_id   uuid NOT NULL,
    account_text text NOT NULL DEFAULT '' CHECK (length(account_text) <= 100),
    -- Digits, or a provider's hash of them.
    phone        text NOT NULL DEFAULT '' CHECK (length(phone) <= 64),
    payer        text NOT NULL DEFAULT '' CHECK (length(payer) <= 100),
    why          text NOT NULL CHECK (length(why) BETWEEN 1 AND 200),
    suggested_customer_id uuid,
    suggested_by text CHECK (suggested_by IN ('account_number', 'login', 'phone')),
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'matched', 'refunded')),
    created_at   timestamptz NOT NULL,
    resolved_at  timestamptz,
    resolved_by  text CHECK (length(resolved_by) BETWEEN 1 AND 100),
    note         text NOT NULL DEFAULT '' CHECK (length(note) <= 200),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT unmatched_payment_payment_unique UNIQUE (tenant_id, payment_id),
    CONSTRAINT unmatched_payment_suggestion CHECK ((suggested_customer_id IS NULL) = (suggested_by IS NULL)),
    CONSTRAINT unmatched_payment_resolved CHECK ((state = 'open') = (resolved_at IS NULL) AND (resolved_at IS NULL) = (resolved_by IS NULL)),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment (tenant_id, id),
    FOREIGN KEY (tenant_id, suggested_customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX unmatched_payment_state ON unmatched_payment (tenant_id, state, id);
CREATE INDEX unmatched_payment_suggested ON unmatched_payment (tenant_id, suggested_customer_id);
SELECT internal.protect_tenant_table('unmatched_payment');
GRANT SELECT, INSERT ON unmatched_payment TO mastwire_app;
GRANT UPDATE (state, resolved_at, resolved_by, note) ON unmatched_payment TO mastwire_app;

-- A batch that was stolen or lost is taken out of use as a whole.
ALTER TABLE voucher_batch ADD COLUMN voided_at timestamptz;
ALTER TABLE voucher_batch ADD COLUMN void_reason text CHECK (length(void_reason) <= 200);
ALTER TABLE voucher_batch ADD CONSTRAINT voucher_batch_voided CHECK ((voided_at IS NULL) = (void_reason IS NULL));
GRANT UPDATE (voided_at, void_reason) ON voucher_batch TO mastwire_app;
