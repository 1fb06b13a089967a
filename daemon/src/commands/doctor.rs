//! `doctor`: checks the installation and says what to do.

mod between;
mod proxy;
mod webhooks;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::config::databases::Database;
use crate::config::target::Target;
use crate::config::webhooks::Webhook;
use crate::db::checkup::Server;
use crate::db::served::{Reached, close, reach};
use crate::db::{Purpose, Session};
use crate::error::Result;
use crate::terminal::{Style, Tone, print, stripped};
use crate::words::{self, COPIED};

/// Largest difference of clocks, in seconds. A larger one makes logs of several machines hard to read;
/// decisions use only the database's clock.
const SKEW_SECONDS_MAX: f64 = 2.0;
/// The oldest PostgreSQL that sendgate runs on.
const VERSION_NUMBER_MIN: i32 = 150_000;

/// The options of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// A proxy in front of these databases, its partitions: whether its addresses, functions and rights are what proxy-sql
    /// would make now, and whether each account is where its calls go. Any login of it will do. Give it once for each proxy
    #[arg(long = "proxy", value_name = "URL")]
    proxies: Vec<String>,
}

/// One finding.
#[derive(Debug)]
struct Finding {
    tone: Tone,
    what: String,
    todo: Option<String>,
}

/// All findings.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, what: impl Into<String>) {
        self.0.push(Finding { tone: Tone::Good, what: what.into(), todo: None });
    }

    /// Worth knowing, and perhaps intended.
    fn note(&mut self, what: impl Into<String>) {
        self.0.push(Finding { tone: Tone::Notable, what: what.into(), todo: None });
    }

    /// A person has to do something.
    fn bad(&mut self, what: impl Into<String>, todo: impl Into<String>) {
        self.0.push(Finding { tone: Tone::Bad, what: what.into(), todo: Some(todo.into()) });
    }

    fn all_well(&self) -> bool {
        self.0.iter().all(|finding| finding.tone != Tone::Bad)
    }

    fn todo(&self) -> usize {
        self.0.iter().filter(|finding| finding.tone == Tone::Bad).count()
    }

    fn lines(&self, style: Style) -> String {
        let mut out = String::new();
        for finding in &self.0 {
            let mark = match finding.tone {
                Tone::Bad => "BAD ",
                Tone::Notable => "note",
                _ => "ok  ",
            };
            out += &format!("{}  {}\n", style.paint(mark, finding.tone), stripped(&finding.what));
            if let Some(todo) = &finding.todo {
                out += &format!("      to do: {}\n", stripped(todo));
            }
        }
        out
    }
}

/// Findings under their headings; none where one database is served.
fn shown(style: Style, parts: &[(Option<String>, Findings)]) -> String {
    let mut out = String::new();
    for (heading, findings) in parts {
        if let Some(heading) = heading {
            out += &format!("{}\n", style.paint(&stripped(heading), Tone::Strong));
        }
        out += &findings.lines(style);
    }
    let todo: usize = parts.iter().map(|(_, findings)| findings.todo()).sum();
    out += &match todo {
        0 => "nothing to do\n".to_owned(),
        1 => "1 thing to do\n".to_owned(),
        more => format!("{more} things to do\n"),
    };
    out
}

/// Checks everything and prints the findings. Answers whether there is nothing to do.
pub async fn examine(databases: &[Database], configured: &[Webhook], arguments: &Arguments) -> Result<bool> {
    let read = |url: &String| Target::read(url, None).map(Arc::new);
    let proxies: Vec<Arc<Target>> = arguments.proxies.iter().map(read).collect::<Result<_>>()?;
    let reached = reach(databases, Purpose::Command).await?;
    let examined = examine_all(&reached, configured, &proxies).await;
    close(reached).await;
    let parts = examined?;
    print(&shown(Style::of_stdout(), &parts));
    Ok(parts.iter().all(|(_, findings)| findings.all_well()))
}

