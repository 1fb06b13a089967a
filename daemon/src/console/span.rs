//! What an address names: instants, unknown outcomes, and the trouble that accounts have.

use axum::http::StatusCode;
use chrono::NaiveDateTime;

use super::pages::Problem;
use crate::db::Timestamp;
use crate::db::account::ACTIONS;
use crate::db::console::accounts::Flag;
use crate::db::console::logs::Of;

/// An instant as a browser's field writes it, or with a space and seconds; UTC. None for an empty field.
///
/// # Errors
///
/// That it is none, in a sentence.
pub fn read_instant(text: &str) -> Result<Option<Timestamp>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|at| Some(Timestamp::from(at.and_utc())))
        .ok_or_else(|| "A time is written as 2026-01-31 18:30, in UTC.".to_owned())
}

/// Outcomes of an account, an action or a time; empty texts name all.
///
/// # Errors
///
/// A page with status 400 if there is no such action or time.
pub fn wanted<'a>(account: &'a str, action: &'a str, since: &str, before: &str) -> Result<Of<'a>, Problem> {
    let odd = |text: String| Problem::new(StatusCode::BAD_REQUEST, "This cannot be understood", text);
    if !action.is_empty() && !ACTIONS.contains(&action) {
        return Err(odd(format!("An action is one of {}.", ACTIONS.join(", "))));
    }
    let (since, before) = (read_instant(since).map_err(odd)?, read_instant(before).map_err(odd)?);
    if since.zip(before).is_some_and(|(since, before)| before < since) {
        return Err(odd("The range ends before it begins.".to_owned()));
    }
    Ok(Of { account, action, since, before })
}

/// The filter of this name.
///
/// # Errors
///
/// A page with status 400 if there is none.
pub fn flag_of(name: &str) -> Result<Flag, Problem> {
    Flag::named(name).ok_or_else(|| {
        let names: Vec<&str> = Flag::ALL.iter().skip(1).map(|flag| flag.name()).collect();
        let text = format!("The filters are {}.", names.join(", "));
        Problem::new(StatusCode::BAD_REQUEST, "There is no such filter", text)
    })
}
