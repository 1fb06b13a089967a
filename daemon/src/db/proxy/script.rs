//! The script that makes a database a proxy.

use super::address::{ProxyOptions, connection};
use super::catalog::Api;
use super::function::{self, Made};
use super::relation;
use super::rules;
use super::text::literal;
use crate::config::target::Target;
use crate::error::{Error, Result};

/// The roles under which partitions are asked; each has a foreign server of its name.
pub const ASKED_AS: [&str; 3] = ["sendgate_sender", "sendgate_reader", "sendgate_operator"];
/// The roles that may be granted something.
const ROLES: &str = "sendgate_sender, sendgate_reader, sendgate_operator, sendgate_daemon";

/// What the script is about.
#[derive(Debug)]
pub struct Proxy<'a> {
    /// The partitions, in order.
    pub partitions: Vec<&'a Target>,
    /// The extension's version on all of them.
    pub version: String,
    /// Their API.
    pub api: Api,
    /// The login under which the proxy connects.
    pub user: String,
    /// Options of its connections.
    pub options: ProxyOptions,
}

impl Proxy<'_> {
    /// The whole script.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a function has no rule, or a name could be taken for something else.
    pub fn script(&self) -> Result<String> {
        let Contents { made, after, .. } = contents(&self.api, &self.version, self.partitions.len())?;
        check_names(&self.api)?;
        let types: Vec<_> = self.api.types.iter().map(relation::composite).collect();
        let grants: Vec<_> = self
            .api
            .types
            .iter()
            .map(|kind| format!("REVOKE ALL ON TYPE sendgate.{0} FROM PUBLIC;\nGRANT USAGE ON TYPE sendgate.{0} TO {ROLES};\nALTER TYPE sendgate.{0} OWNER TO sendgate_owner;", kind.name))
            .collect();
        let statements: Vec<_> = made.iter().map(|one| one.statement.as_str()).collect();
        Ok([
            self.header(),
            PREPARE.replace("$partitions$", &self.partitions.len().to_string()),
            self.servers(),
            drop_stale(&made),
            types.join("\n"),
            statements.join("\n\n"),
            remember(&made),
            OWN.to_owned(),
            grants.join("\n"),
            after.join("\n"),
            format!(
                "COMMENT ON SCHEMA sendgate IS {};",
                literal(&format!(
                    "sendgate {} behind a proxy: every call goes to the partition of its account.",
                    self.version
                ))
            ),
            "COMMIT;\n".to_owned(),
        ]
        .join("\n\n"))
    }

    fn header(&self) -> String {
        format!(
            "-- Makes this database a proxy in front of {} partitions with sendgate {}, or brings it up to that version.
-- Made by sendgated proxy-sql; sql/recipes/plproxy.md explains it. Run it as a superuser:
--     psql -v ON_ERROR_STOP=1 -f FILE DATABASE",
            self.partitions.len(),
            self.version
        )
    }

    /// A foreign server for each role, and the login behind it.
    fn servers(&self) -> String {
        let server = |role: &&str| {
            let mut options = self.options.of_servers.clone();
            for (n, target) in self.partitions.iter().enumerate() {
                options.push((format!("p{n}"), connection(target, role, &self.options)));
            }
            let pairs: Vec<_> = options
                .iter()
                .map(|(key, value)| format!("    ({}, {})", literal(key), literal(value)))
                .collect();
            SERVER
                .replace("$role$", role)
                .replace("$user$", &literal(&self.user))
                .replace("$options$", &pairs.join(",\n"))
        };
        ASKED_AS.iter().map(server).collect::<Vec<_>>().join("\n\n")
    }
}

/// The objects that the script makes, and what follows them.
#[derive(Debug)]
pub struct Contents {
    /// The functions and views, in order.
    pub made: Vec<Made>,
    /// The roles that may use each of them; one that is not among these is for the others alone.
    pub roles: Vec<(String, Vec<String>)>,
    /// Comments and grants.
    after: Vec<String>,
}

