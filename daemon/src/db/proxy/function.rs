//! The functions of a proxy: for each function of the API the statements that make it, by its rule.

mod everywhere;
mod split;

use super::catalog::{Field, Function};
use super::rules::{self, Rule};
use super::text::{literal, name};

/// The SQLSTATE of what does not go through a proxy.
const NOT_THROUGH_A_PROXY: &str = "SG402";
/// What every function of the API is: it runs with the owner's right to connect.
const DEFINER: &str = "SECURITY DEFINER";
/// What such a function in SQL or PL/pgSQL has besides, so that the caller's path changes nothing. PL/Proxy looks for nothing
/// but the function after RUN ON, which is written with its schema, as all that it uses is: a SET clause costs every call.
const PATH: &str = "SET search_path = pg_catalog, pg_temp";

/// A function to be made.
#[derive(Debug)]
pub struct Made {
    /// `FUNCTION schema.name(types)`, as DROP takes it.
    pub object: String,
    /// What `CREATE OR REPLACE` cannot change: arguments and result.
    pub signature: String,
    /// The statement.
    pub statement: String,
}

impl Made {
    /// The body, as the catalog keeps it; none of a view.
    pub fn source(&self) -> Option<&str> {
        self.statement.split("$proxy$").nth(1)
    }
}

/// A function of the schema `sendgate_proxy`, or of the API.
struct Shape<'a> {
    schema: &'a str,
    name: String,
    arguments: String,
    types: Vec<&'a str>,
    result: String,
}

impl Shape<'_> {
    fn make(self, language: &str, is_definer: bool, body: &str) -> Made {
        let object = format!("FUNCTION {}.{}({})", self.schema, self.name, self.types.join(", "));
        let signature = format!("({}) RETURNS {}", self.arguments, self.result);
        let how = match (is_definer, language) {
            (false, _) => format!("LANGUAGE {language}"),
            (true, "plproxy") => format!("LANGUAGE {language}\n{DEFINER}"),
            (true, _) => format!("LANGUAGE {language}\n{DEFINER}\n{PATH}"),
        };
        let statement = format!(
            "CREATE OR REPLACE FUNCTION {}.{}{signature}\n{how}\nAS $proxy$\n{body}\n$proxy$;",
            self.schema, self.name
        );
        Made { object, signature, statement }
    }
}

/// The functions that make one of the API, itself last.
pub fn make(function: &Function, rule: Rule) -> Vec<Made> {
    match rule {
        Rule::Account(argument) => by_account(function, argument),
        Rule::AccountOrAll(argument) => everywhere::on_each(function, Some(argument), None),
        Rule::All => everywhere::on_each(function, None, None),
        Rule::WhereKnown(state) => everywhere::on_each(function, None, Some(state)),
        Rule::Sum(argument) => everywhere::sum(function, argument),
        Rule::AllTrue => everywhere::true_on_one(function),
        Rule::Rows => vec![plain(function, "RUN ON ALL;")],
        Rule::Any => vec![plain(function, "RUN ON ANY;")],
        Rule::Dispatch => {
            vec![plain(function, "RUN ON sendgate_proxy.place_of_dispatch(account_id, request_id);")]
        }
        Rule::Split { required, accounts, fill } => split::make(function, required, accounts, fill),
        Rule::Refused(reason, hint) => vec![refused(function, reason, hint)],
    }
}

/// The role with which a partition is asked: the weakest that may call it.
fn server(function: &Function) -> &'static str {
    let has = |role: &str| function.roles.iter().any(|found| found == role);
    ["sendgate_sender", "sendgate_reader"].into_iter().find(|role| has(role)).unwrap_or("sendgate_operator")
}

/// Whether the partition is told who calls, for its logs.
fn names_its_actor(function: &Function) -> bool {
    rules::NAMES_ITS_ACTOR.contains(&function.name.as_str()) || server(function) == "sendgate_operator"
}

/// The function of the API, under its own name.
fn api<'a>(function: &'a Function, result: &str) -> Shape<'a> {
    Shape {
        schema: "sendgate",
        name: name(&function.name),
        arguments: function.arguments.clone(),
        types: function.inputs.iter().map(|input| input.kind.as_str()).collect(),
        result: result.to_owned(),
    }
}

/// A call that is passed on as it is.
fn plain(function: &Function, run: &str) -> Made {
    let body = format!("    CLUSTER '{}';\n    {run}\n    {}", server(function), statement(function));
    api(function, &function.result).make("plproxy", true, &body)
}

