-- What messages cost and whether they arrived, as the services that carry them say.

-- Where a gateway's service reports what became of messages: whoever knows the address may report for this gateway, and nothing else.
CREATE TABLE report_address (
    tenant_id  uuid NOT NULL,
    gateway_id uuid NOT NULL,
    key_hash   bytea NOT NULL CHECK (length(key_hash) = 32),
    made_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, gateway_id),
    CONSTRAINT report_address_key_unique UNIQUE (key_hash),
    FOREIGN KEY (tenant_id, gateway_id) REFERENCES gateway (tenant_id, id)
);
SELECT internal.protect_tenant_table('report_address');
SELECT internal.admit_platform('report_address');
GRANT SELECT, INSERT, DELETE ON report_address TO mastwire_app;
GRANT UPDATE (key_hash, made_at) ON report_address TO mastwire_app;
-- Whose a report is.
GRANT SELECT (tenant_id, gateway_id, key_hash) ON report_address TO mastwire_platform;

-- Millionths of a unit of the currency: a message may cost less than the smallest coin.
ALTER TABLE message ADD COLUMN cost_micros bigint CHECK (cost_micros >= 0);
ALTER TABLE message ADD COLUMN cost_currency text CHECK (cost_currency ~ '^[A-Z]{3}$');
-- What the service said of a message that it had taken. Its state is what we know of our own doing.
ALTER TABLE message ADD COLUMN delivery text CHECK (delivery IN ('delivered', 'undelivered'));
ALTER TABLE message ADD COLUMN delivery_reason text CHECK (length(delivery_reason) BETWEEN 1 AND 300);
ALTER TABLE message ADD COLUMN delivery_at timestamptz;
ALTER TABLE message ADD CONSTRAINT message_cost CHECK ((cost_micros IS NULL) = (cost_currency IS NULL));
ALTER TABLE message ADD CONSTRAINT message_delivery
    CHECK ((delivery IS NULL) = (delivery_at IS NULL) AND (delivery_reason IS NULL OR delivery = 'undelivered') AND (delivery IS NULL OR state = 'sent'));
GRANT UPDATE (cost_micros, cost_currency, delivery, delivery_reason, delivery_at) ON message TO mastwire_app;
-- A report names the message as the service does.
DROP INDEX message_gateway;
CREATE INDEX message_gateway ON message (tenant_id, gateway_id, provider_ref);
