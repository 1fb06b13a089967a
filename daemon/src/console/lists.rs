//! The lists for programs: JSON under `/api/…`, and CSV of the same rows for `?format=csv` on the pages.

mod accounts;
mod list;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::access::Known;
use super::pages::{Problem, no_such_account, read_cursor};
use super::scope::{Answers, Name, Row, each};
use super::span::{flag_of, wanted};
use super::{Console, links};
use accounts::{accounts, put_together};
pub use list::List;

/// Rows of one answer, unless the address says how many.
const ROWS_DEFAULT: i64 = 500;
/// Most rows of one answer.
const ROWS_MAX: i64 = 5_000;
/// The first column where several databases are served.
const DATABASE_COLUMN: &str = "database";
/// Characters with which a spreadsheet would begin to calculate.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The address's query.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    /// `json` or `csv`.
    pub format: String,
    /// Most rows, up to [`ROWS_MAX`].
    pub limit: String,
    /// The row after which the answer begins: an id, or a place in a log.
    pub after: String,
    /// The account: of attempts always, of events perhaps; of unknown outcomes that of the place.
    pub account: String,
    /// Another name of the account, as the pages have it.
    pub id: String,
    /// The campaign of events.
    pub campaign: String,
    /// A part of ids and names of accounts.
    pub q: String,
    /// What accounts are looked for.
    pub filter: String,
    /// The tier of accounts.
    pub tier: String,
    /// The account of unknown outcomes.
    pub of: String,
    /// The action of unknown outcomes.
    pub action: String,
    /// Unknown outcomes reserved from this instant on, UTC.
    pub since: String,
    /// Unknown outcomes reserved before this instant, UTC.
    pub before: String,
    /// Of several databases, the one that the account in `after` is in.
    pub last: String,
    /// The columns that are wanted, with commas between them; all if empty.
    pub columns: String,
}

/// Rows, and the address's values for the next ones.
struct Found {
    rows: Vec<Value>,
    next: Option<Vec<(&'static str, String)>>,
}

/// Whether a page is asked for as CSV.
pub fn is_csv(format: &str) -> bool {
    format == "csv"
}

/// `/api/NAME`: the list as JSON, or as CSV. Needs a session or a token wherever the console has tokens.
pub async fn api(
    State(console): State<Arc<Console>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(query): Query<ListQuery>,
) -> Response {
    if !console.tokens.is_empty() {
        match console.knows(&headers, from.ip()) {
            Known::Yes => {}
            Known::No => return refused(StatusCode::UNAUTHORIZED, "send a token: Authorization: Bearer …"),
            Known::TooManyWrong => {
                return refused(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens came from there");
            }
        }
    }
    let Some(list) = List::ALL.into_iter().find(|list| list.name() == name) else {
        return refused(
            StatusCode::NOT_FOUND,
            "there is no such list; accounts, events, unknown and attempts are",
        );
    };
    match query.format.as_str() {
        "" | "json" => match json(&console, list, &query).await {
            Ok(response) => response,
            Err(problem) => refused(problem.status(), &problem.told()),
        },
        "csv" => match csv(&console, list, &query).await {
            Ok(response) => response,
            Err(problem) => refused(problem.status(), &problem.told()),
        },
        _ => refused(StatusCode::BAD_REQUEST, "the format is json or csv"),
    }
}

/// The list as CSV.
pub async fn csv(console: &Console, list: List, query: &ListQuery) -> std::result::Result<Response, Problem> {
    let columns = columns(console, list, query)?;
    let found = find(console, list, query).await?;
    let text = as_csv(&columns, &found.rows);
    let name = format!("attachment; filename=\"sendgate-{}.csv\"", list.name());
    let kind =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    let mut response = (kind, text).into_response();
    if let Some(next) = next_link(list, query, &found)
        && let Ok(link) = HeaderValue::from_str(&format!("<{next}>; rel=\"next\""))
    {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

fn refused(status: StatusCode, why: &str) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, json!({ "error": why }).to_string()).into_response()
}

/// The list as JSON.
async fn json(console: &Console, list: List, query: &ListQuery) -> std::result::Result<Response, Problem> {
    let columns = columns(console, list, query)?;
    let found = find(console, list, query).await?;
    let next = next_link(list, query, &found);
    let rows: Vec<Value> = found.rows.iter().map(|row| only(&columns, row)).collect();
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, json!({ "rows": rows, "next": next }).to_string()).into_response())
}

