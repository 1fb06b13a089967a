//! What an operator does to a breaker by hand: clear, arm, probe, force.

use crate::postgres::error::{Code, Error, warn};
use crate::postgres::function::{Answer, Args, VOID, show_instant, shown, sql_function, unknown_value};
use crate::postgres::gucs;
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::admin_log;
use crate::tables::breaker_log::{self, BreakerLine, Cause};
use crate::tables::dispatch_queue;
use crate::tables::enrollments;
use sendgate_decision::account::Account;
use sendgate_decision::breaker::{ClearReason, Probe, Reading};
use sendgate_decision::clock::Instant;
use sendgate_decision::credits::stamp::Cause as StampedBy;
use sendgate_decision::names::{Action, BreakerMode};
use serde_json::{Value, json};

sql_function!(sendgate_breaker_clear, pg_finfo_sendgate_breaker_clear, breaker_clear);
sql_function!(sendgate_breaker_arm, pg_finfo_sendgate_breaker_arm, breaker_arm);
sql_function!(sendgate_breaker_probe, pg_finfo_sendgate_breaker_probe, breaker_probe);
sql_function!(sendgate_breaker_force, pg_finfo_sendgate_breaker_force, breaker_force);

fn line<'a>(account: Held<'a>, exhausted_at: Option<Instant>, note: Option<&'a str>) -> BreakerLine<'a> {
    let reason = ClearReason::Manual.name();
    BreakerLine {
        account,
        reason,
        exhausted_at,
        prospect: None,
        campaign: None,
        note,
        cause: Cause::default(),
    }
}

/// A stamp as the admin log shows it: microseconds mean nothing to people.
fn stamp(at: Option<Instant>) -> Value {
    json!({ "inmail_credits_exhausted_at": at.map(show_instant) })
}

fn breaker_clear(args: &Args) -> Answer {
    let (account, note) = (args.id(0, "account_id")?, args.note(1)?);
    Spi::connect(|spi| {
        let done = accounts::change(spi, account, |row, now| {
            // Also without a stamp: an error that is on its way was reserved before this clear.
            row.breaker.clear(now);
            row.breaker.cleared_at = Some(now);
            Ok(())
        })?;
        let before = done.before.breaker.exhausted_at;
        if before.is_some() {
            breaker_log::write(spi, "clear", &line(done.held, before, note), done.at);
        }
        enrollments::release(spi, done.held, done.at);
        if done.after.credits.is_some_and(|credits| credits.left <= 0) {
            warn_none_left(account);
        }
        admin_log::write(spi, "breaker_clear", Some(account), None, (stamp(before), stamp(None)), note);
        Ok(())
    })?;
    VOID
}

fn warn_none_left(account: &str) {
    warn(Error::new(
        Code::NoCreditsLeft,
        format!("account \"{}\" has no InMail credits left by the balance that was told", shown(account)),
        "The breaker is cleared, but the next InMail stamps it again with the reason credits_spent.",
        "Tell the balance with record_credit_balance(account_id, balance), or end the counting with forget_credit_balance(account_id, note).",
    ));
}

fn breaker_arm(args: &Args) -> Answer {
    let (account, note) = (args.id(0, "account_id")?, args.note(1)?);
    Spi::connect(|spi| {
        let mut armed = None;
        let done = accounts::change(spi, account, |row, now| {
            armed = row.breaker.arm_for(StampedBy::Manual, row.credit_reset_day, now, now);
            Ok(())
        })?;
        let (before, after) = (done.before.breaker.exhausted_at, done.after.breaker.exhausted_at);
        if armed.is_some_and(|armed| armed.cleared_lapsed) {
            let reason = ClearReason::MonthlyReset.name();
            breaker_log::write(
                spi,
                "clear",
                &BreakerLine { reason, ..line(done.held, before, note) },
                done.at,
            );
        }
        if armed.is_some() {
            breaker_log::write(spi, "set", &line(done.held, after, note), done.at);
        }
        admin_log::write(spi, "breaker_arm", Some(account), None, (stamp(before), stamp(after)), note);
        Ok(())
    })?;
    VOID
}