/// What is sent to the partition, which parses and plans it each time. PL/Proxy's own statement casts every column and reads
/// a single value FROM the function. Columns are named, so that one that a newer partition has besides is no fault.
fn statement(function: &Function) -> String {
    let call = format!("sendgate.{}({})", name(&function.name), passed(function));
    let columns: Vec<_> = match function.outputs.as_slice() {
        [] => function.columns.iter().map(|one| quoted(one)).collect(),
        outputs => outputs.iter().map(|one| quoted(&one.name)).collect(),
    };
    match (columns.is_empty(), function.returns_set) {
        (true, false) => format!("SELECT {call};"),
        (true, true) => format!("SELECT r FROM {call} AS r;"),
        (false, _) => format!("SELECT {} FROM {call};", columns.join(", ")),
    }
}

fn by_account(function: &Function, argument: &str) -> Vec<Made> {
    if rules::LOOKS_AT_ITS_CALLER.contains(&function.name.as_str()) {
        return by_caller(function, argument);
    }
    if !names_its_actor(function) {
        return vec![plain(function, &format!("RUN ON sendgate_proxy.place({argument});"))];
    }
    let run = format!("RUN ON sendgate_proxy.place({});", place_of(function, argument));
    let (inner, call) = acting(function, &function.name, server(function), false, &run, &scalar(function));
    // A function in SQL answers NULL where one that answers nothing says so with an empty value.
    let outer = match function.result_type.as_str() {
        "void" => {
            api(function, &function.result).make("plpgsql", true, &format!("BEGIN\n    PERFORM {call};\nEND"))
        }
        _ => api(function, &function.result).make("sql", true, &format!("    SELECT {call};")),
    };
    vec![inner, outer]
}

/// An operator's call goes to the partition as an operator's, any other's as a sender's.
fn by_caller(function: &Function, argument: &str) -> Vec<Made> {
    let run = format!("RUN ON sendgate_proxy.place({});", place_of(function, argument));
    let inner = |role: &str| {
        acting(
            function,
            &format!("{}_as_{role}", function.name),
            &format!("sendgate_{role}"),
            false,
            &run,
            &scalar(function),
        )
    };
    let ((as_sender, sends), (as_operator, operates)) = (inner("sender"), inner("operator"));
    let body = format!(
        "DECLARE
    caller name := CASE pg_catalog.current_setting('role')
                       WHEN 'none' THEN session_user ELSE pg_catalog.current_setting('role')::name END;
BEGIN
    IF pg_catalog.pg_has_role(caller, 'sendgate_operator', 'USAGE')
        OR pg_catalog.pg_has_role(caller, 'sendgate_daemon', 'USAGE')
    THEN
        RETURN {operates};
    END IF;
    RETURN {sends};
END"
    );
    vec![as_sender, as_operator, api(function, &function.result).make("plpgsql", true, &body)]
}

/// The result of a function without OUT arguments, or the table of those.
fn scalar(function: &Function) -> String {
    match function.outputs.as_slice() {
        [] => function.result_type.clone(),
        outputs => table(outputs),
    }
}

fn table(columns: &[Field]) -> String {
    let columns: Vec<_> = columns.iter().map(|one| format!("{} {}", name(&one.name), one.kind)).collect();
    format!("TABLE({})", columns.join(", "))
}

/// The function that passes a call on with the caller's name, and the call of it. With `placed` it takes the
/// partition's number as second argument.
fn acting(
    function: &Function,
    inner: &str,
    server: &str,
    placed: bool,
    run: &str,
    result: &str,
) -> (Made, String) {
    let mut arguments = vec!["actor text".to_owned()];
    let mut types = vec!["text"];
    let mut passed = vec!["session_user::text".to_owned()];
    if placed {
        arguments.push("place integer".to_owned());
        types.push("integer");
        passed.push("place".to_owned());
    }
    let first = arguments.len() + 1;
    for (n, input) in function.inputs.iter().enumerate() {
        arguments.push(format!("a{} {}", n + 1, input.kind));
        types.push(&input.kind);
        passed.push(format!("${}", n + 1));
    }
    let forwarded: Vec<_> = (first..first + function.inputs.len()).map(|n| format!("${n}")).collect();
    let (columns, row) = match function.outputs.as_slice() {
        [] => ("q.r".to_owned(), "r"),
        outputs => (
            outputs.iter().map(|one| format!("q.{}", quoted(&one.name))).collect::<Vec<_>>().join(", "),
            "r.*",
        ),
    };
    let body = format!(
        "    CLUSTER '{server}';
    {run}
    SELECT {columns}
    FROM pg_catalog.set_config('sendgate.actor', $1, true) AS s,
         LATERAL (SELECT {row} FROM sendgate.{}({}) AS r WHERE s IS NOT NULL OFFSET 0) AS q;",
        name(&function.name),
        forwarded.join(", "),
    );
    let inner = name(inner);
    let call = format!("sendgate_proxy.{inner}({})", passed.join(", "));
    let shape = Shape {
        schema: "sendgate_proxy",
        name: inner,
        arguments: arguments.join(", "),
        types,
        result: result.to_owned(),
    };
    (shape.make("plproxy", false, &body), call)
}

