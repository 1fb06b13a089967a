//! The open alerts, newest first, each with its link to acknowledge it.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Frames, Page, ROWS_MAX, read_cursor, rendered};
use crate::console::kind::Kind;
use crate::console::scope::{Row, each};
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
    /// Of this kind.
    kind: String,
}

impl AlertsQuery {
    fn link(&self, kind: &str, after: &str) -> String {
        links::query("/alerts", &[("kind", kind), ("after", after)])
    }
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    page: Page,
    alerts: Vec<Row<Alert>>,
    kind: String,
    /// Kinds of the newest alerts: name, how many, how many not seen, address.
    kinds: Vec<(String, i64, i64, String)>,
    is_first: bool,
    first: String,
    next: Option<String>,
}

impl AlertsPage {
    fn account_link(&self, alert: &Row<Alert>) -> Option<String> {
        let link = || alert.link(|alert| links::account(alert.account_id.raw()));
        (alert.account_id.raw() != ALL_ACCOUNTS).then(link)
    }

    /// The button for all of a kind, in the databases that the page is about, if some are not seen and this visitor may: its
    /// address.
    fn acknowledge_all(&self) -> Option<String> {
        let unseen = |(kind, _, unseen, _): &&(String, i64, i64, String)| *kind == self.kind && *unseen > 1;
        self.kinds.iter().find(unseen)?;
        let kind = Kind::AcknowledgeAll;
        self.page.may(kind.function()).then(|| kind.link("", &self.kind))
    }

    fn is_kind(&self, kind: &str) -> bool {
        self.kind == kind
    }

    fn all_link(&self) -> String {
        links::query("/alerts", &[])
    }

    fn all_label(&self) -> &'static str {
        Kind::AcknowledgeAll.label()
    }

    fn acknowledge(&self, alert: &Row<Alert>) -> String {
        alert.link(|alert| Kind::Acknowledge.link(alert.account_id.raw(), &alert.alert_id))
    }
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<AlertsQuery>,
) -> Answer {
    let after = read_cursor(&query.after, "/alerts")?;
    let of = Some(query.kind.as_str()).filter(|kind| !kind.is_empty());
    let place = after.as_ref();
    let found = each!(console, |session, _member| async {
        let alerts = session.open_alerts(of, place, ROWS_MAX + 1);
        tokio::try_join!(session.console_frame(), alerts, session.newest_by_kind())
    })?;
    let (frames, alerts, kinds) = found.split3();
    let mut alerts = alerts.newest(ROWS_MAX as usize + 1, |alert| (alert.opened_at, alert.alert_id.clone()));
    let kinds = added_up(kinds.all());
    let has_more = alerts.len() as i64 > ROWS_MAX;
    alerts.truncate(ROWS_MAX as usize);
    let last = alerts.last().filter(|_| has_more);
    let next = last.map(|alert| query.link(&query.kind, &alert.cursor().to_string()));
    Ok(rendered(&AlertsPage {
        page: Page::new(&console, "alerts", Frames(frames), visitor, &uri).titled("Open alerts"),
        is_first: after.is_none(),
        first: query.link(&query.kind, ""),
        kinds: kinds
            .into_iter()
            .map(|(kind, count, unseen)| {
                let link = query.link(&kind, "");
                (kind, count, unseen, link)
            })
            .collect(),
        kind: query.kind,
        alerts,
        next,
    }))
}

/// The kinds of several databases as one list: name, how many, how many not seen.
fn added_up(kinds: Vec<Vec<(String, i64, i64)>>) -> Vec<(String, i64, i64)> {
    let mut all: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (kind, count, unseen) in kinds.into_iter().flatten() {
        let sums = all.entry(kind).or_default();
        *sums = (sums.0 + count, sums.1 + unseen);
    }
    all.into_iter().map(|(kind, (count, unseen))| (kind, count, unseen)).collect()
}
