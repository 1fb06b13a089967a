//! Posts notifications: a task for each webhook and database, so that a receiver that is slow or dead delays no other, nor
//! does a database that is down.
//!
//! A loan is a short transaction, and no connection waits for a receiver. What is posted is settled before anything
//! else of its account is lent. A daemon that is killed leaves its loans to end by themselves, and the same events are
//! posted again under the same ids.

mod body;
mod post;
mod sign;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::config::webhooks::Webhook;
use crate::db::SharedLink;
use crate::db::notifications::Notification;
use crate::error::Result;
use crate::schedule::{Backoff, chance};
use crate::shutdown::Shutdown;
use crate::tasks::tally::Tally;
pub use post::Poster;

/// Most posts to one receiver at a time, each about another account.
const AT_ONCE: usize = 8;
/// Pause before the outbox is asked again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How much longer a loan lasts than an attempt: settling it may have to wait for the database.
const LEASE_GRACE: Duration = Duration::from_secs(50);
/// Longest wait after a failed attempt. When a receiver is back, every account's events come within this time.
const RETRY_MAX: Duration = Duration::from_secs(600);
/// How long the shutdown waits for posts that are under way.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// What the posts of a webhook share.
#[derive(Debug)]
struct Shared {
    webhook: Webhook,
    poster: Poster,
    link: SharedLink,
    tally: Tally,
}

/// Posts what one webhook is told of one database.
#[derive(Debug)]
pub struct Notifier {
    shared: Arc<Shared>,
    shutdown: Shutdown,
    /// Whether the database knows the webhook; asked anew after each error.
    registered: bool,
    /// Ids of the events that are being posted or settled.
    under_way: HashSet<String>,
    /// Waits after failures of the receiver, whatever the account.
    receiver: Backoff,
    paused_until: Option<Instant>,
}

/// How an attempt ended.
struct Attempt {
    id: String,
    was_taken: bool,
}

impl Notifier {
    /// Nothing is registered or posted yet.
    pub fn new(
        webhook: Webhook,
        poster: Poster,
        link: SharedLink,
        shutdown: Shutdown,
        tally: Tally,
    ) -> Notifier {
        tally.knows_webhook(&webhook.name);
        let receiver = Backoff::new(webhook.retry, RETRY_MAX.max(webhook.retry));
        let shared = Arc::new(Shared { webhook, poster, link, tally });
        let under_way = HashSet::new();
        Notifier { shared, shutdown, registered: false, under_way, receiver, paused_until: None }
    }

