//! The page of `/metrics` in Prometheus' text format: the database's numbers, and this process's own.

mod families;
mod page;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use tokio::time::timeout;

use crate::db::numbers::Numbers;
use crate::db::served::{Member, Members, Standing};
use crate::error::{Error, Result};
use crate::tasks::tally::Tally;
use page::{Counted, Of};

/// Numbers older than this are counted again when they are asked for: several scrapers cost as much as one.
/// The page says how old they are.
const AGE_MAX: Duration = Duration::from_secs(10);
/// Longest time to count. Scrapers give up after ten seconds, and a page without numbers has to come before
/// that.
const COUNT_WITHIN: Duration = Duration::from_secs(8);

/// The numbers of a database, and when they were counted.
type Known = Option<(Instant, Arc<Numbers>)>;

/// Counts when a scraper asks, all databases at once, and keeps the numbers for ten seconds.
#[derive(Debug)]
pub struct Metrics {
    members: Members,
    tally: Tally,
    /// The numbers of each database.
    counted: Vec<Known>,
}

impl Metrics {
    /// Metrics that are counted over the pages' connections.
    pub fn new(members: Members, tally: Tally) -> Metrics {
        let counted = vec![None; members.len()];
        Metrics { members, tally, counted }
    }

    /// The page, with numbers of now or of a moment ago. Numbers that cannot be counted are missing, not old.
    pub async fn page(&mut self) -> String {
        let known = self.counted.iter().cloned();
        let counting: Vec<_> = self.members.iter().cloned().zip(known).map(of_one).collect();
        self.counted = join_all(counting).await;
        render(&self.members, self.of_all(), &self.tally)
    }

    fn of_all(&self) -> Counted {
        let of = |(member, known): (&Arc<Member>, &Known)| {
            let (at, numbers) = known.as_ref()?;
            let server = member.identity().map(|identity| identity.system_identifier);
            Some(Of { database: member.label.clone(), server, age: at.elapsed(), numbers: numbers.clone() })
        };
        let databases: Vec<Of> = self.members.iter().zip(&self.counted).filter_map(of).collect();
        Counted { some_are_missing: databases.len() < self.members.len(), databases }
    }
}

/// The numbers of one database: those that are known, if they are fresh; none if it cannot be counted.
async fn of_one((member, known): (Arc<Member>, Known)) -> Known {
    if let Some(fresh) = known.filter(|(at, _)| at.elapsed() <= AGE_MAX) {
        return Some(fresh);
    }
    match count(&member).await {
        Ok(numbers) => Some((Instant::now(), Arc::new(numbers))),
        Err(error) => {
            tracing::warn!(database = member.label.as_deref(), %error, "metrics cannot be counted");
            None
        }
    }
}

/// Counts one database. One that is known to be down is not waited for.
async fn count(member: &Member) -> Result<Numbers> {
    if let (Some(_), Standing::Down(why)) = (&member.label, member.standing()) {
        return Err(Error::Usage(why));
    }
    let began = Instant::now();
    let mut link = member.pages.turn().await?;
    let counting = async { link.session().await?.numbers().await };
    let late = Error::TimedOut { what: "counting for metrics", after: COUNT_WITHIN };
    let within = COUNT_WITHIN.saturating_sub(began.elapsed());
    let counted = timeout(within, counting).await.unwrap_or(Err(late));
    link.settled(counted).await
}

