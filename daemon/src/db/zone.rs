//! The time zone in which a reader sees instants: one of PostgreSQL's, so that daemon and database know the same ones.

use std::sync::Arc;

use tokio_postgres::types::Type;

use super::{Session, Timestamp};
use crate::error::Result;

/// The names that people know. PostgreSQL has each a second time for POSIX, and some for itself.
const NAMES: &str = "SELECT z.name FROM pg_timezone_names AS z
WHERE z.name !~ '^(posix|right)/' AND z.name NOT IN ('Factory', 'localtime', 'posixrules')
ORDER BY z.name COLLATE \"C\"";

/// How far the zone $1 is ahead of UTC, in seconds, and from when on; for the years around today. Zones change at a quarter
/// of an hour (UTC), so each day whose distance is another than the day's before is looked at by quarters.
const CHANGES: &str = "WITH days AS (
    SELECT d.at, extract(epoch FROM (d.at AT TIME ZONE z.name) - (d.at AT TIME ZONE 'UTC'))::integer AS ahead
    FROM pg_timezone_names AS z
    CROSS JOIN (SELECT date_trunc('day', sendgate.clock(), 'UTC') AS day) AS c
    CROSS JOIN LATERAL generate_series(c.day - interval '19200 hours', c.day + interval '19200 hours', interval '24 hours')
        AS d (at)
    WHERE z.name = $1
), told AS (
    SELECT d.at, d.ahead, lag(d.ahead) OVER (ORDER BY d.at) AS before FROM days AS d
)
SELECT coalesce(q.at, t.at), t.ahead
FROM told AS t
LEFT JOIN LATERAL (
    SELECT min(g.at) AS at
    FROM generate_series(t.at - interval '24 hours', t.at, interval '15 minutes') AS g (at)
    WHERE extract(epoch FROM (g.at AT TIME ZONE $1) - (g.at AT TIME ZONE 'UTC'))::integer = t.ahead
) AS q ON t.before IS NOT NULL
WHERE t.before IS DISTINCT FROM t.ahead
ORDER BY 1";

/// The name of the zone that readers have unless they choose one.
pub const UTC: &str = "UTC";

tokio::task_local! {
    /// The zone of the reader for whom the task works.
    static READERS: Arc<Zone>;
}

/// A zone of PostgreSQL's for the years around today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// From when on it is how far ahead of UTC, in seconds; in order, and never empty.
    changes: Vec<(Timestamp, i32)>,
}

impl Zone {
    /// A zone by its changes; none without any.
    pub fn new(name: &str, changes: Vec<(Timestamp, i32)>) -> Option<Zone> {
        (!changes.is_empty()).then(|| Zone { name: name.to_owned(), changes })
    }

    /// How far it is ahead of UTC at an instant, in seconds. Before its first change it is as then.
    pub fn ahead(&self, at: Timestamp) -> i32 {
        let later = self.changes.partition_point(|(from, _)| *from <= at);
        self.changes[later.saturating_sub(1)].1
    }
}

/// Does it for a reader with this zone: every [`Timestamp`] that is displayed meanwhile is displayed in it.
pub async fn reading_in<T>(zone: Option<Arc<Zone>>, work: impl Future<Output = T>) -> T {
    match zone {
        Some(zone) => READERS.scope(zone, work).await,
        None => work.await,
    }
}

/// The name of the reader's zone.
pub fn of_reader() -> String {
    READERS.try_with(|zone| zone.name.clone()).unwrap_or_else(|_| UTC.to_owned())
}

/// How far the reader's zone is ahead of UTC at an instant, in seconds.
pub(super) fn ahead(at: Timestamp) -> i32 {
    READERS.try_with(|zone| zone.ahead(at)).unwrap_or(0)
}

impl Session {
    /// The names of the zones that a reader can choose.
    pub async fn zone_names(&self) -> Result<Vec<String>> {
        let rows = self.rows("reading the time zones", NAMES, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The zone of this name; none if PostgreSQL has no such zone.
    pub async fn zone(&self, name: &str) -> Result<Option<Zone>> {
        let rows = self.rows("reading a time zone", CHANGES, &[(&name, Type::TEXT)]).await?;
        Ok(Zone::new(name, rows.iter().map(|row| (row.get(0), row.get(1))).collect()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn at(text: &str) -> Timestamp {
        from_value(json!(text)).expect(text)
    }

    fn berlin() -> Zone {
        let changes = [("2025-10-26T01:00:00+00:00", 3_600), ("2026-03-29T01:00:00+00:00", 7_200)];
        Zone::new("Europe/Berlin", changes.map(|(from, ahead)| (at(from), ahead)).to_vec()).expect("a zone")
    }

    #[test]
    fn a_zone_changes_at_its_instant() {
        for (text, ahead) in [
            ("2020-01-01T00:00:00+00:00", 3_600),
            ("2026-03-29T00:59:59+00:00", 3_600),
            ("2026-03-29T01:00:00+00:00", 7_200),
            ("2030-01-01T00:00:00+00:00", 7_200),
        ] {
            assert_eq!(berlin().ahead(at(text)), ahead, "{text}");
        }
        assert_eq!(Zone::new("Mars/Olympus", Vec::new()), None);
    }

    #[test]
    fn instants_are_displayed_for_the_reader_and_told_to_programs_as_they_are() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let instant = at("2026-06-01T22:30:00+00:00");
        let shown = |zone| runtime.block_on(reading_in(zone, async { (instant.to_string(), of_reader()) }));
        assert_eq!(shown(None), ("2026-06-01 22:30:00".to_owned(), UTC.to_owned()));
        let told = ("2026-06-02 00:30:00".to_owned(), "Europe/Berlin".to_owned());
        assert_eq!(shown(Some(Arc::new(berlin()))), told);
        let json = runtime.block_on(reading_in(Some(Arc::new(berlin())), async {
            (instant.to_iso(), serde_json::to_value(instant).expect("JSON"), at("infinity").to_string())
        }));
        assert_eq!(
            json,
            ("2026-06-01T22:30:00Z".to_owned(), json!("2026-06-01T22:30:00+00:00"), "infinity".to_owned())
        );
    }
}