fn breaker_probe(args: &Args) -> Answer {
    let (account, note) = (args.id(0, "account_id")?, args.note(1)?);
    Spi::connect(|spi| {
        let done = accounts::change(spi, account, |row, now| {
            match row.breaker.read(row.credit_reset_day, now) {
                Reading::Open { .. } => {}
                Reading::ForcedOpen => return Err(forced_open(account)),
                Reading::Closed | Reading::Lapsed => return Err(not_open(account)),
            }
            if let Some(probe) = row.breaker.leased(now) {
                return Err(leased(account, probe));
            }
            let lease_until = now.plus(gucs::operation_ttl());
            row.breaker.probe = Some(Probe { lease_until, taken_by: None });
            Ok(())
        })?;
        enrollments::offer(spi, done.held, done.at);
        let lease_until = done.after.breaker.probe.as_ref().map(|probe| show_instant(probe.lease_until));
        if let (Some(until), Some(lease_until)) = (cools_down_until(&done.after, done.at), &lease_until) {
            warn_may_lapse(account, until, lease_until);
        }
        let granted = json!({ "probe_lease_until": lease_until });
        admin_log::write(spi, "breaker_probe", Some(account), None, (Value::Null, granted), note);
        Ok(())
    })?;
    VOID
}

/// Until when the account's InMails cool down, for whatever reason; none where they do not.
fn cools_down_until(account: &Account, now: Instant) -> Option<Instant> {
    let i = Action::Inmail.index();
    let silent = account.failures[i].silent_until(&gucs::limits());
    account.cooldown_until.max(account.action_cooldown_until[i]).max(silent).filter(|&until| until > now)
}

fn warn_may_lapse(account: &str, until: Instant, lease_until: &str) {
    warn(Error::new(
        Code::PermitMayLapse,
        format!("the permit of account \"{}\" may lapse before an InMail can take it", shown(account)),
        format!("Its InMails cool down until {}; the permit lapses at {lease_until}.", show_instant(until)),
        "Call clear_cooldown(account_id, note) if they may go before, or breaker_probe again when the cooldown is over.",
    ));
}

fn breaker_force(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let text: &str = args.required(1, "mode")?;
    let mode =
        BreakerMode::parse(text).ok_or_else(|| unknown_value("mode", text, &BreakerMode::allowed()))?;
    let note = args.note(2)?;
    Spi::connect(|spi| {
        let done = accounts::change(spi, account, |row, _| {
            row.breaker.mode = mode;
            Ok(())
        })?;
        if mode == BreakerMode::Closed {
            enrollments::release(spi, done.held, done.at);
        } else {
            dispatch_queue::wake(spi, done.held, Some(Action::Inmail), done.at);
        }
        let show = |mode: BreakerMode| json!({ "breaker_mode": mode.name() });
        let change = (show(done.before.breaker.mode), show(mode));
        admin_log::write(spi, "breaker_force", Some(account), None, change, note);
        Ok(())
    })?;
    VOID
}

fn forced_open(account: &str) -> Error {
    Error::new(
        Code::BreakerForcedOpen,
        format!("the breaker of account \"{}\" is forced open", shown(account)),
        "An operator holds it open; not even a probe passes.",
        "Call breaker_force(account_id, 'auto', note) first.",
    )
}

fn not_open(account: &str) -> Error {
    Error::new(
        Code::BreakerNotOpen,
        format!("the breaker of account \"{}\" is not open", shown(account)),
        "There is nothing to probe: InMails pass already.",
        "Just send; sendgate.breakers shows the state of every breaker.",
    )
}

fn leased(account: &str, probe: &Probe) -> Error {
    Error::new(
        Code::ProbeLeased,
        format!("account \"{}\" has a probe already", shown(account)),
        format!(
            "It was {} and lapses at {}.",
            if probe.taken_by.is_some() {
                "taken by an operation that is not settled"
            } else {
                "not taken yet"
            },
            show_instant(probe.lease_until),
        ),
        "Wait for its outcome or its lapse. A probe that proves a delivery clears the breaker; breaker_clear does so by hand.",
    )
}
