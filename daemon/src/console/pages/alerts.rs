//! The open alerts, newest first, each with its link to acknowledge it.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Page, ROWS_MAX, read_cursor, rendered};
use crate::console::kind::Kind;
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::alerts::Alert;

/// The account of an alert about all accounts.
const ALL_ACCOUNTS: &str = "*";

/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AlertsQuery {
    after: String,
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    page: Page,
    alerts: Vec<Alert>,
    is_first: bool,
    next: Option<String>,
}

impl AlertsPage {
    fn account_link(&self, alert: &Alert) -> Option<String> {
        (alert.account_id.raw() != ALL_ACCOUNTS).then(|| links::account(alert.account_id.raw()))
    }

    fn acknowledge(&self, alert: &Alert) -> String {
        Kind::Acknowledge.link(alert.account_id.raw(), &alert.alert_id)
    }
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<AlertsQuery>,
) -> Answer {
    let after = read_cursor(&query.after)?;
    let (frame, mut alerts) = console
        .turn(async |session| {
            tokio::try_join!(session.console_frame(), session.open_alerts(after.as_ref(), ROWS_MAX + 1))
        })
        .await?;
    let has_more = alerts.len() as i64 > ROWS_MAX;
    alerts.truncate(ROWS_MAX as usize);
    let last = alerts.last().filter(|_| has_more);
    let next = last.map(|alert| links::query("/alerts", &[("after", &alert.cursor().to_string())]));
    Ok(rendered(&AlertsPage {
        page: Page::new(&console, "alerts", frame, visitor, &uri).titled("Open alerts"),
        is_first: after.is_none(),
        alerts,
        next,
    }))
}
