//! What a partition says of itself: who it is, and the API as its catalog has it.

use serde::Deserialize;
use tokio_postgres::types::Type;

use crate::db::Session;
use crate::error::Result;

/// Which database it is: the extension's version, the server's identifier, the database's oid and name.
const IDENTITY: &str =
    "SELECT e.extversion, (SELECT s.system_identifier::text FROM pg_control_system() AS s),
       d.oid::bigint, d.datname::text
FROM pg_database AS d
LEFT JOIN pg_extension AS e ON e.extname = 'sendgate'
WHERE d.datname = current_database()";

/// The functions of the extension that a role of sendgate may call.
const FUNCTIONS: &str = "SELECT jsonb_build_object(
    'name', p.proname,
    'kind', p.prokind::text,
    'identity', pg_get_function_identity_arguments(p.oid),
    'arguments', pg_get_function_arguments(p.oid),
    'result', coalesce(pg_get_function_result(p.oid), ''),
    'result_type', format_type(p.prorettype, NULL),
    'returns_set', p.proretset,
    'inputs', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'name', coalesce(p.proargnames[a.place], ''), 'type', format_type(a.type, NULL))
               ORDER BY a.place), '[]')
        FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, place)),
    'outputs', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'name', p.proargnames[a.place], 'type', format_type(a.type, NULL)) ORDER BY a.place), '[]')
        FROM unnest(p.proallargtypes) WITH ORDINALITY AS a (type, place)
        WHERE p.proargmodes[a.place] IN ('o', 't')),
    'columns', (
        SELECT coalesce(jsonb_agg(a.attname ORDER BY a.attnum), '[]')
        FROM pg_type AS t
        JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.oid = p.prorettype AND t.typrelid <> 0),
    'comment', coalesce(obj_description(p.oid, 'pg_proc'), ''),
    'roles', g.roles)
FROM pg_proc AS p
JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'sendgate'
CROSS JOIN LATERAL (
    SELECT jsonb_agg(r.rolname ORDER BY r.rolname) AS roles
    FROM aclexplode(p.proacl) AS a
    JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE a.privilege_type = 'EXECUTE'
      AND r.rolname IN ('sendgate_sender', 'sendgate_reader', 'sendgate_operator', 'sendgate_daemon')) AS g
WHERE p.pronamespace = 'sendgate'::regnamespace AND g.roles IS NOT NULL
ORDER BY p.proname, 1::text";

/// The relations of the extension that a role of sendgate may read.
const RELATIONS: &str = "SELECT jsonb_build_object(
    'name', c.relname,
    'comment', coalesce(obj_description(c.oid, 'pg_class'), ''),
    'columns', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'name', a.attname,
                   'type', format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, NULL),
                   'comment', coalesce(col_description(c.oid, a.attnum), '')) ORDER BY a.attnum), '[]')
        FROM pg_attribute AS a
        JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'roles', g.roles)
FROM pg_class AS c
JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'sendgate'
CROSS JOIN LATERAL (
    SELECT jsonb_agg(r.rolname ORDER BY r.rolname) AS roles
    FROM aclexplode(c.relacl) AS a
    JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE a.privilege_type = 'SELECT'
      AND r.rolname IN ('sendgate_sender', 'sendgate_reader', 'sendgate_operator', 'sendgate_daemon')) AS g
WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind IN ('r', 'v') AND g.roles IS NOT NULL
ORDER BY c.relname";

/// The composite types.
const TYPES: &str = "SELECT jsonb_build_object(
    'name', t.typname,
    'comment', coalesce(obj_description(t.oid, 'pg_type'), ''),
    'columns', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'name', a.attname,
                   'type', format_type(a.atttypid, NULL),
                   'comment', coalesce(col_description(c.oid, a.attnum), '')) ORDER BY a.attnum), '[]')
        FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_type AS t
JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'c'
WHERE t.typnamespace = 'sendgate'::regnamespace
ORDER BY t.typname";

/// Of the proxy's login: whether it is there, which roles it lacks, and whether the logs believe it about who acts.
const LOGIN: &str = "SELECT r.rolname IS NOT NULL,
       (SELECT coalesce(array_agg(n.name), '{}') FROM unnest($2::text[]) AS n (name)
        WHERE r.rolname IS NULL OR NOT pg_has_role(r.oid, n.name, 'MEMBER')),
       coalesce((
           WITH RECURSIVE held (oid) AS (
               SELECT r.oid
               UNION
               SELECT m.roleid FROM pg_auth_members AS m JOIN held AS h ON h.oid = m.member)
           SELECT true FROM held AS h WHERE h.oid = to_regrole('sendgate_daemon')::oid), false)
FROM (SELECT 1) AS one
LEFT JOIN pg_roles AS r ON r.rolname = $1";

