-- Bills to customers, and what the ISP itself spends.

-- The last number that was given, per series and year. Its row is locked by whoever issues, so no number is left out and none is given twice.
CREATE TABLE invoice_counter (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    prefix    text NOT NULL CHECK (prefix ~ '^[A-Z0-9-]{1,10}$'),
    year      integer NOT NULL CHECK (year BETWEEN 2000 AND 9999),
    last      bigint NOT NULL CHECK (last > 0),
    PRIMARY KEY (tenant_id, prefix, year)
);
SELECT internal.protect_tenant_table('invoice_counter');
GRANT SELECT, INSERT ON invoice_counter TO mastwire_app;
GRANT UPDATE (last) ON invoice_counter TO mastwire_app;

-- A bill. What it says of the customer is what was so when it was issued. It is voided, never deleted.
CREATE TABLE invoice (
    tenant_id        uuid NOT NULL,
    id               uuid NOT NULL,
    customer_id      uuid NOT NULL,
    state            text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'issued', 'paid', 'void')),
    prefix           text NOT NULL CHECK (prefix ~ '^[A-Z0-9-]{1,10}$'),
    year             integer CHECK (year BETWEEN 2000 AND 9999),
    number           bigint CHECK (number > 0),
    currency         text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total_minor      bigint NOT NULL CHECK (total_minor > 0),
    tax_minor        bigint NOT NULL CHECK (tax_minor >= 0),
    paid_minor       bigint NOT NULL DEFAULT 0 CHECK (paid_minor BETWEEN 0 AND total_minor),
    due_on           date NOT NULL,
    note             text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
    customer_name    text CHECK (length(customer_name) <= 200),
    customer_address text CHECK (length(customer_address) <= 300),
    created_at       timestamptz NOT NULL,
    issued_at        timestamptz,
    voided_at        timestamptz,
    void_reason      text CHECK (length(void_reason) BETWEEN 1 AND 200),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT invoice_number_unique UNIQUE (tenant_id, prefix, year, number),
    CONSTRAINT invoice_numbered CHECK ((number IS NULL) = (year IS NULL) AND (number IS NULL) = (issued_at IS NULL)),
    CONSTRAINT invoice_issued CHECK (state = 'void' OR (state = 'draft') = (number IS NULL)),
    CONSTRAINT invoice_snapshot CHECK ((number IS NULL) = (customer_name IS NULL) AND (number IS NULL) = (customer_address IS NULL)),
    CONSTRAINT invoice_paid CHECK (state = 'void' OR (state = 'paid') = (paid_minor = total_minor)),
    CONSTRAINT invoice_unpaid_when_void CHECK (state NOT IN ('draft', 'void') OR paid_minor = 0),
    CONSTRAINT invoice_voided CHECK ((state = 'void') = (voided_at IS NOT NULL) AND (voided_at IS NULL) = (void_reason IS NULL)),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX invoice_customer ON invoice (tenant_id, customer_id, id);
CREATE INDEX invoice_state ON invoice (tenant_id, state, id);
SELECT internal.protect_tenant_table('invoice');
GRANT SELECT, INSERT ON invoice TO mastwire_app;
GRANT UPDATE (state, year, number, paid_minor, customer_name, customer_address, issued_at, voided_at, void_reason) ON invoice TO mastwire_app;

CREATE TABLE invoice_line (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    invoice_id   uuid NOT NULL,
    position     integer NOT NULL CHECK (position BETWEEN 1 AND 100),
    kind         text NOT NULL CHECK (kind IN ('package', 'fee', 'discount', 'tax')),
    text         text NOT NULL CHECK (length(text) BETWEEN 1 AND 200),
    quantity     integer NOT NULL CHECK (quantity BETWEEN 1 AND 10000),
    unit_minor   bigint NOT NULL,
    amount_minor bigint NOT NULL,
    package_id   uuid,
    -- Hundredths of a per cent, of a tax.
    rate_bp      integer CHECK (rate_bp BETWEEN 0 AND 10000),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT invoice_line_position_unique UNIQUE (tenant_id, invoice_id, position),
    CONSTRAINT invoice_line_sum CHECK (amount_minor = unit_minor * quantity),
    CONSTRAINT invoice_line_sign CHECK (CASE kind WHEN 'discount' THEN amount_minor <= 0 ELSE amount_minor >= 0 END),
    CONSTRAINT invoice_line_package CHECK ((kind = 'package') = (package_id IS NOT NULL)),
    CONSTRAINT invoice_line_rate CHECK ((kind = 'tax') = (rate_bp IS NOT NULL)),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoice (tenant_id, id),
    FOREIGN KEY (tenant_id, package_id) REFERENCES package (tenant_id, id)
);
CREATE INDEX invoice_line_package ON invoice_line (tenant_id, package_id);
SELECT internal.protect_tenant_table('invoice_line');
GRANT SELECT, INSERT ON invoice_line TO mastwire_app;

