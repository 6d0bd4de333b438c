-- What lies in a JSON column is checked by the database too: the code types it, but a statement typed by hand or a program of another
-- version goes past the code. Rule `json-shapes` of the audit finds a column that nothing checks.

-- The bodies are parsed here and now (RETURN): those who write rows have no way into schema internal to find the names in them.

-- Says whether a value is an object of these fields, each of one of the given types of jsonb_typeof: {"name": "string", "pool": "string|null"}.
-- A field of which null is a type may be left out. Fields that `*` speaks for may be there under any name, of its types or, where it says
-- `any`, of whatever they are.
CREATE FUNCTION internal.has_shape(given jsonb, shape jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog
    RETURN jsonb_typeof(given) = 'object'
       AND NOT EXISTS (SELECT FROM jsonb_each(CASE jsonb_typeof(given) WHEN 'object' THEN given ELSE '{}' END) f
                        CROSS JOIN LATERAL (SELECT coalesce(shape ->> f.key, shape ->> '*', '') AS kinds) s
                        WHERE s.kinds <> 'any' AND NOT jsonb_typeof(f.value) = ANY (string_to_array(s.kinds, '|')))
       AND NOT EXISTS (SELECT FROM jsonb_each_text(shape) s
                        WHERE s.key <> '*' AND s.value <> 'any' AND NOT 'null' = ANY (string_to_array(s.value, '|')) AND NOT given ? s.key);

-- The same of every element of a list.
CREATE FUNCTION internal.each_has_shape(given jsonb, shape jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog
    RETURN jsonb_typeof(given) = 'array'
       AND NOT EXISTS (SELECT FROM jsonb_array_elements(CASE jsonb_typeof(given) WHEN 'array' THEN given ELSE '[]' END) e
                        WHERE NOT internal.has_shape(e, shape));

-- And of every value of an object whose names are anything.
CREATE FUNCTION internal.values_have_shape(given jsonb, shape jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog
    RETURN jsonb_typeof(given) = 'object'
       AND NOT EXISTS (SELECT FROM jsonb_each(CASE jsonb_typeof(given) WHEN 'object' THEN given ELSE '{}' END) f
                        WHERE NOT internal.has_shape(f.value, shape));

-- Rows that are there already are looked at too: what was written by the code has these shapes.
ALTER TABLE router
    ADD CONSTRAINT router_services_chosen_shape CHECK (internal.each_has_shape(services_chosen, '{"kind": "string", "*": "any"}')),
    ADD CONSTRAINT router_services_shape CHECK (internal.each_has_shape(services, '{"kind": "string", "*": "any"}'));
ALTER TABLE change_set
    ADD CONSTRAINT change_set_changes_shape
        CHECK (internal.has_shape(changes, '{"changes": "array", "kicks": "array", "findings": "array", "*": "any"}')),
    ADD CONSTRAINT change_set_timing_shape CHECK (internal.has_shape(timing_us, '{"*": "number"}'));
ALTER TABLE package ADD CONSTRAINT package_burst_shape CHECK (internal.has_shape(burst, '{"download_bps": "number",
    "upload_bps": "number", "download_threshold_bps": "number", "upload_threshold_bps": "number", "seconds": "number"}'));
ALTER TABLE package_version ADD CONSTRAINT package_version_burst_shape CHECK (internal.has_shape(burst, '{"download_bps": "number",
    "upload_bps": "number", "download_threshold_bps": "number", "upload_threshold_bps": "number", "seconds": "number"}'));
-- An answer of any operation, as it was given.
ALTER TABLE idempotency_key ADD CONSTRAINT idempotency_key_response_shape
    CHECK (jsonb_typeof(response) = 'null' OR internal.has_shape(response, '{"*": "any"}') OR internal.each_has_shape(response, '{"*": "any"}'));
ALTER TABLE tenant_usage ADD CONSTRAINT tenant_usage_tables_shape
    CHECK (internal.values_have_shape(tables, '{"rows": "number", "bytes": "number"}'));
-- A setting that is not named here is judged by the code alone, until the migration that names it.
ALTER TABLE tenant_settings ADD CONSTRAINT tenant_settings_settings_shape CHECK (internal.has_shape(settings,
    '{"branding": "object|null", "quiet_hours": "object|null", "late_renewal": "object|string|null", "invoices": "object|null", "on_expiry": "object|null", "*": "any"}'));
ALTER TABLE purge_certificate ADD CONSTRAINT purge_certificate_tables_shape
    CHECK (internal.values_have_shape(tables, '{"rows": "number", "sha256": "string"}'));
ALTER TABLE diagnosis ADD CONSTRAINT diagnosis_steps_shape
    CHECK (internal.each_has_shape(steps, '{"name": "string", "status": "string", "summary": "string", "details": "any"}'));
ALTER TABLE work_entry ADD CONSTRAINT work_entry_materials_shape
    CHECK (internal.each_has_shape(materials, '{"name": "string", "milli": "number", "unit": "string"}'));
ALTER TABLE restore_row
    ADD CONSTRAINT restore_row_body_shape CHECK (internal.has_shape(body, '{"*": "any"}')),
    ADD CONSTRAINT restore_row_changes_shape CHECK (internal.has_shape(changes, '{"*": "any"}'));
ALTER TABLE audit_log ADD CONSTRAINT audit_log_details_shape
    CHECK (internal.has_shape(details, '{"*": "any"}') OR internal.each_has_shape(details, '{"*": "any"}'));
