//! Calls that every partition gets.

use super::{Made, Shape, acting, api, numbered, passed, quoted, server, table};
use crate::db::proxy::catalog::Function;
use crate::db::proxy::text::{literal, name};

/// A row for each partition; with an argument that names an account, its own partition alone.
pub fn on_each(function: &Function, account: Option<&str>, unknown: Option<&str>) -> Vec<Made> {
    let (mut made, shape, body) = pieces(function, account, unknown);
    made.push(shape.make("plpgsql", true, &body));
    made
}

/// The numbers of all partitions, added up.
pub fn sum(function: &Function, account: Option<&str>) -> Vec<Made> {
    let (mut made, shape, body) = pieces(function, account, None);
    let shape = Shape {
        schema: "sendgate_proxy",
        name: name(&format!("{}_each", function.name)),
        arguments: numbered(function),
        ..shape
    };
    made.push(shape.make("plpgsql", false, &body));
    let sums = match function.outputs.as_slice() {
        [] => format!("pg_catalog.sum(r)::{}", function.result_type),
        outputs => outputs
            .iter()
            .map(|one| format!("pg_catalog.sum(r.{})::{}", quoted(&one.name), one.kind))
            .collect::<Vec<_>>()
            .join(", "),
    };
    let each = name(&format!("{}_each", function.name));
    let body = format!("    SELECT {sums} FROM sendgate_proxy.{each}({}) AS r;", passed(function));
    made.push(api(function, &function.result).make("sql", true, &body));
    made
}

/// True if it is true on one partition.
pub fn true_on_one(function: &Function) -> Vec<Made> {
    let rows = Shape {
        schema: "sendgate_proxy",
        name: name(&format!("{}_rows", function.name)),
        arguments: numbered(function),
        result: format!("SETOF {}", function.result_type),
        ..api(function, "")
    };
    let inner = rows.name.clone();
    let call = passed(function);
    let body = format!(
        "    CLUSTER '{}';\n    RUN ON ALL;\n    SELECT r FROM sendgate.{}({call}) AS r;",
        server(function),
        name(&function.name)
    );
    let all = rows.make("plproxy", false, &body);
    let body = format!("    SELECT pg_catalog.bool_or(r) FROM sendgate_proxy.{inner}({call}) AS r;");
    vec![all, api(function, &function.result).make("sql", true, &body)]
}

/// All partitions at once, so that one that does not answer keeps none of the others from it; after an error one after the
/// other, which tells whose it is. A row for each: the functions that ask all and one, and shape and body of what uses them.
fn pieces<'a>(
    function: &'a Function,
    account: Option<&str>,
    unknown: Option<&str>,
) -> (Vec<Made>, Shape<'a>, String) {
    let each = format!("SETOF {}", function.result_type);
    let (inner_result, result) = match function.outputs.as_slice() {
        [] => (each.clone(), each),
        outputs => (table(outputs), table(outputs)),
    };
    let asks = |of: &str, placed: bool, run: &str| {
        acting(function, &format!("{}_{of}", function.name), server(function), placed, run, &inner_result)
    };
    let (on_all, call_all) = asks("on_all", false, "RUN ON ALL;");
    let (on_one, call_one) = asks("on", true, "RUN ON place;");
    // What can be done once only is asked for one after the other: who has done it must be heard.
    let at_once = |places: &str| match unknown {
        Some(_) => String::new(),
        None => format!(
            "    IF coalesce({places} = '*', true) THEN
        BEGIN
            RETURN QUERY SELECT * FROM {call_all};
            RETURN;
        EXCEPTION WHEN OTHERS THEN
            -- Partitions that have done it may do it again.
        END;
    END IF;
"
        ),
    };
    let places = account.map_or("NULL::text".to_owned(), |argument| {
        let place = function.inputs.iter().position(|input| input.name == argument);
        format!("${}", place.map_or(1, |n| n + 1))
    });
    let at_once = at_once(&places);
    let body = format!(
        "#variable_conflict use_column
DECLARE
    place integer;
    asked integer := 0;
    faults jsonb[] := '{{}}';
    state text;
    message text;
    detail text;
    hint text;
BEGIN
{at_once}    FOR place IN SELECT p FROM sendgate_proxy.places({places}) AS p LOOP
        asked := asked + 1;
        BEGIN
            RETURN QUERY SELECT * FROM {call_one};
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
            faults := faults || pg_catalog.jsonb_build_object('place', place, 'state', state,
                'message', message, 'detail', detail, 'hint', hint);
        END;
    END LOOP;
    PERFORM sendgate_proxy.report({}, asked, faults, {});
END",
        literal(&function.name),
        unknown.map_or("NULL".to_owned(), literal),
    );
    let shape = Shape { arguments: inputs(function), ..api(function, &result) };
    let made = if unknown.is_some() { vec![on_one] } else { vec![on_all, on_one] };
    (made, shape, body)
}

/// The arguments with their defaults, without OUT arguments.
fn inputs(function: &Function) -> String {
    let outputs = function.outputs.len();
    if outputs == 0 || function.result.starts_with("TABLE") {
        return function.arguments.clone();
    }
    // OUT arguments stand last, and have no defaults.
    let end = function.arguments.find("OUT ").unwrap_or(function.arguments.len());
    function.arguments[..end].trim_end_matches([',', ' ']).to_owned()
}
