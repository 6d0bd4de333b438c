-- Run once by a PostgreSQL superuser, connected to the database that Mastwire is to use. The private PostgreSQL runs it by itself.
-- mastwire_owner owns the tables and is used only to migrate; mastwire_app serves one tenant at a time; mastwire_platform does the declared
-- cross-tenant work. None of them may bypass row-level security. For a server of your own, give all three the password in
-- MASTWIRE_DATABASE_URL:  ALTER ROLE mastwire_owner PASSWORD '…';  and so on.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['mastwire_owner', 'mastwire_app', 'mastwire_platform'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', wanted);
        END IF;
    END LOOP;
END $$;
-- Limits stand on the role, so that a dropped future cannot leave a statement or a transaction behind.
ALTER ROLE mastwire_app SET statement_timeout = '30s';
ALTER ROLE mastwire_app SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE mastwire_platform SET statement_timeout = '30s';
ALTER ROLE mastwire_platform SET idle_in_transaction_session_timeout = '60s';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO mastwire_owner;
GRANT USAGE ON SCHEMA public TO mastwire_app, mastwire_platform;
DO $$ BEGIN EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO mastwire_owner', current_database()); END $$;
