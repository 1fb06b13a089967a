//! Calls with arrays: each partition gets the elements of its accounts.

use std::fmt::Write;

use super::{Made, Shape, api, numbered, passed, place_of, quoted, server, table};
use crate::db::proxy::catalog::Function;
use crate::db::proxy::text::name;

/// Most elements of one call, as on a partition.
const ELEMENTS_MAX: i32 = 10_000;

/// The arrays are taken apart by account and the answers put together in the order of the elements. What cannot be
/// taken apart goes to one partition as it is, which says what is wrong with it.
pub fn make(function: &Function, required: usize, accounts: &str, fill: &[&str]) -> Vec<Made> {
    let count = function.inputs.len();
    let server = server(function);
    let own = name(&function.name);
    let names: Vec<_> = (1..=count).map(|n| format!("a{n}")).collect();
    let shifted: Vec<_> = (2..=count + 1).map(|n| format!("${n}")).collect();
    let (columns, result) = match function.outputs.as_slice() {
        [] => (
            "$1 AS \"elements\", r AS \"results\"".to_owned(),
            format!("TABLE(elements integer[], results {})", function.result_type),
        ),
        // The first output is the element's number.
        [number, others @ ..] => {
            let mut columns = format!("($1)[r.{0}] AS {0}", quoted(&number.name));
            for other in others {
                let _ = write!(columns, ", r.{0} AS {0}", quoted(&other.name));
            }
            (columns, table(&function.outputs))
        }
    };
    let body = format!(
        "    CLUSTER '{server}';
    SPLIT elements, {};
    RUN ON sendgate_proxy.place({});
    SELECT {columns}
    FROM sendgate.{own}({}) AS r;",
        names.join(", "),
        place_of(function, accounts),
        shifted.join(", "),
    );
    let types: Vec<&str> = function.inputs.iter().map(|input| input.kind.as_str()).collect();
    let parts = Shape {
        schema: "sendgate_proxy",
        name: name(&format!("{}_split", function.name)),
        arguments: format!("elements integer[], {}", numbered(function)),
        types: [&["integer[]"], types.as_slice()].concat(),
        result,
    };
    let whole_result =
        if function.outputs.is_empty() { function.result.clone() } else { table(&function.outputs) };
    let whole = Shape {
        schema: "sendgate_proxy",
        name: name(&format!("{}_whole", function.name)),
        arguments: numbered(function),
        types,
        result: whole_result,
    };
    let columns = match function.outputs.as_slice() {
        [] => "r".to_owned(),
        outputs => {
            outputs.iter().map(|one| format!("r.{}", quoted(&one.name))).collect::<Vec<_>>().join(", ")
        }
    };
    let all = passed(function);
    let whole_body = format!(
        "    CLUSTER '{server}';\n    RUN ON 0;\n    SELECT {columns} FROM sendgate.{own}({all}) AS r;"
    );
    let call = filled(function, required, fill);
    let (parts_name, whole_name) = (parts.name.clone(), whole.name.clone());
    let answer = if function.outputs.is_empty() {
        format!(
            "        RETURN (
            SELECT pg_catalog.array_agg(u.result ORDER BY u.element)
            FROM sendgate_proxy.{parts_name}({call}) AS s,
                 unnest(s.elements, s.results) AS u (element, result));
    END IF;
    RETURN sendgate_proxy.{whole_name}({all});"
        )
    } else {
        format!(
            "        RETURN QUERY SELECT s.* FROM sendgate_proxy.{parts_name}({call}) AS s ORDER BY s.{};
        RETURN;
    END IF;
    RETURN QUERY SELECT s.* FROM sendgate_proxy.{whole_name}({all}) AS s;",
            quoted(&function.outputs[0].name)
        )
    };
    let mut fits = format!("length BETWEEN 1 AND {ELEMENTS_MAX}");
    for n in 1..=count {
        let same = format!("pg_catalog.cardinality(${n}) = length AND pg_catalog.array_ndims(${n}) = 1");
        let _ = match n <= required {
            true => write!(fits, "\n        AND {same}"),
            false => write!(fits, "\n        AND coalesce({same}, true)"),
        };
    }
    let outer = format!(
        "#variable_conflict use_column
DECLARE
    length integer := pg_catalog.cardinality($1);
BEGIN
    IF {fits}
    THEN
{answer}
END"
    );
    vec![
        parts.make("plproxy", false, &body),
        whole.make("plproxy", false, &whole_body),
        api(function, &function.result).make("plpgsql", true, &outer),
    ]
}

/// The numbers of the elements and all arrays: one that is NULL as a whole is filled up.
fn filled(function: &Function, required: usize, fill: &[&str]) -> String {
    let mut call = "ARRAY(SELECT pg_catalog.generate_series(1, length))".to_owned();
    for (n, input) in function.inputs.iter().enumerate() {
        let argument = n + 1;
        if n < required {
            let _ = write!(call, ", ${argument}");
        } else {
            let element = fill.get(n - required).unwrap_or(&"NULL");
            let kind = input.kind.trim_end_matches("[]");
            let _ = write!(
                call,
                ",\n                coalesce(${argument}, pg_catalog.array_fill({element}::{kind}, ARRAY[length]))"
            );
        }
    }
    call
}