async fn examine_all(
    reached: &[Reached],
    configured: &[Webhook],
    proxies: &[Arc<Target>],
) -> Result<Vec<(Option<String>, Findings)>> {
    let mut parts = Vec::new();
    let mut usable: Vec<(&str, &Session)> = Vec::new();
    for one in reached {
        let mut findings = Findings::default();
        let is_usable = match &one.session {
            Ok(session) => examine_one(session, &one.target.place(), configured, &mut findings).await,
            Err(error) => {
                findings.bad(error.to_string(), "see that it runs and can be reached from here");
                Ok(false)
            }
        };
        match (is_usable, &one.session) {
            (Ok(true), Ok(session)) => usable.push((&one.name, session)),
            (Err(error), _) if one.label.is_none() => return Err(error),
            (Err(error), _) => findings.bad(error.to_string(), "look at its server's log"),
            _ => (),
        }
        parts.push((one.label.as_ref().map(|name| format!("database {name}")), findings));
    }
    if let [_, _, ..] = reached {
        let mut findings = Findings::default();
        between::look(&usable, &mut findings).await?;
        if usable.len() < reached.len() {
            findings.note("databases that cannot be asked were not compared");
        }
        parts.push((Some("between the databases".to_owned()), findings));
    }
    let usable: Vec<&str> = usable.iter().map(|(name, _)| *name).collect();
    for target in proxies {
        let mut findings = Findings::default();
        proxy::look(target, reached, &usable, &mut findings).await?;
        parts.push((Some(format!("proxy {}", target.place())), findings));
    }
    if !proxies.is_empty() {
        let mut findings = Findings::default();
        proxy::accounts(reached, &usable, &mut findings).await?;
        parts.push((Some("where the accounts are".to_owned()), findings));
    }
    Ok(parts)
}

/// Checks one database. Answers whether it can be compared with others.
async fn examine_one(
    session: &Session,
    place: &str,
    configured: &[Webhook],
    findings: &mut Findings,
) -> Result<bool> {
    findings.good(format!("connected to {place}"));
    let server = session.server().await?;
    look_at_server(&server, findings);
    let usable = look_at_extension(session, &server, findings).await?;
    if usable {
        look_at_grants(session, &server, findings).await?;
        look_at_stops(session, findings).await?;
        look_at_settings(session, findings).await?;
        look_at_books(session, findings).await?;
        look_at_guards(session, findings).await?;
        webhooks::look(session, configured, findings).await?;
    }
    Ok(usable)
}

fn look_at_server(server: &Server, findings: &mut Findings) {
    let what = format!("PostgreSQL {}", server.version);
    if server.version_number < VERSION_NUMBER_MIN {
        findings.bad(what, "upgrade to PostgreSQL 15 or later");
    } else {
        findings.good(what);
    }
    if server.is_standby {
        findings.bad(
            "this server is a standby: nothing can be run here",
            "name all servers in the database URL: run looks for the one that takes writes",
        );
    }
    findings.good(if server.tls { "the connection uses TLS" } else { "the connection does not use TLS" });
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let ahead = server.clock_seconds - here;
    let what = format!("the database's clock is {ahead:+.3} s from this machine's");
    if ahead.abs() > SKEW_SECONDS_MAX {
        findings.bad(what, "let both machines follow the same time servers (chrony, systemd-timesyncd)");
    } else {
        findings.good(what);
    }
}

/// Whether the extension is there and usable, so that the next checks can run.
async fn look_at_extension(session: &Session, server: &Server, findings: &mut Findings) -> Result<bool> {
    let Some(version) = session.extension_version().await? else {
        let todo = match session.available_version().await? {
            Some(_) => "CREATE EXTENSION sendgate, in this database, as a superuser",
            None => {
                "install the extension's files on the server (make install), then CREATE EXTENSION sendgate"
            }
        };
        findings.bad("the extension sendgate is not in this database", todo);
        return Ok(false);
    };
    match session.available_version().await? {
        Some(available) if available != version => findings.bad(
            format!("the extension is {version}, the server has {available}"),
            "ALTER EXTENSION sendgate UPDATE",
        ),
        _ => findings.good(format!("the extension is {version}")),
    }
    let own = env!("CARGO_PKG_VERSION");
    if own != version {
        findings.note(format!("this daemon is {own}, the extension {version}"));
    }
    let roles = session.roles().await?;
    for role in &roles {
        let name = &role.name;
        if !role.exists {
            let todo = "drop and create the extension again, or create the role and its grants by hand";
            findings.bad(format!("the role {name} is missing"), todo);
        } else if role.is_too_strong {
            let todo = format!("ALTER ROLE {name} NOLOGIN NOSUPERUSER");
            findings.bad(format!("{name} can log in or is a superuser"), todo);
        }
    }
    let user = &server.user;
    if !roles.iter().any(|role| role.name == "sendgate_daemon" && role.is_ours) {
        let todo = format!("GRANT sendgate_daemon TO \"{user}\"");
        findings.bad(format!("{user} is not a member of sendgate_daemon"), todo);
        return Ok(false);
    }
    Ok(true)
}

