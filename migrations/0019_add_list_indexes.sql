-- Indexes in the order of lists that had none.

-- The audit log by how an action begins: what is rare in a long log is found without reading the log. In collation "C" a beginning is a range.
CREATE INDEX audit_log_action ON audit_log (tenant_id, action COLLATE "C", id DESC);

-- A customer's payments in their list's order; it serves the foreign key as before.
DROP INDEX payment_customer;
CREATE INDEX payment_customer ON payment (tenant_id, customer_id, id DESC);
