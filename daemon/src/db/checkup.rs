//! The statements of the health checks and of `doctor`.

use super::Session;
use crate::error::Result;

/// The extension's version; no row if it is not installed in this database.
const EXTENSION: &str = "SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'sendgate'";

/// The server, this session, and its clock in seconds since 1970.
const SERVER: &str = "SELECT current_setting('server_version_num')::integer,
       current_setting('server_version'), session_user::text, pg_is_in_recovery(),
       (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = session_user),
       (SELECT s.ssl FROM pg_stat_ssl AS s WHERE s.pid = pg_backend_pid()),
       extract(epoch FROM clock_timestamp())::float8";

/// The version that an upgrade would bring.
const AVAILABLE: &str =
    "SELECT a.default_version FROM pg_available_extensions AS a WHERE a.name = 'sendgate'";

/// sendgate's roles: whether each exists, could log in, and is held by this session.
const ROLES: &str = "SELECT n.name, r.rolname IS NOT NULL, coalesce(r.rolcanlogin OR r.rolsuper, false),
       r.rolname IS NOT NULL AND pg_has_role(session_user, r.oid, 'USAGE')
FROM unnest(ARRAY['sendgate_owner', 'sendgate_sender', 'sendgate_reader', 'sendgate_operator',
                  'sendgate_daemon']) AS n (name)
LEFT JOIN pg_roles AS r ON r.rolname = n.name";

/// The functions that the daemon calls and this session may not. They are found by name and not by signature:
/// an argument that a later version adds is no missing grant.
const MISSING_GRANTS: &str = "SELECT n.name
FROM unnest(ARRAY['begin_run', 'record_run_failure', 'midnight_reset', 'audit_events',
                  'reconcile_operations', 'prune', 'take_breaker_lines', 'clock',
                  'register_webhook', 'take_notifications', 'settle_notification']) AS n (name)
WHERE NOT EXISTS (
    SELECT FROM pg_proc AS p
    JOIN pg_namespace AS s ON s.oid = p.pronamespace
    WHERE s.nspname = 'sendgate' AND p.proname = n.name AND has_function_privilege(p.oid, 'EXECUTE'))";

/// Grants to PUBLIC; there should be none.
const PUBLIC_GRANTS: &str = "SELECT x.name FROM (
    SELECT p.oid::regprocedure::text AS name, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
    FROM pg_proc AS p WHERE p.pronamespace = 'sendgate'::regnamespace
    UNION ALL
    SELECT c.oid::regclass::text, coalesce(c.relacl, acldefault('r', c.relowner))
    FROM pg_class AS c WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind IN ('r', 'v')
) AS x
WHERE EXISTS (SELECT FROM aclexplode(x.acl) AS a WHERE a.grantee = 0)
ORDER BY 1 LIMIT 5";

/// Loads the library, so that its settings are known.
const LOAD: &str = "SELECT sendgate.clock()::text";

/// Settings that differ from their defaults: sendgate's, and those of the server that protect data.
const SETTINGS: &str = "SELECT s.name, s.setting, s.boot_val, coalesce(s.unit, '')
FROM pg_settings AS s
WHERE (s.name LIKE 'sendgate.%' OR s.name IN ('fsync', 'full_page_writes', 'autovacuum'))
  AND s.setting IS DISTINCT FROM s.boot_val
ORDER BY s.name";

/// Whether the library was loaded with the server, and counts refusals.
const COUNTS_REFUSALS: &str = "SELECT EXISTS (SELECT FROM sendgate.refusal_counts())";

/// The server and this session.
#[derive(Clone, Debug)]
pub struct Server {
    /// As a number, such as 180006.
    pub version_number: i32,
    /// As text, such as 18.6.
    pub version: String,
    /// The login of this session.
    pub user: String,
    /// Whether it is a standby.
    pub is_standby: bool,
    /// Whether this session is a superuser's.
    pub is_superuser: bool,
    /// Whether this session uses TLS.
    pub tls: bool,
    /// Its clock, in seconds since 1970.
    pub clock_seconds: f64,
}

/// One of sendgate's roles.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub exists: bool,
    /// Whether it can log in or is a superuser, which it should not.
    pub is_too_strong: bool,
    /// Whether this session has its rights.
    pub is_ours: bool,
}

/// A setting that differs from its default.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Its default.
    pub default: String,
    /// The unit of both; empty if there is none.
    pub unit: String,
}

impl Session {
    /// The extension's version; none if it is not installed in this database.
    pub async fn extension_version(&self) -> Result<Option<String>> {
        let rows = self.rows("asking for the extension", EXTENSION, &[]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// The version that an upgrade would bring; none if its files are gone.
    pub async fn available_version(&self) -> Result<Option<String>> {
        let rows = self.rows("asking for versions", AVAILABLE, &[]).await?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    /// The server and this session.
    pub async fn server(&self) -> Result<Server> {
        let row = self.row("asking the server who it is", SERVER, &[]).await?;
        Ok(Server {
            version_number: row.get(0),
            version: row.get(1),
            user: row.get(2),
            is_standby: row.get(3),
            is_superuser: row.get(4),
            tls: row.get::<_, Option<bool>>(5).unwrap_or(false),
            clock_seconds: row.get(6),
        })
    }

    /// sendgate's roles.
    pub async fn roles(&self) -> Result<Vec<Role>> {
        let rows = self.rows("reading roles", ROLES, &[]).await?;
        let role = |row: &tokio_postgres::Row| Role {
            name: row.get(0),
            exists: row.get(1),
            is_too_strong: row.get(2),
            is_ours: row.get(3),
        };
        Ok(rows.iter().map(role).collect())
    }

    /// Functions that the daemon needs and this session may not call.
    pub async fn missing_grants(&self) -> Result<Vec<String>> {
        self.names("reading grants", MISSING_GRANTS).await
    }

    /// Up to five objects of sendgate with a grant to PUBLIC.
    pub async fn public_grants(&self) -> Result<Vec<String>> {
        self.names("reading grants to everybody", PUBLIC_GRANTS).await
    }

    /// Settings that differ from their defaults.
    pub async fn changed_settings(&self) -> Result<Vec<Setting>> {
        self.row("loading the library", LOAD, &[]).await?;
        let rows = self.rows("reading settings", SETTINGS, &[]).await?;
        let setting = |row: &tokio_postgres::Row| Setting {
            name: row.get(0),
            value: row.get(1),
            default: row.get::<_, Option<String>>(2).unwrap_or_default(),
            unit: row.get(3),
        };
        Ok(rows.iter().map(setting).collect())
    }

    /// Whether the server counts refusals.
    pub async fn counts_refusals(&self) -> Result<bool> {
        Ok(self.row("asking for refusals", COUNTS_REFUSALS, &[]).await?.get(0))
    }

    async fn names(&self, what: &'static str, sql: &str) -> Result<Vec<String>> {
        Ok(self.rows(what, sql, &[]).await?.iter().map(|row| row.get(0)).collect())
    }
}
