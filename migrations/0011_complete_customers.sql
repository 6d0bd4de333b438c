-- Customers in full: where they are, how they are reached, by which number they pay, and by what they were recognised in the past.

-- In which country a tenant's people write their telephone numbers. A time zone tells it, where the zone belongs to one country.
ALTER TABLE tenant ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$');
CREATE FUNCTION country_of_zone(zone text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT country FROM (VALUES
        ('Africa/Abidjan', 'CI'), ('Africa/Accra', 'GH'), ('Africa/Addis_Ababa', 'ET'), ('Africa/Algiers', 'DZ'), ('Africa/Asmara', 'ER'),
        ('Africa/Bamako', 'ML'), ('Africa/Bangui', 'CF'), ('Africa/Banjul', 'GM'), ('Africa/Bissau', 'GW'), ('Africa/Blantyre', 'MW'),
        ('Africa/Brazzaville', 'CG'), ('Africa/Bujumbura', 'BI'), ('Africa/Cairo', 'EG'), ('Africa/Casablanca', 'MA'),
        ('Africa/Conakry', 'GN'), ('Africa/Dakar', 'SN'), ('Africa/Dar_es_Salaam', 'TZ'), ('Africa/Djibouti', 'DJ'),
        ('Africa/Douala', 'CM'), ('Africa/Freetown', 'SL'), ('Africa/Gaborone', 'BW'), ('Africa/Harare', 'ZW'),
        ('Africa/Johannesburg', 'ZA'), ('Africa/Juba', 'SS'), ('Africa/Kampala', 'UG'), ('Africa/Khartoum', 'SD'), ('Africa/Kigali', 'RW'),
        ('Africa/Kinshasa', 'CD'), ('Africa/Lubumbashi', 'CD'), ('Africa/Lagos', 'NG'), ('Africa/Libreville', 'GA'), ('Africa/Lome', 'TG'),
        ('Africa/Luanda', 'AO'), ('Africa/Lusaka', 'ZM'), ('Africa/Malabo', 'GQ'), ('Africa/Maputo', 'MZ'), ('Africa/Maseru', 'LS'),
        ('Africa/Mbabane', 'SZ'), ('Africa/Mogadishu', 'SO'), ('Africa/Monrovia', 'LR'), ('Africa/Nairobi', 'KE'),
        ('Africa/Ndjamena', 'TD'), ('Africa/Niamey', 'NE'), ('Africa/Nouakchott', 'MR'), ('Africa/Ouagadougou', 'BF'),
        ('Africa/Porto-Novo', 'BJ'), ('Africa/Sao_Tome', 'ST'), ('Africa/Tripoli', 'LY'), ('Africa/Tunis', 'TN'), ('Africa/Windhoek', 'NA'),
        ('Atlantic/Cape_Verde', 'CV'), ('Indian/Antananarivo', 'MG'), ('Indian/Comoro', 'KM'), ('Indian/Mahe', 'SC'),
        ('Indian/Mauritius', 'MU'), ('Indian/Reunion', 'RE'),
        ('Asia/Dubai', 'AE'), ('Asia/Dhaka', 'BD'), ('Asia/Bahrain', 'BH'), ('Asia/Shanghai', 'CN'), ('Asia/Jakarta', 'ID'),
        ('Asia/Kolkata', 'IN'), ('Asia/Calcutta', 'IN'), ('Asia/Baghdad', 'IQ'), ('Asia/Amman', 'JO'), ('Asia/Kuwait', 'KW'),
        ('Asia/Beirut', 'LB'), ('Asia/Colombo', 'LK'), ('Asia/Kuala_Lumpur', 'MY'), ('Asia/Kathmandu', 'NP'), ('Asia/Muscat', 'OM'),
        ('Asia/Manila', 'PH'), ('Asia/Karachi', 'PK'), ('Asia/Qatar', 'QA'), ('Asia/Riyadh', 'SA'), ('Asia/Bangkok', 'TH'),
        ('Asia/Ho_Chi_Minh', 'VN'), ('Asia/Aden', 'YE'), ('Australia/Sydney', 'AU'), ('Pacific/Auckland', 'NZ'),
        ('America/Mexico_City', 'MX'), ('America/New_York', 'US'), ('America/Sao_Paulo', 'BR'), ('America/Toronto', 'CA'),
        ('Europe/Berlin', 'DE'), ('Europe/Brussels', 'BE'), ('Europe/Dublin', 'IE'), ('Europe/Istanbul', 'TR'), ('Europe/Lisbon', 'PT'),
        ('Europe/London', 'GB'), ('Europe/Madrid', 'ES'), ('Europe/Amsterdam', 'NL'), ('Europe/Paris', 'FR'), ('Europe/Rome', 'IT')
    ) AS known (zone, country) WHERE known.zone = $1
$$;
REVOKE ALL ON FUNCTION country_of_zone(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION country_of_zone(text) TO mastwire_platform;
-- An ISP says itself where its people telephone.
GRANT UPDATE (country) ON tenant TO mastwire_app;
UPDATE tenant SET country = country_of_zone(time_zone);

ALTER TABLE customer
    ADD COLUMN site_id        uuid,
    ADD COLUMN email          text NOT NULL DEFAULT '' CHECK (length(email) <= 254),
    ADD COLUMN language       text NOT NULL DEFAULT '' CHECK (language ~ '^([a-z]{2,3}(-[A-Z]{2})?)?$'),
    ADD COLUMN notes          text NOT NULL DEFAULT '' CHECK (length(notes) <= 2000),
    -- WGS 84, in degrees.
    ADD COLUMN latitude       double precision CHECK (latitude BETWEEN -90 AND 90),
    ADD COLUMN longitude      double precision CHECK (longitude BETWEEN -180 AND 180),
    -- Eight digits, the last by Luhn. Money that comes names it and nothing else, so it is one customer's in the whole system.
    ADD COLUMN account_number text,
    -- The name and its last word in small letters without accents, by which it is found.
    ADD COLUMN search_name    text COLLATE "C" NOT NULL DEFAULT '' CHECK (length(search_name) <= 100),
    ADD COLUMN search_last    text COLLATE "C" NOT NULL DEFAULT '' CHECK (length(search_last) <= 100),
    ADD COLUMN origin         text NOT NULL DEFAULT 'operator' CHECK (origin IN ('operator', 'import', 'voucher')),
    -- Raised by every change; who changes what they saw names it.
    ADD COLUMN version        bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    -- Since when the customer has the login, device and telephone that stand here. What they had before stands in customer_credential.
    ADD COLUMN login_since    timestamptz,
    ADD COLUMN mac_since      timestamptz,
    ADD COLUMN phone_since    timestamptz,
    ADD COLUMN terminated_at  timestamptz;

-- Who was there before. When those left is not known, so they count as gone since now; and their names are folded as far as this language
-- can, until they are next written.
UPDATE customer SET login_since = created_at,
    mac_since = CASE WHEN mac IS NOT NULL THEN created_at END,
    phone_since = CASE WHEN phone <> '' THEN created_at END,
    terminated_at = CASE WHEN status = 'terminated' THEN now() END,
    search_name = left(lower(regexp_replace(normalize(full_name, NFKD), '[\u0300-\u036f]', '', 'g')), 100),
    origin = CASE WHEN EXISTS (SELECT 1 FROM voucher v WHERE v.tenant_id = customer.tenant_id AND v.customer_id = customer.id
                                  AND v.redeemed_at = customer.created_at) THEN 'voucher' ELSE 'operator' END;
UPDATE customer SET search_last = coalesce(substring(search_name FROM ' ([^ ]+)$'), '');
DO $$
DECLARE
    someone record;
    digits text;
    total integer;
BEGIN
    FOR someone IN SELECT tenant_id, id FROM customer LOOP
        LOOP
            digits := (1000000 + floor(random() * 9000000))::bigint::text;
            SELECT sum(value / 10 + value % 10) INTO total
              FROM (SELECT substr(digits, place, 1)::int * CASE WHEN place % 2 = 1 THEN 2 ELSE 1 END AS value
                      FROM generate_series(1, 7) AS place) AS weighed;
            digits := digits || ((10 - total % 10) % 10)::text;
            EXIT WHEN NOT EXISTS (SELECT 1 FROM customer WHERE account_number = digits);
        END LOOP;
        UPDATE customer SET account_number = digits WHERE tenant_id = someone.tenant_id AND id = someone.id;
    END LOOP;
END $$;

ALTER TABLE customer
    ALTER COLUMN account_number SET NOT NULL,
    ALTER COLUMN login_since SET NOT NULL,
    ADD CONSTRAINT customer_account_digits CHECK (account_number ~ '^[1-9][0-9]{7}$'),
    ADD CONSTRAINT customer_account_unique UNIQUE (account_number),
    ADD CONSTRAINT customer_position CHECK ((latitude IS NULL) = (longitude IS NULL)),
    ADD CONSTRAINT customer_mac_since CHECK ((mac IS NULL) = (mac_since IS NULL)),
    ADD CONSTRAINT customer_phone_since CHECK ((phone = '') = (phone_since IS NULL)),
    ADD CONSTRAINT customer_terminated CHECK ((status = 'terminated') = (terminated_at IS NOT NULL)),
    ADD CONSTRAINT customer_site FOREIGN KEY (tenant_id, site_id) REFERENCES site (tenant_id, id);

-- One index for each way in which customers are looked for, each in the order of the list. Texts are in "C", where a beginning is a range.
DROP INDEX customer_router;
CREATE INDEX customer_router ON customer (tenant_id, router_id, id DESC);
CREATE INDEX customer_site ON customer (tenant_id, site_id, id DESC);
CREATE INDEX customer_status ON customer (tenant_id, status, id DESC);
CREATE INDEX customer_kind ON customer (tenant_id, kind, id DESC);
CREATE INDEX customer_login_begins ON customer (tenant_id, login COLLATE "C");
CREATE INDEX customer_phone_begins ON customer (tenant_id, phone COLLATE "C");
CREATE INDEX customer_mac ON customer (tenant_id, mac) WHERE mac IS NOT NULL;
CREATE INDEX customer_name_begins ON customer (tenant_id, search_name);
CREATE INDEX customer_last_name_begins ON customer (tenant_id, search_last);
CREATE INDEX customer_of_voucher ON customer (tenant_id, created_at) WHERE origin = 'voucher' AND status <> 'terminated';

-- What customers were recognised by in the past, and no longer are; what they are recognised by now stands on the customer alone.
CREATE TABLE customer_credential (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    customer_id uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('login', 'mac', 'phone')),
    value       text NOT NULL CHECK (length(value) BETWEEN 1 AND 64),
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    CONSTRAINT customer_credential_order CHECK (since <= until)
);
CREATE INDEX customer_credential_customer ON customer_credential (tenant_id, customer_id, id DESC);
CREATE INDEX customer_credential_value ON customer_credential (tenant_id, kind, value, since DESC);
SELECT internal.protect_tenant_table('customer_credential');
GRANT SELECT, INSERT ON customer_credential TO mastwire_app;

-- A file of customers that was taken in, or refused whole.
CREATE TABLE customer_import (
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    id         uuid NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
    file_hash  bytea NOT NULL CHECK (length(file_hash) = 32),
    file_bytes bigint NOT NULL CHECK (file_bytes >= 0),
    outcome    text NOT NULL CHECK (outcome IN ('written', 'refused')),
    rows_read  integer NOT NULL CHECK (rows_read >= 0),
    made       integer NOT NULL CHECK (made >= 0),
    known      integer NOT NULL CHECK (known >= 0),
    wrong      integer NOT NULL CHECK (wrong >= 0),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT customer_import_whole CHECK ((outcome = 'refused') = (wrong > 0) AND (outcome = 'written' OR made = 0))
);
CREATE INDEX customer_import_file ON customer_import (tenant_id, file_hash, id DESC);
SELECT internal.protect_tenant_table('customer_import');
GRANT SELECT, INSERT ON customer_import TO mastwire_app;
