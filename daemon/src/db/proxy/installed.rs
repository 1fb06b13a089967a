//! What a proxy has: the addresses of its partitions, its functions and views. Every login may ask; the catalog says it.

use std::collections::BTreeMap;

use super::catalog::Api;
use super::script::Contents;
use crate::config::target::keywords;
use crate::db::Session;
use crate::error::Result;

/// The version in the comment of its schema, if the script made this database a proxy.
const MADE_OF: &str = "SELECT (SELECT coalesce(obj_description(n.oid, 'pg_namespace'), '') FROM pg_namespace AS n
        WHERE n.nspname = 'sendgate' AND EXISTS (SELECT FROM pg_namespace AS o WHERE o.nspname = 'sendgate_proxy'))";

/// The addresses in order.
const ADDRESSES: &str = "SELECT o.option_value
FROM pg_foreign_server AS s
CROSS JOIN LATERAL pg_options_to_table(s.srvoptions) AS o
WHERE s.srvname = 'sendgate_sender' AND o.option_name ~ '^p[0-9]+$'
ORDER BY substr(o.option_name, 2)::integer";

/// Functions and views, as the script names them, with the roles that may use them; a view has no source and no arguments.
const OBJECTS: &str = "SELECT o.name, o.source, o.arguments, g.roles
FROM (
    SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || n.nspname || '.' || p.proname || '('
           || CASE p.prokind WHEN 'p' THEN pg_get_function_identity_arguments(p.oid) ELSE coalesce(
                  (SELECT string_agg(format_type(a.type, NULL), ', ' ORDER BY a.place)
                   FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, place)), '') END || ')' AS name,
           p.prosrc AS source, pg_get_function_arguments(p.oid) AS arguments, p.proacl AS acl, 'EXECUTE' AS privilege
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('sendgate', 'sendgate_proxy')
      AND NOT EXISTS (
          SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    UNION ALL
    SELECT 'VIEW sendgate.' || c.relname, NULL, NULL, c.relacl, 'SELECT'
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'sendgate' AND c.relkind = 'v') AS o
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(r.rolname::text ORDER BY r.rolname), '{}') AS roles
    FROM aclexplode(o.acl) AS a
    JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE a.privilege_type = o.privilege
      AND r.rolname IN ('sendgate_sender', 'sendgate_reader', 'sendgate_operator', 'sendgate_daemon')) AS g";

/// A function or view of a proxy, or one that it ought to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Its body; none of a view.
    pub source: Option<String>,
    /// Its arguments with their defaults, where they are those of a partition's function.
    pub arguments: Option<String>,
    /// The roles that may use it, by name.
    pub roles: Vec<String>,
}

/// Functions and views by `FUNCTION schema.name(types)`.
pub type Objects = BTreeMap<String, Object>;

/// What a proxy has.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The comment of its schema, which begins with the version.
    pub comment: String,
    /// Its partitions as `host:port/database`, in order.
    pub addresses: Vec<String>,
    /// Its functions and views.
    pub objects: Objects,
}

impl Session {
    /// What this proxy has; none if the database is no proxy.
    pub async fn installed(&self) -> Result<Option<Installed>> {
        let what = "asking the proxy what it has";
        let Some(comment) = self.row(what, MADE_OF, &[]).await?.get(0) else { return Ok(None) };
        let addresses = self.rows(what, ADDRESSES, &[]).await?;
        let addresses = addresses.iter().map(|row| address(row.get(0))).collect::<Result<_>>()?;
        let rows = self.rows(what, OBJECTS, &[]).await?;
        let object = |row: &tokio_postgres::Row| {
            let found = Object { source: row.get(1), arguments: row.get(2), roles: row.get(3) };
            (row.get(0), found)
        };
        Ok(Some(Installed { comment, addresses, objects: rows.iter().map(object).collect() }))
    }
}

/// `host:port/database` of libpq's string.
///
/// # Errors
///
/// [`Error::Usage`](crate::error::Error::Usage) if it is none.
pub fn address(connection: &str) -> Result<String> {
    let pairs = keywords(connection)?;
    let value =
        |wanted: &str| pairs.iter().find(|(key, _)| key == wanted).map_or("", |(_, value)| value.as_str());
    let host = if value("host").is_empty() { value("hostaddr") } else { value("host") };
    let port = if value("port").is_empty() { "5432" } else { value("port") };
    Ok(format!("{host}:{port}/{}", value("dbname")))
}

/// What a proxy ought to have.
pub fn wanted(api: &Api, contents: &Contents) -> Objects {
    let arguments = |object: &str| {
        let own = object.strip_prefix("FUNCTION sendgate.")?;
        let name = own.split('(').next()?.replace('"', "");
        api.functions.iter().find(|one| one.name == name).map(|one| one.arguments.clone())
    };
    let mut objects = Objects::new();
    for made in &contents.made {
        let mut roles: Vec<String> = contents
            .roles
            .iter()
            .find(|(object, _)| *object == made.object)
            .map(|(_, roles)| roles.clone())
            .unwrap_or_default();
        roles.sort();
        let object =
            Object { source: made.source().map(str::to_owned), arguments: arguments(&made.object), roles };
        objects.insert(made.object.replace('"', ""), object);
    }
    objects
}

/// The differences between what a proxy ought to have and what it has, in words.
pub fn differences(wanted: &Objects, found: &Objects) -> Vec<String> {
    let mut told = Vec::new();
    for (name, want) in wanted {
        let Some(has) = found.get(name) else {
            told.push(format!("it has no {name}"));
            continue;
        };
        let has_other_arguments = want.arguments.is_some() && want.arguments != has.arguments;
        if want.source != has.source || has_other_arguments {
            told.push(format!("its {name} is of another version, or was changed by hand"));
        } else if want.roles != has.roles {
            let list = |roles: &[String]| match roles {
                [] => "no role".to_owned(),
                roles => roles.join(", "),
            };
            told.push(format!(
                "its {name} may be used by {}, on the partitions by {}",
                list(&has.roles),
                list(&want.roles)
            ));
        }
    }
    for name in found.keys().filter(|name| !wanted.contains_key(*name)) {
        told.push(format!("it has {name}, which the partitions do not have"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(given: &[(&str, &str, &[&str])]) -> Objects {
        let object = |(name, source, roles): &(&str, &str, &[&str])| {
            let object = Object {
                source: Some((*source).to_owned()),
                arguments: None,
                roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            };
            ((*name).to_owned(), object)
        };
        given.iter().map(object).collect()
    }

    #[test]
    fn what_is_missing_changed_granted_otherwise_or_left_over_is_told() {
        let wanted = objects(&[("a", "1", &["r"]), ("b", "1", &["r"]), ("c", "1", &["r"]), ("d", "1", &[])]);
        let found = objects(&[("b", "2", &["r"]), ("c", "1", &[]), ("d", "1", &[]), ("e", "1", &[])]);
        assert_eq!(
            differences(&wanted, &found),
            [
                "it has no a",
                "its b is of another version, or was changed by hand",
                "its c may be used by no role, on the partitions by r",
                "it has e, which the partitions do not have",
            ]
        );
        assert!(differences(&wanted, &wanted).is_empty());
    }

    #[test]
    fn an_address_is_the_same_however_the_rest_of_the_string_is() {
        let text = "host='db1' port='5433' dbname='p0' sslmode='disable' options='-c role=sendgate_sender'";
        assert_eq!(address(text).expect("an address"), "db1:5433/p0");
        assert_eq!(address("hostaddr=10.0.0.1 dbname=p1").expect("an address"), "10.0.0.1:5432/p1");
    }
}