ALTER TABLE payment ADD COLUMN invoice_id uuid;
ALTER TABLE payment ADD CONSTRAINT payment_invoice FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoice (tenant_id, id);
ALTER TABLE payment ADD CONSTRAINT payment_for_one CHECK (invoice_id IS NULL OR package_id IS NULL);
CREATE INDEX payment_invoice ON payment (tenant_id, invoice_id);
ALTER TABLE ledger_journal ADD COLUMN invoice_id uuid;
ALTER TABLE ledger_journal ADD CONSTRAINT ledger_journal_invoice FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoice (tenant_id, id);
CREATE INDEX ledger_journal_invoice ON ledger_journal (tenant_id, invoice_id);
CREATE UNIQUE INDEX ledger_journal_issued_once ON ledger_journal (tenant_id, invoice_id) WHERE kind = 'invoice';

-- A rule by which the ISP spends again and again. The nth time is counted from the first day, so that the 31st stays the 31st.
CREATE TABLE recurring_expense (
    tenant_id    uuid NOT NULL REFERENCES tenant (id),
    id           uuid NOT NULL,
    account      text NOT NULL,
    vendor       text NOT NULL DEFAULT '' CHECK (length(vendor) <= 100),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    paid_from    text NOT NULL,
    note         text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
    every        integer NOT NULL CHECK (every BETWEEN 1 AND 365),
    unit         text NOT NULL CHECK (unit IN ('day', 'week', 'month')),
    first_on     date NOT NULL,
    last_on      date,
    -- How many times have passed, noted or skipped while paused; and when the next is due.
    periods      bigint NOT NULL DEFAULT 0 CHECK (periods >= 0),
    next_due     date NOT NULL,
    paused_at    timestamptz,
    ended_at     timestamptz,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT recurring_expense_order CHECK (next_due >= first_on AND (last_on IS NULL OR last_on >= first_on)),
    FOREIGN KEY (tenant_id, account) REFERENCES account (tenant_id, code),
    FOREIGN KEY (tenant_id, paid_from) REFERENCES account (tenant_id, code)
);
CREATE INDEX recurring_expense_account ON recurring_expense (tenant_id, account);
CREATE INDEX recurring_expense_paid_from ON recurring_expense (tenant_id, paid_from);
CREATE INDEX recurring_expense_due ON recurring_expense (tenant_id, next_due) WHERE paused_at IS NULL AND ended_at IS NULL;
SELECT internal.protect_tenant_table('recurring_expense');
GRANT SELECT, INSERT ON recurring_expense TO mastwire_app;
GRANT UPDATE (periods, next_due, paused_at, ended_at) ON recurring_expense TO mastwire_app;

-- Money that the ISP spent. Taken back, never changed.
CREATE TABLE expense (
    tenant_id       uuid NOT NULL REFERENCES tenant (id),
    id              uuid NOT NULL,
    account         text NOT NULL,
    vendor          text NOT NULL DEFAULT '' CHECK (length(vendor) <= 100),
    amount_minor    bigint NOT NULL CHECK (amount_minor > 0),
    currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    paid_from       text NOT NULL,
    spent_on        date NOT NULL,
    note            text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
    recurring_id    uuid,
    due_on          date,
    noted_by        text NOT NULL CHECK (length(noted_by) BETWEEN 1 AND 100),
    created_at      timestamptz NOT NULL,
    reversed_at     timestamptz,
    reversal_reason text CHECK (length(reversal_reason) BETWEEN 1 AND 200),
    PRIMARY KEY (tenant_id, id),
    -- Each period once, however often it is caught up.
    CONSTRAINT expense_period_unique UNIQUE (tenant_id, recurring_id, due_on),
    CONSTRAINT expense_period CHECK ((recurring_id IS NULL) = (due_on IS NULL)),
    CONSTRAINT expense_reversed CHECK ((reversed_at IS NULL) = (reversal_reason IS NULL)),
    FOREIGN KEY (tenant_id, account) REFERENCES account (tenant_id, code),
    FOREIGN KEY (tenant_id, paid_from) REFERENCES account (tenant_id, code),
    FOREIGN KEY (tenant_id, recurring_id) REFERENCES recurring_expense (tenant_id, id)
);
CREATE INDEX expense_account ON expense (tenant_id, account, id);
CREATE INDEX expense_paid_from ON expense (tenant_id, paid_from);
CREATE INDEX expense_day ON expense (tenant_id, spent_on);
SELECT internal.protect_tenant_table('expense');
GRANT SELECT, INSERT ON expense TO mastwire_app;
GRANT UPDATE (reversed_at, reversal_reason) ON expense TO mastwire_app;

ALTER TABLE ledger_journal ADD COLUMN expense_id uuid;
ALTER TABLE ledger_journal ADD CONSTRAINT ledger_journal_expense FOREIGN KEY (tenant_id, expense_id) REFERENCES expense (tenant_id, id);
CREATE INDEX ledger_journal_expense ON ledger_journal (tenant_id, expense_id);
CREATE UNIQUE INDEX ledger_journal_spent_once ON ledger_journal (tenant_id, expense_id) WHERE kind = 'expense';
