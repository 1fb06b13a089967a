//! Does the acts: each form once, to its end even if the browser goes away, and with several attempts if the
//! account is held.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tokio::sync::watch::{self, Receiver};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{ActForm, ActQuery};
use crate::console::Console;
use crate::console::kind::Kind;
use crate::console::scope::chosen;
use crate::console::sessions::Visitor;
use crate::db::SharedLink;
use crate::db::Untrusted;
use crate::db::console::acts::Act;
use crate::db::served::Member;
use crate::error::{Error, Retry};

/// Longest time for attempts on a held account.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two attempts; a page that waits for the connection gets it first.
const PAUSE: Duration = Duration::from_millis(50);
/// Most forms that are remembered; operators send a few an hour.
const FORMS_MAX: usize = 1_000;
/// Longest wait for acts that are under way at shutdown.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// The key of a form: a hash of its session's secret and its own id.
type Form = [u8; 32];

/// The outcome of an act; none while it is under way.
type Outcome = Option<Result<(), Refused>>;

/// The reason why an act was not done, or may not have been done.
#[derive(Clone, Debug)]
pub enum Refused {
    /// It was not done, and the answer has this status and text.
    No(StatusCode, String),
    /// Unknown: the database's answer did not come.
    Unknown(String),
}

/// The acts under way, and the forms of recent acts.
#[derive(Debug, Default)]
pub struct Desk {
    tasks: JoinSet<()>,
    forms: VecDeque<(Form, Receiver<Outcome>)>,
}

impl Desk {
    /// Begins the act of a form, unless that form has begun it already. If its act was refused, a form may be
    /// sent again.
    pub fn begin(
        &mut self,
        form: Option<Form>,
        work: impl Future<Output = Result<(), Refused>> + Send + 'static,
    ) -> Receiver<Outcome> {
        while self.tasks.try_join_next().is_some() {}
        self.forms.retain(|(_, outcome)| !matches!(&*outcome.borrow(), Some(Err(_))));
        if let Some((_, outcome)) = self.forms.iter().find(|(known, _)| Some(*known) == form) {
            return outcome.clone();
        }
        let (tell, outcome) = watch::channel(None);
        self.tasks.spawn(async move {
            let done = work.await;
            tell.send_replace(Some(done));
        });
        if let Some(form) = form {
            self.forms.push_back((form, outcome.clone()));
            if self.forms.len() > FORMS_MAX {
                self.forms.pop_front();
            }
        }
        outcome
    }

    /// The acts under way, to be waited for.
    pub fn close(&mut self) -> JoinSet<()> {
        std::mem::take(&mut self.tasks)
    }
}

/// Waits a moment for the acts under way, then aborts them.
pub async fn finish(mut tasks: JoinSet<()>) {
    let _ = timeout(FINISH_WITHIN, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
}

/// The outcome, once it is known.
pub async fn outcome(mut told: Receiver<Outcome>) -> Result<(), Refused> {
    match told.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or(Ok(())),
        Err(_) => Err(Refused::Unknown("The daemon was told to stop meanwhile.".to_owned())),
    }
}

impl Console {
    /// The databases in which an act is done.
    pub fn targets(&self, kind: Kind) -> Vec<Arc<Member>> {
        let in_all = kind.is_everywhere() || kind.may_span() && chosen().is_none();
        if in_all { self.members.to_vec() } else { vec![self.one().clone()] }
    }
}

