//! Prints the breaker's lines, each committed set, clear and skip once: a line is taken, printed and flushed,
//! and only then deleted from the database's outbox.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

use crate::config::target::Target;
use crate::db::outbox::Line;
use crate::db::{Link, Purpose};
use crate::error::{Error, Result, Retry};
use crate::schedule::{Backoff, chance};
use crate::shutdown::Shutdown;
use crate::tasks::tally::Tally;
use crate::terminal::harmless_json;

/// Lines of one transaction: enough for any burst, and few enough to be printed again after a kill.
const LINES_MAX: i32 = 500;
/// Pause before an empty outbox is read again.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Limit of the lines that are remembered because their transaction's end is unknown.
const UNSETTLED_MAX: usize = 20 * LINES_MAX as usize;

/// Takes lines from one database and writes them to `out`, which several databases share: a batch is written whole.
#[derive(Debug)]
pub struct Outbox<W> {
    link: Link,
    out: Arc<Mutex<W>>,
    shutdown: Shutdown,
    tally: Tally,
    unsettled: Unsettled,
}

/// Ids of printed lines whose transaction's end is unknown, because the connection was lost before the
/// answer. If they come again they are not printed again.
#[derive(Debug, Default)]
struct Unsettled(VecDeque<String>);

impl Unsettled {
    fn remember(&mut self, lines: &[Line]) {
        self.0.extend(lines.iter().map(|line| line.id.clone()));
        let excess = self.0.len().saturating_sub(UNSETTLED_MAX);
        self.0.drain(..excess);
    }

    fn settle(&mut self, lines: &[Line]) {
        self.0.retain(|id| !lines.iter().any(|line| line.id == *id));
    }

    fn holds(&self, line: &Line) -> bool {
        self.0.contains(&line.id)
    }
}

impl<W: AsyncWrite + Unpin> Outbox<W> {
    /// Not connected yet.
    pub fn new(target: Arc<Target>, out: Arc<Mutex<W>>, shutdown: Shutdown, tally: Tally) -> Outbox<W> {
        let link = Link::new(target, Purpose::Outbox);
        Outbox { link, out, shutdown, tally, unsettled: Unsettled::default() }
    }

    /// Prints until the shutdown signal.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] if standard output cannot be written; every other error is retried.
    pub async fn run(mut self) -> Result<()> {
        let mut backoff = Backoff::of_connections();
        while !self.shutdown.is_on() {
            let pause = match self.pass().await {
                Ok(taken) => {
                    backoff.reset();
                    if taken == LINES_MAX as usize { Duration::ZERO } else { LOOK_EVERY }
                }
                Err(error @ Error::Output(_)) => {
                    self.link.close().await;
                    return Err(error);
                }
                Err(error) => {
                    let pause = backoff.after_failure(chance());
                    let retry_in_ms = pause.as_millis() as u64;
                    let database = self.tally.database().map(|name| &**name);
                    tracing::warn!(database, %error, retry_in_ms, "the breaker's lines wait for the database");
                    if error.retry() != Retry::Later {
                        self.link.close().await;
                    }
                    pause
                }
            };
            self.shutdown.sleep(pause).await;
        }
        self.link.close().await;
        Ok(())
    }

    /// One transaction: takes, prints, commits. Answers how many lines were taken.
    async fn pass(&mut self) -> Result<usize> {
        let session = tokio::select! {
            session = self.link.session() => session?,
            () = self.shutdown.wait() => return Ok(0),
        };
        let mut lines = session.take_breaker_lines(LINES_MAX).await?;
        for line in &mut lines {
            line.database = self.tally.database().map(ToString::to_string);
        }
        let fresh: Vec<&Line> = lines.iter().filter(|line| !self.unsettled.holds(line)).collect();
        if !fresh.is_empty() {
            print(&mut *self.out.lock().await, &fresh).await.map_err(Error::Output)?;
        }
        self.tally.lines_printed(fresh.len());
        match session.keep_breaker_lines().await {
            Ok(()) => self.unsettled.settle(&lines),
            Err(error) => {
                self.unsettled.settle(&lines);
                self.unsettled.remember(&lines);
                return Err(error);
            }
        }
        Ok(lines.len())
    }
}

/// Writes lines, and flushes them.
async fn print<W: AsyncWrite + Unpin>(out: &mut W, lines: &[&Line]) -> std::io::Result<()> {
    let mut text = String::with_capacity(lines.len() * 256);
    for line in lines {
        // Standard output may be a terminal.
        text += &harmless_json(&serde_json::to_string(line)?);
        text.push('\n');
    }
    out.write_all(text.as_bytes()).await?;
    out.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str) -> Line {
        Line {
            source: Line::SOURCE,
            action: "set".to_owned(),
            account_id: "a\"\n\u{1b}".to_owned(),
            prospect_id: None,
            ts: "2025-01-01T00:00:00.000000Z".to_owned(),
            id: id.to_owned(),
            reason: "credits_exhausted".to_owned(),
            actor: "app".to_owned(),
            exhausted_at: None,
            campaign_id: Some("c".to_owned()),
            database: None,
        }
    }

    #[tokio::test]
    async fn a_line_is_one_line_whatever_is_in_it() {
        let mut out = Vec::new();
        print(&mut out, &[&line("1"), &line("2")]).await.expect("to write");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.lines().count(), 2);
        let first = text.lines().next().expect("a line");
        assert!(first.starts_with(
            r#"{"source":"inmail_credit_breaker","action":"set","account_id":"a\"\n\u001b","prospect_id":null,"#
        ));
        assert!(!first.contains("exhausted_at") && first.contains(r#""campaign_id":"c""#));
        assert!(!first.contains("database"), "one database is named nowhere");
        let of_eu = Line { database: Some("eu".into()), ..line("3") };
        let mut out = Vec::new();
        print(&mut out, &[&of_eu]).await.expect("to write");
        assert!(String::from_utf8(out).expect("text").ends_with(",\"database\":\"eu\"}\n"));
    }

    #[test]
    fn what_may_be_printed_is_remembered_until_it_is_settled() {
        let mut unsettled = Unsettled::default();
        unsettled.remember(&[line("1"), line("2")]);
        assert!(unsettled.holds(&line("1")) && !unsettled.holds(&line("3")));
        unsettled.settle(&[line("1")]);
        assert!(!unsettled.holds(&line("1")) && unsettled.holds(&line("2")));
        let many: Vec<Line> = (0..UNSETTLED_MAX + 5).map(|n| line(&n.to_string())).collect();
        unsettled.remember(&many);
        assert_eq!(unsettled.0.len(), UNSETTLED_MAX);
    }
}
