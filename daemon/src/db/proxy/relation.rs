//! The views of a proxy: a function with the rows of all partitions, and a view of the same name over it.

use super::catalog::{Composite, Field, Relation};
use super::function::{Made, quoted};
use super::text::{literal, name};

/// The argument that limits the rows to an account; no column has this name.
const ARGUMENT: &str = "of_account";

/// The function and the view, in this order.
pub fn make(relation: &Relation) -> [Made; 2] {
    let own = name(&relation.name);
    let server = if has_role(relation, "sendgate_reader") { "sendgate_reader" } else { "sendgate_operator" };
    let columns: Vec<_> =
        relation.columns.iter().map(|one| format!("{} {}", quoted(&one.name), one.kind)).collect();
    let result = format!("TABLE({})", columns.join(", "));
    let read: Vec<_> = relation.columns.iter().map(|one| format!("t.{}", quoted(&one.name))).collect();
    let (arguments, types, run, filter) = match account_column(relation) {
        Some(column) => (
            format!("{ARGUMENT} text DEFAULT NULL"),
            "text",
            format!("RUN ON sendgate_proxy.places({ARGUMENT});"),
            format!("\n    WHERE $1 IS NULL OR t.{} = $1", quoted(column)),
        ),
        None => (String::new(), "", "RUN ON ALL;".to_owned(), String::new()),
    };
    let body = format!(
        "    CLUSTER '{server}';\n    {run}\n    SELECT {}\n    FROM sendgate.{own} AS t{filter};",
        read.join(", ")
    );
    let signature = format!("({arguments}) RETURNS {result}");
    let function = Made {
        object: format!("FUNCTION sendgate.{own}({types})"),
        statement: format!(
            "CREATE OR REPLACE FUNCTION sendgate.{own}{signature}\nLANGUAGE plproxy\nSECURITY DEFINER\nSET search_path = pg_catalog, pg_temp\nAS $proxy$\n{body}\n$proxy$;"
        ),
        signature: signature.clone(),
    };
    let view = Made {
        object: format!("VIEW sendgate.{own}"),
        statement: format!("CREATE OR REPLACE VIEW sendgate.{own} AS SELECT r.* FROM sendgate.{own}() AS r;"),
        signature,
    };
    [function, view]
}

/// The comments of the view and its columns.
pub fn comments(relation: &Relation) -> Vec<String> {
    let own = name(&relation.name);
    let mut comments = vec![format!("COMMENT ON VIEW sendgate.{own} IS {};", literal(&relation.comment))];
    comments.extend(column_comments(&own, &relation.columns));
    comments
}

/// Makes a composite type, or adds what it lacks.
pub fn composite(kind: &Composite) -> String {
    let own = name(&kind.name);
    let columns: Vec<_> =
        kind.columns.iter().map(|one| format!("{} {}", quoted(&one.name), one.kind)).collect();
    let mut text = format!(
        "DO $type$\nBEGIN\n    IF pg_catalog.to_regtype('sendgate.{own}') IS NULL THEN\n        CREATE TYPE sendgate.{own} AS ({});\n",
        columns.join(", ")
    );
    text += "    END IF;\n";
    for column in &kind.columns {
        text += &format!(
            "    IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = 'sendgate.{own}'::pg_catalog.regclass AND a.attname = {} AND NOT a.attisdropped) THEN\n        ALTER TYPE sendgate.{own} ADD ATTRIBUTE {} {};\n    END IF;\n",
            literal(&column.name),
            quoted(&column.name),
            column.kind
        );
    }
    text += "END\n$type$;\n";
    text += &format!("COMMENT ON TYPE sendgate.{own} IS {};\n", literal(&kind.comment));
    text += &column_comments(&own, &kind.columns).join("\n");
    text
}

fn column_comments(own: &str, columns: &[Field]) -> Vec<String> {
    let comment = |column: &Field| {
        format!("COMMENT ON COLUMN sendgate.{own}.{} IS {};", quoted(&column.name), literal(&column.comment))
    };
    columns.iter().filter(|column| !column.comment.is_empty()).map(comment).collect()
}

/// The column that names the account.
fn account_column(relation: &Relation) -> Option<&str> {
    let has = |column: &str| relation.columns.iter().any(|found| found.name == column);
    if has("account_id") {
        return Some("account_id");
    }
    (relation.name == "linkedin_accounts" && has("id")).then_some("id")
}

fn has_role(relation: &Relation, role: &str) -> bool {
    relation.roles.iter().any(|found| found == role)
}