    /// Posts until the shutdown signal.
    pub async fn run(mut self) -> Result<()> {
        let mut posts = JoinSet::new();
        let mut database = Backoff::of_connections();
        while !self.shutdown.is_on() {
            let pause = match self.lend(&mut posts).await {
                Ok(()) => {
                    database.reset();
                    LOOK_EVERY
                }
                Err(error) => {
                    self.registered = false;
                    let pause = database.after_failure(chance());
                    let (webhook, retry_in_ms) = (&self.shared.webhook.name, pause.as_millis() as u64);
                    let database = self.shared.tally.database().map(|name| &**name);
                    tracing::warn!(database, %webhook, %error, retry_in_ms, "notifications wait for the database");
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => (),
                Some(ended) = posts.join_next() => self.ended(ended.ok()),
                () = self.shutdown.wait() => (),
            }
        }
        let _ = timeout(FINISH_WITHIN, async { while posts.join_next().await.is_some() {} }).await;
        posts.shutdown().await;
        Ok(())
    }

    /// Begins as many posts as there is room for.
    async fn lend(&mut self, posts: &mut JoinSet<Attempt>) -> Result<()> {
        let room = AT_ONCE.saturating_sub(self.under_way.len());
        if room == 0 || self.paused_until.is_some_and(|until| until > Instant::now()) {
            return Ok(());
        }
        let mut shutdown = self.shutdown.clone();
        let lent = tokio::select! {
            lent = self.take(room) => lent?,
            () = shutdown.wait() => return Ok(()),
        };
        // Events that were settled until then may be among them: they are under way no longer.
        while let Some(ended) = posts.try_join_next() {
            self.ended(ended.ok());
        }
        for notification in lent {
            // Its loan has ended while it waits to be settled: posting it again would repeat it.
            if self.under_way.insert(notification.id.clone()) {
                posts.spawn(attempt(self.shared.clone(), notification, self.shutdown.clone()));
            }
        }
        Ok(())
    }

    async fn take(&mut self, room: usize) -> Result<Vec<Notification>> {
        let Shared { webhook, link, .. } = &*self.shared;
        let mut link = link.turn().await?;
        let lease = webhook.timeout + LEASE_GRACE;
        let registered = self.registered;
        let taking = async {
            let session = link.session().await?;
            if !registered {
                session.register_webhook(&webhook.name, &webhook.events).await?;
            }
            session.take_notifications(&webhook.name, room as i32, lease.as_secs_f64()).await
        };
        let taken = taking.await;
        self.registered = taken.is_ok();
        link.settled(taken).await
    }

    /// A receiver that takes nothing is asked less and less often, whatever the account.
    fn ended(&mut self, attempt: Option<Attempt>) {
        let Some(Attempt { id, was_taken }) = attempt else { return };
        self.under_way.remove(&id);
        if was_taken {
            self.receiver.reset();
            self.paused_until = None;
        } else if self.paused_until.is_none_or(|until| until <= Instant::now()) {
            self.paused_until = Some(Instant::now() + self.receiver.after_failure(chance()));
        }
    }
}

/// Posts one event, and settles it.
async fn attempt(shared: Arc<Shared>, lent: Notification, mut shutdown: Shutdown) -> Attempt {
    let Shared { webhook, poster, tally, .. } = &*shared;
    let database = tally.database().map(|name| &**name);
    let text = body::of(webhook.format, &lent, database);
    let posted = poster.post(webhook, &lent.id, text).await;
    let failed = posted.err();
    tally.posted(&webhook.name, failed.is_none());
    if let Some(error) = &failed {
        let (webhook, account) = (&webhook.name, &lent.account_id);
        tracing::warn!(database, %webhook, account_id = %account, event = %lent.event, id = %lent.id, attempt = lent.attempt,
                       %error, "a notification was not taken");
    }
    settle(&shared, &lent, failed.as_deref(), &mut shutdown).await;
    Attempt { id: lent.id, was_taken: failed.is_none() }
}

/// Tells the database, for as long as it takes: an event that was posted is not to be posted again because the database
/// was away for a moment.
async fn settle(shared: &Shared, lent: &Notification, error: Option<&str>, shutdown: &mut Shutdown) {
    let Shared { webhook, link, tally, .. } = shared;
    let retry_in = retry_in(webhook.retry, lent.attempt, chance()).as_secs_f64();
    let mut waits = Backoff::of_connections();
    let database = tally.database().map(|name| &**name);
    loop {
        let settled = match link.turn().await {
            Ok(mut link) => {
                let settling = async {
                    link.session().await?.settle_notification(&webhook.name, lent, error, retry_in).await
                };
                let settled = settling.await;
                link.settled(settled).await
            }
            Err(busy) => Err(busy),
        };
        match settled {
            Ok(became) => {
                if became.as_deref() == Some("given_up") {
                    tally.gave_up(&webhook.name);
                    let (webhook, account) = (&webhook.name, &lent.account_id);
                    tracing::error!(database, %webhook, account_id = %account, event = %lent.event, id = %lent.id,
                                    "a notification was given up after a day");
                }
                return;
            }
            // Forgotten meanwhile, with all that waited for it.
            Err(error) if error.is_unknown_webhook() => return,
            Err(_) if shutdown.is_on() => return,
            Err(error) => {
                let webhook = &webhook.name;
                tracing::warn!(database, %webhook, %error, id = %lent.id, "a notification cannot be settled yet");
                shutdown.sleep(waits.after_failure(chance())).await;
            }
        }
    }
}

/// The wait after this attempt of an event: doubled by each, up to ten minutes.
fn retry_in(first: Duration, attempt: u32, chance: f64) -> Duration {
    let mut waits = Backoff::new(first, RETRY_MAX.max(first));
    for _ in 1..attempt.clamp(1, 20) {
        waits.after_failure(0.0);
    }
    waits.after_failure(chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_the_attempts_of_an_event() {
        let wait = |attempt| retry_in(Duration::from_secs(5), attempt, 0.0).as_secs();
        assert_eq!([1, 2, 3, 7, 8, 1_000_000].map(wait), [5, 10, 20, 320, 600, 600]);
        assert_eq!(retry_in(Duration::from_secs(900), 3, 0.0), Duration::from_secs(900));
    }
}