/// Does the act in each of these databases, logs it, and leaves a sentence for the session's next page.
pub async fn carry_out(
    console: Arc<Console>,
    visitor: Visitor,
    kind: Kind,
    query: ActQuery,
    given: ActForm,
    targets: Vec<Arc<Member>>,
) -> Result<(), Refused> {
    let act = query.act(kind, &given).map_err(|why| Refused::No(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    let note = given.note.trim();
    let (mut count, mut there_are_more) = (0, false);
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for target in &targets {
        match in_one(&target.pages, &visitor.name, act, note).await {
            Ok((settled, has_more)) => {
                (count, there_are_more) = (count + settled, there_are_more || has_more);
                done.push(&*target.name);
                let database = target.label.as_deref();
                tracing::info!(
                    database,
                    operator = visitor.name,
                    done = kind.name(),
                    account = query.id,
                    "an operator acted"
                );
            }
            Err(why) => refused.push((&*target.name, why)),
        }
    }
    console.forget_fleet();
    if let Some(why) = half_done(&done, refused) {
        return Err(why);
    }
    let mut told = kind.done(&query.id, count);
    if targets.len() > 1 {
        told += &format!(" It was done in the databases {}.", shown(&done.join(", ")));
    }
    if there_are_more {
        told += " There are more: do it again.";
    }
    console.sessions().leave_notice(&visitor, told);
    Ok(())
}

/// The refusal of an act that was not done everywhere; none if it was.
fn half_done(done: &[&str], mut refused: Vec<(&str, Refused)>) -> Option<Refused> {
    if done.is_empty() && refused.len() == 1 {
        return Some(refused.remove(0).1);
    }
    let told = |(name, why): &(&str, Refused)| match why {
        Refused::No(_, text) | Refused::Unknown(text) => format!("{name}: {text}"),
    };
    let where_not: Vec<String> = refused.iter().map(told).collect();
    let so_far = match done {
        [] => "Nothing was done.".to_owned(),
        done => format!("It was done in {} and nowhere else; do it again.", done.join(", ")),
    };
    (!refused.is_empty())
        .then(|| Refused::No(StatusCode::CONFLICT, shown(&format!("{so_far} {}", where_not.join(" ")))))
}

/// Does the act in one database, again while there is more of it. Answers how many it settled, and whether there are more.
async fn in_one(link: &SharedLink, actor: &str, act: Act<'_>, note: &str) -> Result<(i64, bool), Refused> {
    let begun = Instant::now();
    let mut count = patiently(link, actor, act, note).await?;
    let mut last = count;
    while last >= act.batch() && begun.elapsed() < PATIENCE {
        match patiently(link, actor, act, note).await {
            Ok(more) => last = more,
            // The batches before this one stay done.
            Err(_) => break,
        }
        count += last;
    }
    Ok((count, last >= act.batch()))
}

/// Tries again while the account is held, and lets other pages use the connection between two attempts.
async fn patiently(link: &SharedLink, actor: &str, act: Act<'_>, note: &str) -> Result<i64, Refused> {
    let begun = Instant::now();
    loop {
        let mut turn = link.turn().await.map_err(not_asked)?;
        let done = turn.session().await.map_err(not_asked)?.act(actor, act, note).await;
        let done = turn.settled(done).await;
        drop(turn);
        match done {
            Ok(count) => return Ok(count),
            Err(error) if !error.is_held() => return Err(answered(&error)),
            Err(_) if begun.elapsed() >= PATIENCE => return Err(held()),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// The refusal for a database that could not be asked.
fn not_asked(error: Error) -> Refused {
    Refused::No(StatusCode::SERVICE_UNAVAILABLE, shown(&format!("{error}. Nothing was changed.")))
}

/// The refusal for an error of the database, or for an answer that did not come.
fn answered(error: &Error) -> Refused {
    let text = shown(&error.to_string());
    if error.retry() == Retry::Later {
        Refused::No(StatusCode::CONFLICT, text)
    } else {
        Refused::Unknown(text)
    }
}

fn held() -> Refused {
    let text = format!(
        "The account is held by another session, and was not let go within {} s. Nothing was changed; try again. \
         A DBA sees who it is: a transaction that does not end.",
        PATIENCE.as_secs()
    );
    Refused::No(StatusCode::CONFLICT, text)
}

/// A refusal may quote text of other people.
fn shown(text: &str) -> String {
    Untrusted::from(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn no() -> Result<(), Refused> {
        Err(Refused::No(StatusCode::CONFLICT, "no".to_owned()))
    }

    #[tokio::test]
    async fn a_form_is_acted_on_once_unless_it_was_refused() {
        let (mut desk, done) = (Desk::default(), Arc::new(AtomicU32::new(0)));
        let work = |answer: fn() -> Result<(), Refused>| {
            let done = done.clone();
            async move {
                done.fetch_add(1, Ordering::Relaxed);
                answer()
            }
        };
        let (one, two) = (Some([1; 32]), Some([2; 32]));
        let both = (desk.begin(one, work(|| Ok(()))), desk.begin(one, work(|| Ok(()))));
        assert!(outcome(both.0).await.is_ok() && outcome(both.1).await.is_ok());
        assert!(outcome(desk.begin(one, work(no))).await.is_ok());
        assert_eq!(done.load(Ordering::Relaxed), 1);
        assert!(outcome(desk.begin(two, work(no))).await.is_err());
        assert!(outcome(desk.begin(two, work(|| Ok(())))).await.is_ok());
        assert!(outcome(desk.begin(None, work(|| Ok(())))).await.is_ok());
        assert!(outcome(desk.begin(None, work(|| Ok(())))).await.is_ok());
        assert_eq!(done.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn an_act_that_was_done_in_some_databases_says_in_which() {
        let no = |text: &str| Refused::No(StatusCode::SERVICE_UNAVAILABLE, text.to_owned());
        let told = |done: &[&str], refused: Vec<(&str, Refused)>| match half_done(done, refused)? {
            Refused::No(_, text) | Refused::Unknown(text) => Some(text),
        };
        assert_eq!(told(&["eu", "us"], vec![]), None);
        assert_eq!(told(&[], vec![("eu", no("gone"))]).as_deref(), Some("gone"));
        assert_eq!(
            told(&[], vec![("eu", no("a")), ("us", no("b"))]).as_deref(),
            Some("Nothing was done. eu: a us: b")
        );
        let half = told(&["eu"], vec![("us", no("gone"))]).expect("a refusal");
        assert_eq!(half, "It was done in eu and nowhere else; do it again. us: gone");
    }

    #[tokio::test]
    async fn an_act_goes_on_when_nobody_waits_for_it_and_is_cut_off_at_the_end() {
        let mut desk = Desk::default();
        let (tell, heard) = tokio::sync::oneshot::channel();
        drop(desk.begin(None, async move {
            let _ = tell.send(());
            Ok(())
        }));
        heard.await.expect("it to be done");
        let waiting = desk.begin(Some([1; 32]), std::future::pending());
        finish(desk.close()).await;
        assert!(matches!(outcome(waiting).await, Err(Refused::Unknown(_))));
    }

    #[tokio::test]
    async fn forms_that_are_remembered_are_bounded() {
        let mut desk = Desk::default();
        for n in 0..FORMS_MAX + 5 {
            let mut form = [0; 32];
            form[..8].copy_from_slice(&n.to_le_bytes());
            desk.begin(Some(form), async { Ok(()) });
        }
        assert_eq!(desk.forms.len(), FORMS_MAX);
    }
}
