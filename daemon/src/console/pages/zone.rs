//! The page on which a reader chooses the time zone of the console's times.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;

use super::{Answer, Page, rendered};
use crate::console::sessions::Visitor;
use crate::console::{Console, links, zones};
use crate::db::Untrusted;

/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ZoneQuery {
    next: String,
}

/// The form's fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ZoneForm {
    zone: String,
    next: String,
}

#[derive(Template)]
#[template(path = "zone.html")]
struct ZonePage {
    page: Page,
    zones: Vec<String>,
    next: String,
    problem: Option<String>,
}

/// Shows the zones.
pub async fn ask(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<ZoneQuery>,
) -> Answer {
    asked(&console, visitor, &uri, &query.next, None).await
}

async fn asked(
    console: &Console,
    visitor: Option<Visitor>,
    uri: &Uri,
    next: &str,
    problem: Option<String>,
) -> Answer {
    let read =
        async |session: &crate::db::Session| tokio::try_join!(session.console_frame(), session.zone_names());
    let (frame, zones) = console.turn(read).await?;
    let page = Page { live: false, ..Page::new(console, "", frame, visitor, uri).titled("Time zone") };
    Ok(rendered(&ZonePage { page, zones, next: links::within(next).to_owned(), problem }))
}

/// Keeps the choice in a cookie, if PostgreSQL has such a zone.
pub async fn choose(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<ZoneForm>,
) -> Answer {
    let Some(zone) = console.turn(async |session| session.zone(&form.zone).await).await? else {
        let name = Untrusted::from(form.zone);
        let problem = Some(format!("PostgreSQL has no time zone {name}. Nothing was changed."));
        let page = asked(&console, visitor, &uri, &form.next, problem).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let cookie = [(header::SET_COOKIE, zones::set_cookie(&zone.name, &headers))];
    Ok((cookie, Redirect::to(links::within(&form.next))).into_response())
}