/// A row with these columns alone.
fn only(columns: &[&str], row: &Value) -> Value {
    let columns = columns.iter();
    Value::Object(columns.map(|name| ((*name).to_owned(), row[*name].clone())).collect::<Map<_, _>>())
}

/// The columns that are wanted, in the order in which they are named.
///
/// # Errors
///
/// A page with status 400 if the list has no such column, or it is named twice.
fn columns(
    console: &Console,
    list: List,
    query: &ListQuery,
) -> std::result::Result<Vec<&'static str>, Problem> {
    let database = console.has_several().then_some(DATABASE_COLUMN);
    let all: Vec<&'static str> = database.into_iter().chain(list.columns().iter().copied()).collect();
    if query.columns.is_empty() {
        return Ok(all);
    }
    let mut wanted = Vec::new();
    for name in query.columns.split(',') {
        let known = all.iter().find(|known| **known == name).filter(|known| !wanted.contains(*known));
        let Some(known) = known else {
            let text = format!("The columns are {}, each once.", all.join(", "));
            return Err(Problem::new(StatusCode::BAD_REQUEST, "The columns cannot be understood", text));
        };
        wanted.push(*known);
    }
    Ok(wanted)
}

fn next_link(list: List, query: &ListQuery, found: &Found) -> Option<String> {
    let next = found.next.as_ref()?;
    let mut values: Vec<(&str, &str)> =
        vec![("format", &query.format), ("limit", &query.limit), ("q", &query.q)];
    values.extend([("filter", query.filter.as_str()), ("tier", query.tier.as_str())]);
    if list == List::Events {
        values.extend([("account", query.account.as_str()), ("campaign", query.campaign.as_str())]);
    }
    if list == List::Unknown {
        let of = [
            ("of", &query.of),
            ("action", &query.action),
            ("since", &query.since),
            ("before", &query.before),
        ];
        values.extend(of.map(|(name, value)| (name, value.as_str())));
    }
    values.push(("columns", &query.columns));
    values.extend(next.iter().map(|(name, value)| (*name, value.as_str())));
    Some(links::query(&format!("/api/{}", list.name()), &values))
}

