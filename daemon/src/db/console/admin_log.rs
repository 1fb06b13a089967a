//! The admin log: who changed what, and why.

use serde::Deserialize;
use serde_json::Value;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use crate::db::cursor::Cursor;
use crate::db::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// Lines that one page looks at if it has a filter, which rejects some of them.
pub const LOOKED_AT_MAX: i64 = 5_000;

/// Newest first: ids are made in the order of time, and the primary key has them. $1 is the cursor's id or NULL, $2 how many
/// to look at, $3 how many to show, $4 and $5 the actor and the function, or NULL.
const LOG: &str = "WITH looked AS MATERIALIZED (
    SELECT l.* FROM sendgate.admin_log AS l
    WHERE ($1 IS NULL OR l.id < $1::uuid) ORDER BY l.id DESC LIMIT $2
)
SELECT to_jsonb(l) FROM looked AS l
WHERE ($4 IS NULL OR l.actor = $4) AND ($5 IS NULL OR l.verb = $5)
ORDER BY l.id DESC LIMIT $3";

/// The last line that the statement above looked at, if it looked at as many as it may.
const LAST: &str = "SELECT count(*), min(l.id::text), min(l.at) FROM (
    SELECT l.id, l.at FROM sendgate.admin_log AS l
    WHERE ($1 IS NULL OR l.id < $1::uuid) ORDER BY l.id DESC LIMIT $2
) AS l";

/// The same of one account, by `admin_log_account_idx`; $6 is the account and $7 the cursor's time.
const OF_ACCOUNT: &str = "SELECT to_jsonb(l) FROM (
    SELECT l.* FROM sendgate.admin_log AS l
    WHERE l.account_id = $6 AND ($1 IS NULL OR (l.at, l.id) < ($7, $1::uuid))
    ORDER BY l.at DESC, l.id DESC LIMIT $2
) AS l
WHERE ($4 IS NULL OR l.actor = $4) AND ($5 IS NULL OR l.verb = $5)
ORDER BY l.at DESC, l.id DESC LIMIT $3";

/// A line of the log.
#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    /// Its UUID.
    pub id: String,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Untrusted,
    /// The function.
    pub verb: String,
    /// The account; none: it is about all of them.
    pub account_id: Option<Untrusted>,
    /// What of it.
    pub subject: Option<Untrusted>,
    /// The value before.
    pub before: Option<Value>,
    /// The value afterwards.
    pub after: Option<Value>,
    /// Why.
    pub note: Option<Untrusted>,
}

impl Line {
    /// Its place in the log.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.at, id: self.id.clone() }
    }
}

/// Lines of the log.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The lines, newest first.
    pub lines: Vec<Line>,
    /// The place of the last line that was looked at, if the page ended there and not with its rows.
    pub stopped_at: Option<Cursor>,
}

/// Which lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Of this account.
    pub account: Option<&'a str>,
    /// By this person.
    pub actor: Option<&'a str>,
    /// Of this function.
    pub verb: Option<&'a str>,
}

impl Session {
    /// At most `rows_max` lines after the cursor, newest first; none if this login may not read the log.
    pub async fn admin_log(
        &self,
        wanted: Wanted<'_>,
        after: Option<&Cursor>,
        rows_max: i64,
    ) -> Result<Option<Lines>> {
        let (at, id) = (after.map(|after| after.at), after.map(|after| after.id.as_str()));
        let is_filtered = wanted.actor.is_some() || wanted.verb.is_some();
        let looked_at_max = if is_filtered { LOOKED_AT_MAX } else { rows_max };
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
            (&id, Type::TEXT),
            (&looked_at_max, Type::INT8),
            (&rows_max, Type::INT8),
            (&wanted.actor, Type::TEXT),
            (&wanted.verb, Type::TEXT),
        ];
        let sql = match &wanted.account {
            None => LOG,
            Some(_) => {
                parameters.extend([(&wanted.account as _, Type::TEXT), (&at as _, Type::TIMESTAMPTZ)]);
                OF_ACCOUNT
            }
        };
        let what = "reading the admin log";
        let lines: Vec<Line> = match self.objects(what, sql, &parameters).await {
            Ok(lines) => lines,
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut stopped_at = None;
        if is_filtered && wanted.account.is_none() && (lines.len() as i64) < rows_max {
            let looked = self.row(what, LAST, &[(&id, Type::TEXT), (&LOOKED_AT_MAX, Type::INT8)]).await?;
            if looked.get::<_, i64>(0) == LOOKED_AT_MAX {
                stopped_at = Some(Cursor { at: looked.get(2), id: looked.get(1) });
            }
        }
        Ok(Some(Lines { lines, stopped_at }))
    }
}