/// How the inner function calls an argument of the API's.
fn place_of(function: &Function, argument: &str) -> String {
    let place = function.inputs.iter().position(|input| input.name == argument);
    format!("a{}", place.map_or(1, |n| n + 1))
}

/// The arguments under names that mean nothing.
fn numbered(function: &Function) -> String {
    let arguments: Vec<_> =
        function.inputs.iter().enumerate().map(|(n, input)| format!("a{} {}", n + 1, input.kind)).collect();
    arguments.join(", ")
}

fn passed(function: &Function) -> String {
    (1..=function.inputs.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

fn refused(function: &Function, reason: &str, hint: &str) -> Made {
    let body = format!(
        "BEGIN
    RAISE EXCEPTION USING
        ERRCODE = '{NOT_THROUGH_A_PROXY}',
        MESSAGE = {},
        DETAIL = {},
        HINT = {};
END",
        literal(&format!("{} does not go through a proxy", function.name)),
        literal(reason),
        literal(hint),
    );
    if function.kind != "p" {
        return api(function, &function.result).make("plpgsql", true, &body);
    }
    let signature = format!("({})", function.arguments);
    let own = name(&function.name);
    Made {
        object: format!("PROCEDURE sendgate.{own}({})", function.identity),
        statement: format!(
            "CREATE OR REPLACE PROCEDURE sendgate.{own}{signature}\nLANGUAGE plpgsql\nAS $proxy$\n{body}\n$proxy$;"
        ),
        signature,
    }
}

/// A name in quotes: PL/Proxy takes a word that is one of its arguments for that argument.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function with an account and a number, whose answer has these columns.
    fn function(columns: &[&str], returns_set: bool) -> Function {
        let field =
            |name: &str| Field { name: name.to_owned(), kind: "text".to_owned(), comment: String::new() };
        Function {
            name: "f".to_owned(),
            kind: "f".to_owned(),
            identity: String::new(),
            arguments: "account_id text, n text DEFAULT NULL".to_owned(),
            result: "text".to_owned(),
            result_type: "text".to_owned(),
            returns_set,
            inputs: vec![field("account_id"), field("n")],
            outputs: Vec::new(),
            columns: columns.iter().map(|&one| one.to_owned()).collect(),
            comment: String::new(),
            roles: vec!["sendgate_sender".to_owned()],
        }
    }

    #[test]
    fn a_partition_is_sent_the_cheapest_statement_with_the_columns_named() {
        assert_eq!(statement(&function(&[], false)), "SELECT sendgate.f($1, $2);");
        assert_eq!(statement(&function(&[], true)), "SELECT r FROM sendgate.f($1, $2) AS r;");
        // Not `*`: a newer partition may have one more. An argument's name is no column without its quotes.
        let rows = statement(&function(&["account_id", "reason"], true));
        assert_eq!(rows, "SELECT \"account_id\", \"reason\" FROM sendgate.f($1, $2);");
    }

    #[test]
    fn only_what_looks_names_up_has_a_path() {
        let of_account = function(&[], false);
        let [made] = make(&of_account, Rule::Account("account_id")).try_into().expect("one function");
        assert!(made.statement.contains("SECURITY DEFINER\nAS $proxy$"), "{}", made.statement);
        let own = make(&of_account, Rule::All).pop().expect("the function of the API");
        assert!(
            own.statement
                .contains("LANGUAGE plpgsql\nSECURITY DEFINER\nSET search_path = pg_catalog, pg_temp\n")
        );
    }
}
