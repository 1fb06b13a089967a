//! The heartbeats of the jobs, and their last runs.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::Uri;

use super::{Answer, Frames, Page, rendered};
use crate::console::Console;
use crate::console::scope::{Row, each};
use crate::console::sessions::Visitor;
use crate::db::heartbeats::{Heartbeat, Run};

/// Most runs of each job that are shown.
const RUNS_OF_EACH: i64 = 8;
/// Most runs that are shown.
const RUNS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "heartbeats.html")]
struct HeartbeatsPage {
    page: Page,
    heartbeats: Vec<Row<Heartbeat>>,
    runs: Vec<Row<Run>>,
}

impl HeartbeatsPage {
    fn age(&self, heartbeat: &Heartbeat) -> String {
        heartbeat.age_seconds.map_or_else(|| "–".to_owned(), ago)
    }

    fn took(&self, run: &Run) -> String {
        run.seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.2} s"))
    }
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
) -> Answer {
    let found = each!(console, |session, _member| async {
        tokio::try_join!(session.console_frame(), session.heartbeats(), session.runs(RUNS_OF_EACH))
    })?;
    let (frames, heartbeats, runs) = found.split3();
    let rows = heartbeats.0.into_iter();
    let mut heartbeats: Vec<Row<Heartbeat>> = rows
        .flat_map(|(name, beats)| beats.into_iter().map(move |beat| Row::of(name.clone(), beat)))
        .collect();
    // The sort is stable: a job's lines stay in the order of the databases.
    heartbeats.sort_by(|a, b| a.job.cmp(&b.job));
    let runs = runs.newest(RUNS_MAX, |run| run.started_at);
    let page = Page::new(&console, "heartbeats", Frames(frames), visitor, &uri).titled("Heartbeats");
    Ok(rendered(&HeartbeatsPage { page, heartbeats, runs }))
}

/// An age in its two greatest units.
fn ago(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86400, seconds % 86400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let ages = [-3.0, 0.4, 59.9, 60.0, 3599.0, 3600.0, 90_000.0, 8_640_000.0].map(ago);
        let expected =
            ["0 s", "0 s", "59 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "1 d 01 h", "100 d 00 h"];
        assert_eq!(ages, expected);
    }
}