/// What the script makes of an API.
///
/// # Errors
///
/// [`Error::Usage`] if a function has no rule.
pub fn contents(api: &Api, version: &str, partitions: usize) -> Result<Contents> {
    let mut made = helpers(partitions);
    let (mut roles, mut after) = (Vec::new(), Vec::new());
    // Views come first: functions answer with their rows.
    for found in &api.relations {
        if rules::OF_ONE_PARTITION.contains(&found.name.as_str()) {
            continue;
        }
        let [rows, view] = relation::make(found);
        let granted = found.roles.join(", ");
        after.push(format!(
            "COMMENT ON {} IS {};",
            rows.object,
            literal(&format!(
                "The rows of the view {} on all partitions, or of one account on its own.",
                found.name
            ))
        ));
        after.push(format!("GRANT EXECUTE ON {} TO {granted};", rows.object));
        after.push(format!("GRANT SELECT ON {} TO {granted};", view.object.trim_start_matches("VIEW ")));
        after.extend(relation::comments(found));
        roles.extend([&rows, &view].map(|one| (one.object.clone(), found.roles.clone())));
        made.extend([rows, view]);
    }
    for function in &api.functions {
        let Some(rule) = rules::of(&function.name) else {
            return Err(Error::Usage(format!(
                "the partitions are sendgate {version}, whose function {} this sendgated does not know; take the sendgated of that version",
                function.name
            )));
        };
        if let Some(argument) = rule.argument()
            && !function.inputs.iter().any(|input| input.name == argument)
        {
            return Err(Error::Usage(format!(
                "the function {} of sendgate {version} has no argument {argument}; take the sendgated of that version",
                function.name
            )));
        }
        let mut parts = function::make(function, rule);
        // It is made anew where the rows that it answers with are.
        if let Some(rows) =
            api.relations.iter().find(|one| function.result_type == format!("sendgate.{}", one.name))
            && let Some(own) = parts.last_mut()
        {
            own.signature +=
                &format!(" of {:?}", rows.columns.iter().map(|one| &one.name).collect::<Vec<_>>());
        }
        let object = parts.last().map(|one| one.object.clone()).unwrap_or_default();
        made.extend(parts);
        after.push(format!("COMMENT ON {object} IS {};", literal(&function.comment)));
        after.push(format!("GRANT EXECUTE ON {object} TO {};", function.roles.join(", ")));
        roles.push((object, function.roles.clone()));
    }
    Ok(Contents { made, roles, after })
}

/// Every name that the script writes without quotes is a plain one.
fn check_names(api: &Api) -> Result<()> {
    let is_plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let functions = api.functions.iter().flat_map(|f| {
        let arguments = f.inputs.iter().chain(&f.outputs).map(|field| &field.name);
        std::iter::once(&f.name).chain(arguments)
    });
    let relations =
        api.relations.iter().flat_map(|r| std::iter::once(&r.name).chain(r.columns.iter().map(|c| &c.name)));
    let types =
        api.types.iter().flat_map(|t| std::iter::once(&t.name).chain(t.columns.iter().map(|c| &c.name)));
    // Arguments without a name are those of trigger checks, which are refused.
    match functions.chain(relations).chain(types).find(|text| !text.is_empty() && !is_plain(text)) {
        Some(text) => Err(Error::Usage(format!(
            "the partitions have an object named {text:?}, which is none of sendgate's"
        ))),
        None => Ok(()),
    }
}

