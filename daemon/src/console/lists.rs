//! The lists for programs: JSON under `/api/…`, and CSV of the same rows for `?format=csv` on the pages.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::access::Known;
use super::pages::{Problem, no_such_account, read_cursor};
use super::{Console, links};
use crate::db::Session;
use crate::db::console::accounts::{Filter, Range};
use crate::error::Result;

/// Rows of one answer, unless the address says how many.
const ROWS_DEFAULT: i64 = 500;
/// Most rows of one answer.
const ROWS_MAX: i64 = 5_000;
/// Characters with which a spreadsheet would begin to calculate.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A list, its name in addresses and its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Accounts as their cards show them, by id.
    Accounts,
    /// Skipped campaign work, newest first.
    Events,
    /// Unknown outcomes, newest first.
    Unknown,
    /// The last attempts of one account, newest first.
    Attempts,
}

impl List {
    const ALL: [List; 4] = [List::Accounts, List::Events, List::Unknown, List::Attempts];

    const fn name(self) -> &'static str {
        match self {
            List::Accounts => "accounts",
            List::Events => "events",
            List::Unknown => "unknown",
            List::Attempts => "attempts",
        }
    }

    /// The columns, in their order.
    const fn columns(self) -> &'static [&'static str] {
        match self {
            List::Accounts => &[
                "id",
                "name",
                "status",
                "tier",
                "cooling_until",
                "pill",
                "breaker",
                "sent",
                "cap",
                "delivered",
                "in_flight",
                "unresolved",
                "drift",
            ],
            List::Events => &[
                "id",
                "at",
                "account_id",
                "campaign_id",
                "prospect_id",
                "action",
                "reason",
                "deferred_to",
                "repeats",
                "detail",
            ],
            List::Unknown => &[
                "unknown_since",
                "account_id",
                "operation_id",
                "action",
                "prospect_id",
                "campaign_id",
                "state",
                "reserved_at",
                "http_status",
                "error_type",
                "error",
            ],
            List::Attempts => &[
                "reserved_at",
                "operation_id",
                "action",
                "prospect_id",
                "campaign_id",
                "state",
                "origin",
                "counted_on",
                "expires_at",
                "settled_at",
                "outcome",
                "http_status",
                "error_type",
                "error",
            ],
        }
    }
}

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
    /// The beginning of ids of accounts.
    pub q: String,
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
        "" | "json" => match find(&console, list, &query).await {
            Ok(found) => as_json(list, &query, found),
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
    let found = find(console, list, query).await?;
    let text = as_csv(list, &found.rows);
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

fn as_json(list: List, query: &ListQuery, found: Found) -> Response {
    let next = next_link(list, query, &found);
    let rows: Vec<Value> = found.rows.iter().map(|row| only(list, row)).collect();
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, json!({ "rows": rows, "next": next }).to_string()).into_response()
}

/// A row with the list's columns alone.
fn only(list: List, row: &Value) -> Value {
    let columns = list.columns().iter();
    Value::Object(columns.map(|name| ((*name).to_owned(), row[*name].clone())).collect::<Map<_, _>>())
}

fn next_link(list: List, query: &ListQuery, found: &Found) -> Option<String> {
    let next = found.next.as_ref()?;
    let mut values: Vec<(&str, &str)> =
        vec![("format", &query.format), ("limit", &query.limit), ("q", &query.q)];
    if list == List::Events {
        values.extend([("account", query.account.as_str()), ("campaign", query.campaign.as_str())]);
    }
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
        List::Accounts => Ok(console.turn(async |session| accounts(session, query, rows_max).await).await?),
        List::Events | List::Unknown => {
            let after = read_cursor(&query.after)?;
            let after = after.as_ref();
            let named = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
            let (of, campaign) = (named(&query.account), named(&query.campaign));
            if list == List::Events {
                let ask = async |session: &Session| {
                    session.campaign_log(of.as_deref(), campaign.as_deref(), after, rows_max + 1).await
                };
                let events = console.turn(ask).await?;
                return Ok(page(events, rows_max, |last| vec![("after", last.cursor().to_string())]));
            }
            let after = after.map(|after| (after, query.account.as_str()));
            let unknown =
                console.turn(async |session| session.unknown_outcomes(after, rows_max + 1).await).await?;
            Ok(page(unknown, rows_max, |last| {
                let account = last.operation.account_id.raw().to_owned();
                vec![("after", last.cursor().to_string()), ("account", account)]
            }))
        }
        List::Attempts => {
            let ask = async |session: &Session| {
                Ok((session.is_known(account).await?, session.account_attempts(account, rows_max).await?))
            };
            let (is_known, attempts) = console.turn(ask).await?;
            if !is_known {
                return Err(no_such_account(account));
            }
            Ok(Found { rows: attempts.iter().map(value).collect(), next: None })
        }
    }
}

async fn accounts(session: &Session, query: &ListQuery, rows_max: i64) -> Result<Found> {
    let today = session.now().await?.day();
    let from = if query.after.is_empty() { query.q.clone() } else { format!("{}\u{1}", query.after) };
    let range = Range { from: &from, before: None };
    let mut walked = session.walk_accounts(Filter::Everybody, range, today, rows_max + 1).await?;
    let has_more = walked.ids.len() as i64 > rows_max;
    walked.ids.retain(|id| id.starts_with(&query.q));
    walked.ids.truncate(rows_max as usize);
    let next = walked.ids.last().filter(|_| has_more).map(|last| vec![("after", last.clone())]);
    let cards = session.account_list(&walked.ids, today).await?;
    Ok(Found { rows: cards.iter().map(value).collect(), next })
}

/// Rows up to the limit, and where the next ones begin if there is one more.
fn page<T: Serialize>(
    mut rows: Vec<T>,
    rows_max: i64,
    place: impl Fn(&T) -> Vec<(&'static str, String)>,
) -> Found {
    let has_more = rows.len() as i64 > rows_max;
    rows.truncate(rows_max as usize);
    let next = rows.last().filter(|_| has_more).map(place);
    Found { rows: rows.iter().map(value).collect(), next }
}

fn value(row: &impl Serialize) -> Value {
    serde_json::to_value(row).unwrap_or(Value::Null)
}

/// The rows with their columns' names above them. Text that a spreadsheet would take for a formula gets an
/// apostrophe before it.
fn as_csv(list: List, rows: &[Value]) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let _ = out.write_record(list.columns());
    for row in rows {
        let _ = out.write_record(list.columns().iter().map(|name| cell(&row[*name])));
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
        let text = String::from_utf8(as_csv(List::Accounts, &[row])).expect("text");
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
