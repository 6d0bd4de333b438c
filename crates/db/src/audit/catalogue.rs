//! What the database's own catalogue says of its tables, keys, policies, grants, functions and roles, read once for all rules.

use sqlx::{FromRow, PgConnection};

/// A table, view, sequence or partition.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Relation {
    pub schema: String,
    pub name: String,
    /// As `pg_class.relkind`.
    pub kind: String,
    pub secured: bool,
    pub forced: bool,
    pub owner: String,
    /// For a partition, its table.
    pub parent: Option<String>,
    /// For a partition, its bounds as text.
    pub bounds: Option<String>,
    /// For a view, whether it runs with its reader's rights.
    pub invoker: bool,
    /// The column by which it is cut into partitions.
    pub cut_by: Option<String>,
}

/// A policy, once for each role it is for.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Policy {
    pub schema: String,
    pub table: String,
    pub name: String,
    /// Empty for PUBLIC.
    pub role: Option<String>,
    pub command: String,
    pub permissive: bool,
    pub using: Option<String>,
    pub check: Option<String>,
}

/// A column of a table of schema `public`.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Column {
    pub table: String,
    pub name: String,
    pub kind: String,
    pub not_null: bool,
    /// Whether a CHECK says what may lie in it, if it is a JSON column.
    pub shaped: bool,
}

/// An index of a table of schema `public`.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Index {
    pub table: String,
    /// The constraint's name where there is one.
    pub name: String,
    /// Columns or expressions, in their order.
    pub columns: Vec<String>,
    /// Whether it keeps rows apart: unique, or an exclusion.
    pub unique: bool,
    pub valid: bool,
    /// For a partial index, its condition.
    pub condition: Option<String>,
}

/// A foreign key of a table of schema `public`.
#[derive(Debug, Clone, FromRow)]
pub(super) struct ForeignKey {
    pub table: String,
    pub target: String,
    pub name: String,
    pub columns: Vec<String>,
    pub targets: Vec<String>,
    /// What happens on delete and on update, as `pg_constraint` has it: `aa` is nothing.
    pub actions: String,
    pub validated: bool,
    /// Whether the app role may read both sides.
    pub app_reads: bool,
}

/// A right that was given away.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Grant {
    /// `table`, `column`, `schema` or `function`.
    pub on: String,
    pub schema: String,
    pub name: String,
    pub column: Option<String>,
    /// Empty for PUBLIC.
    pub role: Option<String>,
    pub right: String,
}

/// A function of ours.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Function {
    pub schema: String,
    pub name: String,
    pub definer: bool,
    pub owner: String,
    /// Whether its search path is fixed.
    pub fixed: bool,
    pub trigger: bool,
}

/// A trigger of a table of schema `public` or of a partition.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Trigger {
    pub table: String,
    pub name: String,
    pub enabled: bool,
    /// Made by PostgreSQL itself, for a foreign key.
    pub internal: bool,
    /// Inherited by a partition from its table.
    pub inherited: bool,
}

/// A role of ours.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Role {
    pub name: String,
    pub superuser: bool,
    pub bypasses: bool,
    pub creates: bool,
    /// Roles whose rights it has besides its own.
    pub member_of: Vec<String>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub relations: Vec<Relation>,
    pub policies: Vec<Policy>,
    pub columns: Vec<Column>,
    pub indexes: Vec<Index>,
    pub foreign_keys: Vec<ForeignKey>,
    pub grants: Vec<Grant>,
    pub functions: Vec<Function>,
    pub triggers: Vec<Trigger>,
    pub roles: Vec<Role>,
    /// Enumerated types.
    pub enums: Vec<String>,
}

const RELATIONS: &str = "
    SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, c.relrowsecurity AS secured,
           c.relforcerowsecurity AS forced, pg_get_userbyid(c.relowner)::text AS owner,
           (SELECT p.relname::text FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid LIMIT 1) AS parent,
           pg_get_expr(c.relpartbound, c.oid) AS bounds, coalesce(c.reloptions::text LIKE '%security_invoker=true%'
               OR c.reloptions::text LIKE '%security_invoker=on%', false) AS invoker,
           (SELECT a.attname::text FROM pg_partitioned_table t JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = t.partattrs[0]
             WHERE t.partrelid = c.oid) AS cut_by
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'internal', 'months') AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
     ORDER BY 1, 2";

const POLICIES: &str = "
    SELECT n.nspname::text AS schema, c.relname::text AS table, p.polname::text AS name, r.rolname::text AS role,
           p.polcmd::text AS command, p.polpermissive AS permissive, pg_get_expr(p.polqual, p.polrelid) AS using,
           pg_get_expr(p.polwithcheck, p.polrelid) AS check
      FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN unnest(p.polroles) AS a (oid) LEFT JOIN pg_roles r ON r.oid = a.oid
     ORDER BY 1, 2, 3, 4";

const COLUMNS: &str = "
    SELECT c.relname::text AS table, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS kind, a.attnotnull AS not_null,
           EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated AND a.attnum = ANY (k.conkey)
                      AND pg_get_constraintdef(k.oid) ~ 'internal\\.(each_has|values_have|has)_shape\\(') AS shaped
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY 1, a.attnum";

const INDEXES: &str = "
    SELECT c.relname::text AS table, coalesce(k.conname, i.relname)::text AS name,
           ARRAY(SELECT pg_get_indexdef(x.indexrelid, n, true) FROM generate_series(1, x.indnkeyatts) AS n) AS columns,
           x.indisunique OR x.indisexclusion AS unique, x.indisvalid AS valid, pg_get_expr(x.indpred, x.indrelid) AS condition
      FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
      LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
     WHERE c.relnamespace = 'public'::regnamespace
     ORDER BY 1, 2";

