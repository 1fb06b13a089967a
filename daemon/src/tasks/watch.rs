//! Asks each of several databases all the time whether it can be used, over a connection of its own, so that health pages
//! and the console know at once which one is down and wait for none. Where one database is served, health checks ask it
//! themselves.

use std::sync::Arc;
use std::time::Duration;

use crate::db::served::{Identity, Member, Members, Standing};
use crate::db::{Link, Purpose};
use crate::error::Result;
use crate::schedule::{Backoff, chance};
use crate::shutdown::Shutdown;

/// Pause between two questions while it answers.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches one database.
#[derive(Debug)]
pub struct Watch {
    member: Arc<Member>,
    members: Members,
    link: Link,
    shutdown: Shutdown,
}

impl Watch {
    /// Nothing is asked yet. `members` are all that are served, this one among them.
    pub fn new(member: Arc<Member>, members: Members, shutdown: Shutdown) -> Watch {
        let link = Link::new(member.target.clone(), Purpose::Health);
        Watch { member, members, link, shutdown }
    }

    /// Asks until the shutdown signal.
    pub async fn run(mut self) -> Result<()> {
        let mut backoff = Backoff::of_connections();
        while !self.shutdown.is_on() {
            let mut shutdown = self.shutdown.clone();
            let standing = tokio::select! {
                standing = self.ask() => standing,
                () = shutdown.wait() => break,
            };
            let pause = match &standing {
                Standing::Down(_) => backoff.after_failure(chance()),
                _ => {
                    backoff.reset();
                    LOOK_EVERY
                }
            };
            self.note(standing);
            self.shutdown.sleep(pause).await;
        }
        self.link.close().await;
        Ok(())
    }

    async fn ask(&mut self) -> Standing {
        match self.answer().await {
            Ok((Some(version), identity)) => {
                self.member.is(identity);
                match self.member.same_as(&self.members) {
                    None => Standing::Up(version),
                    Some(other) => Standing::Down(format!(
                        "it is the same database as {other}: leave one of the two out of the configuration"
                    )),
                }
            }
            Ok((None, _)) => Standing::Down("the database lacks the extension sendgate".to_owned()),
            Err(error) => {
                self.link.close().await;
                Standing::Down(error.to_string())
            }
        }
    }

    async fn answer(&mut self) -> Result<(Option<String>, Identity)> {
        let session = self.link.session().await?;
        Ok((session.extension_version().await?, session.identity().await?))
    }

    fn note(&self, standing: Standing) {
        let was_down = self.member.is_down();
        let name = &*self.member.name;
        if !self.member.stands(standing.clone()) {
            return;
        }
        match standing {
            Standing::Down(error) if !was_down => {
                tracing::warn!(database = name, %error, "a database cannot be used; the others go on");
            }
            Standing::Up(version) => tracing::info!(database = name, %version, "a database can be used"),
            _ => (),
        }
    }
}