/// Accounts that the hash sends to another partition, and where to. The hash is the one of `place` on the proxy.
const MISPLACED: &str = "SELECT a.id::text, x.place
FROM sendgate.linkedin_accounts AS a
CROSS JOIN LATERAL (SELECT sha256(convert_to(a.id, 'UTF8')) AS hash OFFSET 0) AS h
CROSS JOIN LATERAL (
    SELECT ((get_byte(h.hash, 0) << 8) | get_byte(h.hash, 1)) & ($1 - 1) AS place OFFSET 0) AS x
WHERE x.place <> $2
ORDER BY a.id
LIMIT 10";

/// Which of these accounts are here.
const PRESENT: &str = "SELECT a.id::text FROM sendgate.linkedin_accounts AS a WHERE a.id = ANY ($1::text[])";

/// Which database a partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The extension's version; none if it is not installed.
    pub version: Option<String>,
    /// The server's identifier: standbys have that of their primary.
    pub system_identifier: String,
    /// The database's oid.
    pub oid: i64,
    /// The database's name.
    pub name: String,
}

/// A name and a type.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// The type, as SQL writes it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its comment; empty without one.
    #[serde(default)]
    pub comment: String,
}

/// A function or procedure.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// `f`, or `p` for a procedure.
    pub kind: String,
    /// The arguments that tell it from others of its name.
    pub identity: String,
    /// All arguments with their defaults.
    pub arguments: String,
    /// The result, as SQL writes it.
    pub result: String,
    /// The type of the result, or of its rows.
    pub result_type: String,
    /// Whether it answers with rows.
    pub returns_set: bool,
    /// The arguments that a call passes.
    pub inputs: Vec<Field>,
    /// The columns of the result that are arguments.
    pub outputs: Vec<Field>,
    /// The columns of the result where its type is one of rows.
    pub columns: Vec<String>,
    /// Its comment.
    pub comment: String,
    /// The roles that may call it.
    pub roles: Vec<String>,
}

/// A table or view.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// Its comment.
    pub comment: String,
    /// Its columns; domains are their base types.
    pub columns: Vec<Field>,
    /// The roles that may read it.
    pub roles: Vec<String>,
}

/// A composite type.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Composite {
    /// Its name.
    pub name: String,
    /// Its comment.
    pub comment: String,
    /// Its columns.
    pub columns: Vec<Field>,
}

/// The whole API of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The functions and procedures.
    pub functions: Vec<Function>,
    /// The views, and the tables that may be read.
    pub relations: Vec<Relation>,
    /// The types that functions answer with.
    pub types: Vec<Composite>,
}

/// What a partition says of the login under which a proxy connects.
#[derive(Clone, Debug)]
pub struct Login {
    /// Whether it exists.
    pub exists: bool,
    /// The roles that it should have and has not.
    pub lacks: Vec<String>,
    /// Whether the logs believe it about who acts.
    pub speaks_for_others: bool,
}

impl Session {
    /// Which database this is.
    pub async fn partition(&self) -> Result<Identity> {
        let row = self.row("asking a partition who it is", IDENTITY, &[]).await?;
        Ok(Identity { version: row.get(0), system_identifier: row.get(1), oid: row.get(2), name: row.get(3) })
    }

    /// The API as the catalog has it.
    pub async fn api(&self) -> Result<Api> {
        let functions: Vec<Function> = self.objects("reading the functions", FUNCTIONS, &[]).await?;
        let mut types: Vec<Composite> = self.objects("reading the types", TYPES, &[]).await?;
        types.retain(|kind| functions.iter().any(|f| f.result_type == format!("sendgate.{}", kind.name)));
        let relations = self.objects("reading the views", RELATIONS, &[]).await?;
        Ok(Api { functions, relations, types })
    }

    /// What this partition says of a login, and of the roles that it should have.
    pub async fn login(&self, name: &str, roles: &[&str]) -> Result<Login> {
        let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
            &[(&name, Type::TEXT), (&roles, Type::TEXT_ARRAY)];
        let row = self.row("asking for the proxy's login", LOGIN, parameters).await?;
        Ok(Login { exists: row.get(0), lacks: row.get(1), speaks_for_others: row.get(2) })
    }

    /// Up to ten accounts of this partition that belong to another one, with its number.
    pub async fn misplaced(&self, partitions: i32, this: i32) -> Result<Vec<(String, i32)>> {
        let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
            &[(&partitions, Type::INT4), (&this, Type::INT4)];
        let rows = self.rows("looking where the accounts are", MISPLACED, parameters).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Which of these accounts are on this partition.
    pub async fn present(&self, accounts: &[String]) -> Result<Vec<String>> {
        let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
            &[(&accounts, Type::TEXT_ARRAY)];
        let rows = self.rows("looking for accounts", PRESENT, parameters).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