async fn look_at_grants(session: &Session, server: &Server, findings: &mut Findings) -> Result<()> {
    let user = &server.user;
    if server.is_superuser {
        findings.note(format!("{user} is a superuser; the role sendgate_daemon is enough"));
    }
    let missing = session.missing_grants().await?;
    if missing.is_empty() {
        findings.good(format!("{user} may do what a daemon has to do"));
    } else {
        findings.bad(
            format!("{user} may not call {}", missing.join(", ")),
            "GRANT EXECUTE on them to sendgate_daemon, as shipped; it was revoked",
        );
    }
    let public = session.public_grants().await?;
    if public.is_empty() {
        findings.good("nothing is granted to PUBLIC");
    } else {
        let todo = "REVOKE ALL on them FROM PUBLIC";
        findings.bad(format!("PUBLIC has rights on {}", public.join(", ")), todo);
    }
    Ok(())
}

/// What holds for all accounts.
async fn look_at_stops(session: &Session, findings: &mut Findings) -> Result<()> {
    let (_, stopped) = session.stopped().await?;
    let told = stopped.told();
    if !told.iter().any(|line| line.stops) {
        findings.good("nothing is paused");
    }
    for line in told {
        findings.bad(line.what, line.todo);
    }
    Ok(())
}

async fn look_at_settings(session: &Session, findings: &mut Findings) -> Result<()> {
    let mut changed = false;
    for setting in session.changed_settings().await? {
        let unit = &setting.unit;
        let what = format!("{} = {}{unit} (default {}{unit})", setting.name, setting.value, setting.default);
        match setting.name.as_str() {
            // Told above.
            "sendgate.test_clock" => {}
            "sendgate.clock_offset" | "sendgate.now" => {
                findings.bad(what, "remove it from the configuration file and reload, unless this is a test");
            }
            "fsync" | "full_page_writes" => {
                findings.bad(what, "switch it on: a crash could forget sends");
            }
            "autovacuum" => findings.bad(what, "switch it on: the hot tables need it"),
            _ => findings.note(what),
        }
        changed = true;
    }
    if session.counts_refusals().await? {
        findings.good("refusals are counted by reason");
    } else {
        findings.note(
            "refusals are not counted by reason: for that add sendgate to shared_preload_libraries and restart",
        );
    }
    if !changed {
        findings.good("all settings are as shipped");
    }
    Ok(())
}

async fn look_at_books(session: &Session, findings: &mut Findings) -> Result<()> {
    if session.is_copy().await? {
        findings.bad(
            COPIED,
            "SELECT sendgate.adopt_database('…'), if the original sends no more: two copies count apart",
        );
    } else {
        findings.good("the books were written in this database");
    }
    let observed = session.observed().await?;
    if observed.by_setting {
        findings.note(words::OBSERVED_BY_SETTING);
    }
    if !observed.accounts.is_empty() {
        findings.note(format!(
            "{} only observed: what a rule would refuse is granted and counted in sendgate.observed_refusals; set_enforcement ends it",
            observed.counted()
        ));
    }
    for job in session.heartbeats().await? {
        let name = &job.job;
        let state = job.last_state.as_deref().unwrap_or("never");
        if job.stale {
            let todo = "see that sendgated run or pg_cron's CALL sendgate.tick() is running, and its log";
            let what = match job.success_age_seconds {
                Some(age) => format!("{name} has not ended well for {age:.0} s; its last run: {state}"),
                None => format!("{name} has never ended well; its last run: {state}"),
            };
            findings.bad(what, todo);
        } else if job.has_failed() {
            findings.note(format!("{name}'s last run {state}; see sendgate.reconcile_runs"));
        } else {
            findings.good(format!("{name} runs"));
        }
    }
    for (kind, count) in session.alerts_by_kind().await? {
        findings.note(format!("open alerts of the kind {kind}: {count}; see sendgated status"));
    }
    Ok(())
}

/// The declarations of applications' triggers. A faulty one is found here before a row meets it.
async fn look_at_guards(session: &Session, findings: &mut Findings) -> Result<()> {
    let guards = session.guards().await?;
    for guard in &guards {
        let what = format!("trigger {} on {} ({})", guard.trigger, guard.table, guard.function);
        if let Some(fault) = &guard.fault {
            findings.bad(format!("{what}: {}. {}", fault.message, fault.detail), &fault.hint);
        }
        if let Some(advice) = &guard.advice {
            findings.note(format!("{what}: {advice}"));
        }
    }
    if !guards.is_empty() && guards.iter().all(|guard| guard.fault.is_none()) {
        findings.good(match guards.len() {
            1 => "the trigger that guards a table of an application is well declared".to_owned(),
            several => format!("{several} triggers that guard tables of applications are well declared"),
        });
    }
    Ok(())
}