/// The functions that all others use.
fn helpers(partitions: usize) -> Vec<Made> {
    let helper = |object: &str, result: &str, how: &str, body: &str| {
        let signature = format!(" RETURNS {result}");
        let (kind, types) = object.split_once('(').unwrap_or((object, ""));
        let only_types: Vec<_> = types
            .trim_end_matches(')')
            .split(", ")
            .map(|one| one.split_once(' ').map_or(one, |(_, kind)| kind))
            .collect();
        Made {
            object: format!("FUNCTION {kind}({})", only_types.join(", ")),
            statement: format!(
                "CREATE OR REPLACE FUNCTION {object}{signature}\n{how}\nAS $proxy$\n{body}\n$proxy$;"
            ),
            signature: format!("{object}{signature}"),
        }
    };
    let mask = partitions - 1;
    let byte = |n: u8| {
        let hash = "pg_catalog.sha256(pg_catalog.convert_to(coalesce(account_id, ''), 'UTF8'))";
        format!("pg_catalog.get_byte({hash}, {n})")
    };
    // The hash's first two bytes as a number. The second one alone tells up to 256 partitions apart, and is hashed for once.
    let [and, or, shift] = ["&", "|", "<<"].map(|one| format!("OPERATOR(pg_catalog.{one})"));
    let hash = if mask < 256 { byte(1) } else { format!("(({} {shift} 8) {or} {})", byte(0), byte(1)) };
    vec![
        helper(
            "sendgate_proxy.place(account_id text)",
            // It answers with rows, always one, and has an expression without FROM: PL/Proxy reads FROM what stands after
            // RUN ON, and the planner puts such a function in place of the call. The caller's path is in force.
            "SETOF integer",
            "LANGUAGE sql\nSTABLE PARALLEL SAFE ROWS 1",
            &format!("    SELECT {hash} {and} {mask};"),
        ),
        helper(
            "sendgate_proxy.place_of_dispatch(account_id text, request_id uuid)",
            "integer",
            "LANGUAGE sql\nVOLATILE",
            "    SELECT sendgate_proxy.place(coalesce(account_id, request_id::pg_catalog.text, pg_catalog.gen_random_uuid()::pg_catalog.text));",
        ),
        helper(
            "sendgate_proxy.places(account_id text)",
            "SETOF integer",
            "LANGUAGE sql\nSTABLE",
            &format!(
                "    SELECT sendgate_proxy.place(account_id) WHERE account_id <> '*'\n    UNION ALL\n    SELECT p FROM pg_catalog.generate_series(0, {mask}) AS p WHERE account_id IS NULL OR account_id = '*';"
            ),
        ),
        helper(
            "sendgate_proxy.report(called text, asked integer, faults jsonb[], unknown text)",
            "void",
            "LANGUAGE plpgsql",
            REPORT,
        ),
    ]
}

/// Drops what an earlier version made and `CREATE OR REPLACE` cannot change.
fn drop_stale(made: &[Made]) -> String {
    format!(
        "DO $stale$
DECLARE
    object text;
BEGIN
    FOR object IN
        SELECT m.object FROM sendgate_proxy.made AS m
        WHERE NOT EXISTS (
            SELECT FROM (VALUES
{}
            ) AS n (object, signature)
            WHERE n.object = m.object AND n.signature = m.signature)
        ORDER BY m.place DESC
    LOOP
        EXECUTE 'DROP ' || object;
    END LOOP;
    DELETE FROM sendgate_proxy.made;
END
$stale$;",
        listed(made, false)
    )
}

fn remember(made: &[Made]) -> String {
    format!("INSERT INTO sendgate_proxy.made (object, signature, place)\nVALUES\n{};", listed(made, true))
}

fn listed(made: &[Made], with_place: bool) -> String {
    let line = |(n, one): (usize, &Made)| {
        let place = if with_place { format!(", {n}") } else { String::new() };
        format!("    ({}, {}{place})", literal(&one.object), literal(&one.signature))
    };
    made.iter().enumerate().map(line).collect::<Vec<_>>().join(",\n")
}

const PREPARE: &str = include_str!("prepare.sql");
const SERVER: &str = include_str!("server.sql");
const REPORT: &str = include_str!("report.sql");
const OWN: &str = include_str!("own.sql");