/// The whole page; without the numbers of a database that cannot be asked.
fn render(members: &Members, counted: Counted, tally: &Tally) -> String {
    let mut registry = Registry::default();
    let build = Family::<[(&str, &str); 1], Gauge>::default();
    build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
    registry.register("sendgate_build_info", "Version of the daemon", build);
    let help = "Whether the database answered when it was last asked for these numbers";
    let (answered, up) = (Family::<Vec<(&str, String)>, Gauge>::default(), Family::default());
    for member in members.iter() {
        let labels: Vec<(&str, String)> =
            member.label.iter().map(|name| ("database", name.to_string())).collect();
        let has = counted.databases.iter().any(|of| of.database == member.label);
        answered.get_or_create(&labels).set(has.into());
        if member.label.is_some() {
            let is_up = matches!(member.standing(), Standing::Up(_));
            Family::<Vec<(&str, String)>, Gauge>::get_or_create(&up, &labels).set(is_up.into());
        }
    }
    match members.iter().any(|member| member.label.is_some()) {
        // A family without labels and one of a single number are written in the same way.
        false => {
            let has = i64::from(!counted.databases.is_empty());
            registry.register("sendgate_database_up", help, ConstGauge::new(has));
        }
        true => {
            registry.register("sendgate_database_up", help, answered);
            let help = "Whether the database answers and has the extension; asked all the time";
            registry.register("sendgate_up", help, up);
        }
    }
    tally.register(&mut registry);
    if !counted.databases.is_empty() {
        registry.register_collector(Box::new(counted));
    }
    let mut page = String::new();
    encode(&mut page, &registry).expect("a String takes any text");
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::databases::{Named, read};
    use crate::db::heartbeats::Heartbeat;
    use crate::db::numbers::Activity;

    fn members(urls: &[&str]) -> Members {
        let given: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
        let named = Named { given: &given, ..Named::default() };
        Member::all(&read(named, Duration::from_secs(3), |_| Ok(Duration::ZERO)).expect("databases"))
    }

    fn one(database: Option<&str>, server: i64, numbers: Numbers) -> Of {
        let (database, numbers) = (database.map(Arc::from), Arc::new(numbers));
        Of { database, server: Some(server), age: Duration::ZERO, numbers }
    }

    fn of(numbers: Numbers) -> String {
        let counted = Counted { databases: vec![one(None, 1, numbers)], some_are_missing: false };
        render(&members(&["postgres://u@h/a"]), counted, &Tally::alone())
    }

    /// Of two databases, a and b.
    fn of_two(databases: Vec<Of>) -> String {
        let members = members(&["postgres://u@h/a", "postgres://u@h/b"]);
        members[0].stands(Standing::Up("0.3.0".to_owned()));
        let tally = Tally::of(members.iter().map(|member| member.label.clone())).remove(0);
        render(&members, Counted { some_are_missing: databases.len() < 2, databases }, &tally)
    }

    fn has(page: &str, line: &str) -> bool {
        page.lines().any(|found| found == line)
    }

    #[test]
    fn several_databases_have_a_label_and_their_total_another_name() {
        let numbers = |paused, alerts| Numbers {
            paused,
            alerts: vec![("over_cap".to_owned(), alerts)],
            accounts: vec![("connected".to_owned(), "auto".to_owned(), 10 * alerts)],
            ..Numbers::default()
        };
        let page = of_two(vec![one(Some("a"), 1, numbers(true, 2)), one(Some("b"), 2, numbers(false, 3))]);
        for line in [
            "sendgate_up{database=\"a\"} 1",
            "sendgate_up{database=\"b\"} 0",
            "sendgate_database_up{database=\"b\"} 1",
            "sendgate_paused{database=\"a\"} 1",
            "sendgate_paused{database=\"b\"} 0",
            "sendgate_fleet_paused 1",
            "sendgate_alerts_open{database=\"a\",kind=\"over_cap\"} 2",
            "sendgate_alerts_open{database=\"b\",kind=\"over_cap\"} 3",
            "sendgate_fleet_alerts_open{kind=\"over_cap\"} 5",
            "sendgate_fleet_accounts{status=\"connected\"} 50",
            "sendgate_rounds_total{database=\"a\"} 0",
            "sendgate_rounds_total{database=\"b\"} 0",
        ] {
            assert!(has(&page, line), "{line} is missing in\n{page}");
        }
        // No name has both parts and totals, and no family is there twice.
        for line in page.lines().filter(|line| line.starts_with("sendgate_") && !line.contains("build_info"))
        {
            assert_eq!(line.starts_with("sendgate_fleet_"), !line.contains("database=\""), "{line}");
        }
        let mut families: Vec<&str> = page.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let all = families.len();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), all);
    }

    #[test]
    fn a_total_that_would_be_too_low_is_missing() {
        let page = of_two(vec![one(Some("a"), 1, Numbers::default())]);
        assert!(
            has(&page, "sendgate_paused{database=\"a\"} 0")
                && has(&page, "sendgate_database_up{database=\"b\"} 0")
        );
        assert!(!page.contains("sendgate_fleet_"), "{page}");
    }

    #[test]
    fn what_a_server_counts_for_all_its_databases_is_told_once() {
        let numbers = || Numbers {
            refusals: vec![("invite".to_owned(), "pacing".to_owned(), 3)],
            ..Numbers::default()
        };
        let page = |server| of_two(vec![one(Some("a"), 1, numbers()), one(Some("b"), server, numbers())]);
        let line = |name: &str| {
            format!("sendgate_refusals_total{{database=\"{name}\",action=\"invite\",reason=\"pacing\"}} 3")
        };
        assert!(has(&page(1), &line("a")) && !has(&page(1), &line("b")));
        assert!(has(&page(2), &line("a")) && has(&page(2), &line("b")));
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
        let counted = Counted { databases: Vec::new(), some_are_missing: true };
        let page = render(&members(&["postgres://u@h/a"]), counted, &Tally::alone());
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