async fn find(console: &Console, list: List, query: &ListQuery) -> std::result::Result<Found, Problem> {
    let rows_max = match query.limit.as_str() {
        "" => ROWS_DEFAULT,
        text => match text.parse() {
            Ok(rows @ 1..=ROWS_MAX) => rows,
            _ => {
                let text = format!("It is a number of rows from 1 to {ROWS_MAX}.");
                return Err(Problem::new(StatusCode::BAD_REQUEST, "The limit cannot be understood", text));
            }
        },
    };
    let account = if query.account.is_empty() { &query.id } else { &query.account };
    match list {
        List::Accounts => {
            let flag = flag_of(&query.filter)?;
            let last = console.place_of(&query.last);
            let found = each!(console, |session, member| async {
                let with_it =
                    last.is_some_and(|last| console.place_of(&member.name).is_some_and(|own| own > last));
                accounts(session, query, flag, rows_max, with_it).await
            })?;
            Ok(put_together(found, rows_max as usize))
        }
        List::Events | List::Unknown => {
            let after = read_cursor(&query.after, "/")?;
            let after = after.as_ref();
            let named = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
            let (of, campaign) = (named(&query.account), named(&query.campaign));
            let (of, campaign) = (of.as_deref(), campaign.as_deref());
            if list == List::Events {
                let events = each!(console, |session, _member| session.campaign_log(
                    of,
                    campaign,
                    after,
                    rows_max + 1
                ))?;
                let events = events.newest(rows_max as usize + 1, |event| (event.at, event.id.clone()));
                return Ok(page(events, rows_max, |last| vec![("after", last.cursor().to_string())]));
            }
            let after = after.map(|after| (after, query.account.as_str()));
            let wanted = wanted(&query.of, &query.action, &query.since, &query.before)?;
            let unknown =
                each!(console, |session, _member| session.unknown_outcomes(wanted, after, rows_max + 1))?;
            let unknown = unknown.newest(rows_max as usize + 1, |row| {
                let operation = &row.operation;
                (row.unknown_since, operation.operation_id.clone(), operation.account_id.raw().to_owned())
            });
            Ok(page(unknown, rows_max, |last| {
                let account = last.operation.account_id.raw().to_owned();
                vec![("after", last.cursor().to_string()), ("account", account)]
            }))
        }
        List::Attempts => {
            let answers = each!(console, |session, _member| async {
                Ok((session.is_known(account).await?, session.account_attempts(account, rows_max).await?))
            })?;
            let mut known = Vec::new();
            for (name, (is_known, attempts)) in answers.0 {
                if is_known {
                    known.push((name, attempts));
                }
            }
            if known.is_empty() {
                return Err(no_such_account(account));
            }
            let attempts = Answers(known);
            let attempts = attempts.newest(rows_max as usize, |attempt| attempt.reserved_at);
            Ok(Found { rows: attempts.iter().map(of_database).collect(), next: None })
        }
    }
}

/// Rows up to the limit, and where the next ones begin if there is one more.
fn page<T: Serialize>(
    mut rows: Vec<Row<T>>,
    rows_max: i64,
    place: impl Fn(&T) -> Vec<(&'static str, String)>,
) -> Found {
    let has_more = rows.len() as i64 > rows_max;
    rows.truncate(rows_max as usize);
    let next = rows.last().filter(|_| has_more).map(|last| place(&**last));
    Found { rows: rows.iter().map(of_database).collect(), next }
}

/// A row as programs read it; with its database where several are served.
fn of_database<T: Serialize>(row: &Row<T>) -> Value {
    with_database(value(&**row), &row.database)
}

fn with_database(mut row: Value, database: &Name) -> Value {
    if let (Value::Object(fields), Some(name)) = (&mut row, database) {
        fields.insert(DATABASE_COLUMN.to_owned(), json!(**name));
    }
    row
}

fn value(row: &impl Serialize) -> Value {
    serde_json::to_value(row).unwrap_or(Value::Null)
}

/// The rows with their columns' names above them. Text that a spreadsheet would take for a formula gets an
/// apostrophe before it.
fn as_csv(columns: &[&str], rows: &[Value]) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let _ = out.write_record(columns);
    for row in rows {
        let _ = out.write_record(columns.iter().map(|name| cell(&row[*name])));
    }
    out.into_inner().unwrap_or_default()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(FORMULA) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_stays_in_its_cell_and_is_no_formula() {
        let row =
            json!({ "id": "a,\"b\"\nc", "name": "=HYPERLINK(\"http://x\")", "sent": -2, "drift": null });
        let text = String::from_utf8(as_csv(List::Accounts.columns(), &[row])).expect("text");
        let (head, rest) = text.split_once('\n').expect("two lines");
        assert_eq!(
            head,
            "id,name,status,tier,cooling_until,pill,breaker,sent,cap,delivered,in_flight,unresolved,drift"
        );
        assert!(
            rest.starts_with("\"a,\"\"b\"\"\nc\",\"'=HYPERLINK(\"\"http://x\"\")\",,,,,,-2,,,,,\n"),
            "{rest}"
        );
    }

    #[test]
    fn names_of_lists_are_found() {
        assert!(List::ALL.iter().all(|list| !list.columns().is_empty() && !list.name().is_empty()));
        assert!(is_csv("csv") && !is_csv("CSV") && !is_csv(""));
    }
}
