//! The page of `/metrics` in Prometheus' text format: the database's numbers, and this process's own.

mod families;

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use tokio::time::timeout;

use crate::db::SharedLink;
use crate::db::numbers::Numbers;
use crate::error::{Error, Result};
use crate::tasks::tally::Tally;
use families::Counted;

/// Numbers older than this are counted again when they are asked for: several scrapers cost as much as one.
/// The page says how old they are.
const AGE_MAX: Duration = Duration::from_secs(10);
/// Longest time to count. Scrapers give up after ten seconds, and a page without numbers has to come before
/// that.
const COUNT_WITHIN: Duration = Duration::from_secs(8);

/// Counts when a scraper asks, and keeps the numbers for ten seconds.
#[derive(Debug)]
pub struct Metrics {
    link: SharedLink,
    tally: Arc<Tally>,
    counted: Option<(Instant, Arc<Numbers>)>,
}

impl Metrics {
    /// Metrics that are counted over this connection.
    pub fn new(link: SharedLink, tally: Arc<Tally>) -> Metrics {
        Metrics { link, tally, counted: None }
    }

    /// The page, with numbers of now or of a moment ago. Numbers that cannot be counted are missing, not old.
    pub async fn page(&mut self) -> String {
        if self.counted.as_ref().is_none_or(|(at, _)| at.elapsed() > AGE_MAX) {
            self.counted = None;
            match self.count().await {
                Ok(numbers) => self.counted = Some((Instant::now(), Arc::new(numbers))),
                Err(error) => tracing::warn!(%error, "metrics cannot be counted"),
            }
        }
        let counted = self.counted.as_ref();
        let counted = counted.map(|(at, numbers)| Counted { age: at.elapsed(), numbers: numbers.clone() });
        render(counted, &self.tally)
    }

    async fn count(&self) -> Result<Numbers> {
        let began = Instant::now();
        let mut link = self.link.turn().await?;
        let counting = async { link.session().await?.numbers().await };
        let late = Error::TimedOut { what: "counting for metrics", after: COUNT_WITHIN };
        let within = COUNT_WITHIN.saturating_sub(began.elapsed());
        let counted = timeout(within, counting).await.unwrap_or(Err(late));
        link.settled(counted).await
    }
}

/// The whole page; without numbers if the database cannot be asked.
fn render(counted: Option<Counted>, tally: &Tally) -> String {
    let mut registry = Registry::default();
    let build = Family::<[(&str, &str); 1], Gauge>::default();
    build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
    registry.register("sendgate_build_info", "Version of the daemon", build);
    let help = "Whether the database answered when it was last asked for these numbers";
    registry.register("sendgate_database_up", help, ConstGauge::new(i64::from(counted.is_some())));
    tally.register(&mut registry);
    if let Some(counted) = counted {
        registry.register_collector(Box::new(counted));
    }
    let mut page = String::new();
    encode(&mut page, &registry).expect("a String takes any text");
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::heartbeats::Heartbeat;
    use crate::db::numbers::Activity;

    fn of(numbers: Numbers) -> String {
        render(Some(Counted { age: Duration::ZERO, numbers: Arc::new(numbers) }), &Tally::default())
    }

    #[test]
    fn nothing_is_shown_as_nought() {
        let page = of(Numbers::default());
        for line in [
            "sendgate_database_up 1",
            "sendgate_breakers_open{state=\"open\"} 0",
            "sendgate_slots_used_today{action=\"inmail\"} 0",
            "sendgate_paused 0",
            "sendgate_quarantined 0",
            "sendgate_breakers{state=\"closed\"} 0",
            "sendgate_credits{state=\"low\"} 0",
            "sendgate_credits{state=\"untracked\"} 0",
            "sendgate_accounts_cooling_down{cause=\"failing\"} 0",
            "sendgate_enrollments{state=\"parked\"} 0",
            "sendgate_unknown_outcomes 0",
            "sendgate_oldest_due_work_age_seconds 0.0",
            "sendgate_skips_today{action=\"inmail\",reason=\"account_inmail_credits_exhausted\"} 0",
            "sendgate_alerts_open{kind=\"over_cap\"} 0",
            "sendgate_job_runs_total{job=\"prune\",outcome=\"failed\"} 0",
            "# HELP sendgate_rounds_total Times that this process asked the database what is due.",
            "# TYPE sendgate_rounds_total counter",
            "# TYPE sendgate_database_up gauge",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        }
    }

    #[test]
    fn without_a_database_nothing_old_is_shown() {
        let page = render(None, &Tally::default());
        assert!(page.contains("sendgate_database_up 0\n"));
        assert!(!page.contains("sendgate_breakers_open"));
    }

    #[test]
    fn refusals_that_nobody_counts_are_not_nought() {
        let page = of(Numbers::default());
        assert!(page.contains("sendgate_refusals_counted 0\n") && !page.contains("sendgate_refusals_total"));
        let refusals = vec![("invite".to_owned(), "pacing".to_owned(), 3)];
        let numbers = Numbers { refusals, ..Numbers::default() };
        let page = of(numbers);
        assert!(page.contains("sendgate_refusals_total{action=\"invite\",reason=\"pacing\"} 3\n"));
    }

    #[test]
    fn what_the_gate_does_is_counted_where_it_is() {
        let page = of(Numbers::default());
        assert!(page.contains("sendgate_activity_counted 0\n") && !page.contains("sendgate_grants_total"));
        let line = |what: &str, action: Option<&str>, outcome: Option<&str>| Activity {
            what: what.to_owned(),
            action: action.map(str::to_owned),
            outcome: outcome.map(str::to_owned),
            counted: 7,
        };
        let activity = vec![
            line("grant", Some("invite"), None),
            line("outcome", Some("invite"), Some("rejected")),
            line("breaker_set", None, None),
        ];
        let page = of(Numbers { activity, ..Numbers::default() });
        for line in [
            "sendgate_grants_total{action=\"invite\"} 7",
            "sendgate_outcomes_total{action=\"invite\",outcome=\"rejected\"} 7",
            "sendgate_breaker_sets_total 7",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        }
    }

    #[test]
    fn an_unknown_kind_of_alert_is_shown_too() {
        let numbers = Numbers { alerts: vec![("new_kind".to_owned(), 3)], ..Numbers::default() };
        let page = of(numbers);
        assert!(page.contains("sendgate_alerts_open{kind=\"new_kind\"} 3\n"));
    }

    #[test]
    fn samples_are_written_as_prometheus_reads_them() {
        let job = Heartbeat { job: "a\"b\\c\n".to_owned(), ..Heartbeat::default() };
        let page = of(Numbers { jobs: vec![job], ..Numbers::default() });
        let line = "sendgate_job_heartbeat_age_seconds{job=\"a\\\"b\\\\c\\n\"} NaN";
        assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        assert!(page.ends_with('\n') && !page.contains("EOF"));
    }
}