// A foreign key's internal twins on partitions have a parent and say nothing new.
const FOREIGN_KEYS: &str = "
    SELECT c.relname::text AS table, r.relname::text AS target, k.conname::text AS name, s.columns, s.targets,
           k.confdeltype::text || k.confupdtype::text AS actions, k.convalidated AS validated,
           NOT EXISTS (SELECT FROM unnest(s.columns) AS u (name) WHERE NOT has_column_privilege('mastwire_app', c.oid, u.name, 'SELECT'))
               AND NOT EXISTS (SELECT FROM unnest(s.targets) AS u (name) WHERE NOT has_column_privilege('mastwire_app', r.oid, u.name, 'SELECT'))
               AS app_reads
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
     CROSS JOIN LATERAL (SELECT array_agg(a.attname::text ORDER BY u.o) AS columns, array_agg(b.attname::text ORDER BY u.o) AS targets
                           FROM unnest(k.conkey, k.confkey) WITH ORDINALITY u (here, there, o)
                           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.here
                           JOIN pg_attribute b ON b.attrelid = r.oid AND b.attnum = u.there) AS s
     WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relnamespace = 'public'::regnamespace
     ORDER BY 1, 3";

// Functions without a list of rights can be run by everybody; of all else the owner alone has the rights then.
const GRANTS: &str = "
    SELECT g.on, g.schema, g.name, g.column, r.rolname::text AS role, g.right
      FROM (SELECT 'table' AS on, n.nspname::text AS schema, c.relname::text AS name, NULL AS column, a.grantee, a.privilege_type AS right
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) a
            UNION ALL
            SELECT 'column', n.nspname::text, c.relname::text, t.attname::text, a.grantee, a.privilege_type
              FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             CROSS JOIN LATERAL aclexplode(t.attacl) a
            UNION ALL
            SELECT 'schema', n.nspname::text, n.nspname::text, NULL, a.grantee, a.privilege_type
              FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
            UNION ALL
            SELECT 'function', n.nspname::text, p.proname::text, NULL, a.grantee, a.privilege_type
              FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a) AS g
      LEFT JOIN pg_roles r ON r.oid = g.grantee
     WHERE g.schema IN ('public', 'internal', 'months') AND r.rolname IS DISTINCT FROM 'mastwire_owner'
       AND (r.rolname IS NULL OR r.rolname LIKE 'mastwire%')
     ORDER BY 1, 2, 3, 4, 5, 6";

// Extensions bring functions of their own.
const FUNCTIONS: &str = "
    SELECT n.nspname::text AS schema, p.proname::text AS name, p.prosecdef AS definer, pg_get_userbyid(p.proowner)::text AS owner,
           coalesce(p.proconfig::text LIKE '%search_path=%', false) AS fixed, p.prorettype = 'trigger'::regtype AS trigger
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname IN ('public', 'internal', 'months')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
     ORDER BY 1, 2";

const TRIGGERS: &str = "
    SELECT c.relname::text AS table, t.tgname::text AS name, t.tgenabled = 'O' AS enabled, t.tgisinternal AS internal,
           t.tgparentid <> 0 AS inherited
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'months') ORDER BY 1, 2";

const ROLES: &str = "
    SELECT r.rolname::text AS name, r.rolsuper AS superuser, r.rolbypassrls AS bypasses, r.rolcreaterole OR r.rolcreatedb AS creates,
           ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) AS member_of
      FROM pg_roles r WHERE r.rolname LIKE 'mastwire%' ORDER BY 1";

const ENUMS: &str = "
    SELECT t.typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE t.typtype = 'e' AND n.nspname IN ('public', 'internal', 'months') ORDER BY 1";

impl Catalogue {
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        Ok(Self {
            relations: sqlx::query_as(RELATIONS).fetch_all(&mut *connection).await?,
            policies: sqlx::query_as(POLICIES).fetch_all(&mut *connection).await?,
            columns: sqlx::query_as(COLUMNS).fetch_all(&mut *connection).await?,
            indexes: sqlx::query_as(INDEXES).fetch_all(&mut *connection).await?,
            foreign_keys: sqlx::query_as(FOREIGN_KEYS).fetch_all(&mut *connection).await?,
            grants: sqlx::query_as(GRANTS).fetch_all(&mut *connection).await?,
            functions: sqlx::query_as(FUNCTIONS).fetch_all(&mut *connection).await?,
            triggers: sqlx::query_as(TRIGGERS).fetch_all(&mut *connection).await?,
            roles: sqlx::query_as(ROLES).fetch_all(&mut *connection).await?,
            enums: sqlx::query_scalar(ENUMS).fetch_all(&mut *connection).await?,
        })
    }

    /// The tables of schema `public` as they are seen from outside: partitioned ones once, their months not at all.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Relation> {
        self.relations.iter().filter(|relation| relation.schema == "public" && matches!(relation.kind.as_str(), "r" | "p"))
    }

    /// The partitions, wherever they lie.
    pub(super) fn partitions(&self) -> impl Iterator<Item = &Relation> {
        self.relations.iter().filter(|relation| relation.parent.is_some() || relation.schema == "months")
    }

    pub(super) fn columns_of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Column> {
        self.columns.iter().filter(move |column| column.table == table)
    }
}
