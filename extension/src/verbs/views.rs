//! Pure readings of a row as of an instant, for the views. The rules are the decision crate's.

use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, null_argument, sql_reading, unknown_value};
use crate::postgres::gucs;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::zone;
use crate::tables::accounts::packed;
use crate::tables::accounts::sound;
use pgrx::{IntoDatum, pg_sys};
use sendgate_decision::account::DAYS_BEFORE;
use sendgate_decision::breaker::{Breaker, Reading};
use sendgate_decision::budget;
use sendgate_decision::clock::{Day, Instant, next_credit_period};
use sendgate_decision::names::{BreakerMode, Enforcement, OperationState, Outcome};
use sendgate_decision::window::{Window, Zone};

sql_reading!(sendgate_sent_as_of, pg_finfo_sendgate_sent_as_of, sent_as_of);
sql_reading!(sendgate_sent_this_week_as_of, pg_finfo_sendgate_sent_this_week_as_of, sent_this_week_as_of);
sql_reading!(
    sendgate_sent_in_seven_days_as_of,
    pg_finfo_sendgate_sent_in_seven_days_as_of,
    sent_in_seven_days_as_of
);
sql_reading!(sendgate_sent_before_days, pg_finfo_sendgate_sent_before_days, sent_before_days);
sql_reading!(sendgate_effective_cap, pg_finfo_sendgate_effective_cap, effective_cap);
sql_reading!(sendgate_breaker_state, pg_finfo_sendgate_breaker_state, breaker_state);
sql_reading!(sendgate_next_credit_period, pg_finfo_sendgate_next_credit_period, next_period);
sql_reading!(sendgate_window_days_array, pg_finfo_sendgate_window_days_array, window_days_array);
sql_reading!(sendgate_window_since, pg_finfo_sendgate_window_since, window_since);
sql_reading!(sendgate_outside_window, pg_finfo_sendgate_outside_window, outside_window);

sql_reading!(sendgate_enforcement_of, pg_finfo_sendgate_enforcement_of, enforcement_of);

sql_reading!(sendgate_is_sound_account, pg_finfo_sendgate_is_sound_account, is_sound_account);
sql_reading!(sendgate_is_sound_history, pg_finfo_sendgate_is_sound_history, is_sound_history);
sql_reading!(sendgate_is_sound_operation, pg_finfo_sendgate_is_sound_operation, is_sound_operation);

fn enforcement_of(args: &Args) -> Answer {
    let mode = match args.optional::<&str>(0) {
        Some(own) => {
            Enforcement::parse(own).ok_or_else(|| unknown_value("own", own, &Enforcement::allowed()))?
        }
        None => gucs::enforcement(),
    };
    Ok(mode.name().into_datum())
}

fn day(args: &Args, position: usize) -> Result<Day> {
    let date: pgrx::datum::Date = args.required(position, "marker")?;
    Ok(Day(date.to_pg_epoch_days()))
}

fn instant(args: &Args, position: usize) -> Result<Instant> {
    match args.optional_instant(position, "at")? {
        Some(at) => Ok(at),
        None => Err(null_argument("at")),
    }
}

fn sent_as_of(args: &Args) -> Answer {
    let sent: i32 = args.required(0, "sent")?;
    let current = instant(args, 2)?.day() <= day(args, 1)?;
    Ok((if current { sent } else { 0 }).into_datum())
}

/// The days before in a row, and which action is asked about; none where they are not counted.
fn days(args: &Args, position: usize) -> Result<Option<[i32; DAYS_BEFORE]>> {
    let action = args.action(position + 1)?;
    let before = args.optional::<&[u8]>(position).and_then(packed::unpack_days);
    Ok(before.map(|before| before[action.index()]))
}

fn sent_in_seven_days_as_of(args: &Args) -> Answer {
    let sent: i32 = args.required(0, "sent")?;
    let Some(before) = days(args, 1)? else { return Ok(None) };
    let gone = instant(args, 4)?.day().0.saturating_sub(day(args, 3)?.0).max(0) as usize;
    // The row's own day and the days before it, as far as they are among the last seven.
    let kept = [sent].into_iter().chain(before).take((DAYS_BEFORE + 1).saturating_sub(gone));
    Ok(kept.fold(0i32, i32::saturating_add).into_datum())
}

fn sent_before_days(args: &Args) -> Answer {
    Ok(days(args, 0)?.and_then(|before| before.to_vec().into_datum()))
}

/// Both packed columns of an account can be read.
fn is_sound_history(args: &Args) -> Answer {
    let days = args.optional::<&[u8]>(0).is_none_or(|bytes| packed::unpack_days(bytes).is_some());
    let failures = args
        .optional::<Jsonb>(1)
        .is_none_or(|json| json.parsed().is_some_and(|json| packed::unpack_failures(&json).is_some()));
    Ok((days && failures).into_datum())
}

/// For upgrades from before 0.3.0, whose views called it.
fn sent_this_week_as_of(args: &Args) -> Answer {
    let sent: i32 = args.required(0, "sent")?;
    let current = instant(args, 2)?.day().week() <= day(args, 1)?;
    Ok((if current { sent } else { 0 }).into_datum())
}

fn effective_cap(args: &Args) -> Answer {
    let daily_cap: i32 = args.required(0, "daily_cap")?;
    let ramp: bool = args.required(1, "ramp")?;
    if !ramp {
        return Ok(daily_cap.into_datum());
    }
    let stored: i32 = args.required(2, "ramp_days")?;
    let sent: bool = args.required(3, "sent_on_marker_day")?;
    let moved_on = instant(args, 7)?.day() > day(args, 4)?;
    let ramp_days = stored.saturating_add(i32::from(sent && moved_on));
    let (start, step) = (args.required(5, "ramp_start_percent")?, args.required(6, "ramp_step_percent")?);
    Ok(daily_cap.min(budget::ramp_cap(daily_cap, ramp_days, start, step)).into_datum())
}

fn breaker_state(args: &Args) -> Answer {
    let mode: &str = args.required(0, "mode")?;
    let mode =
        BreakerMode::parse(mode).ok_or_else(|| unknown_value("mode", mode, &BreakerMode::allowed()))?;
    // Raw: an infinite stamp, which only a DBA can write, must not break the view.
    let exhausted_at = args.optional::<pgrx::datum::TimestampWithTimeZone>(1).map(|at| Instant(at.into()));
    let reset_day = args.number(2, "credit_reset_day", 1, 31)? as u8;
    let now = instant(args, 3)?;
    let breaker = Breaker { mode, exhausted_at, ..Breaker::default() };
    let state = match (breaker.read(reset_day, now), mode) {
        (Reading::Open { .. }, _) => "open",
        (Reading::ForcedOpen, _) => "forced_open",
        (_, BreakerMode::Closed) => "forced_closed",
        (Reading::Closed | Reading::Lapsed, _) => "closed",
    };
    Ok(state.into_datum())
}

fn next_period(args: &Args) -> Answer {
    let reset_day = args.number(0, "credit_reset_day", 1, 31)? as u8;
    let at = instant(args, 1)?;
    Ok(Some(pg_sys::Datum::from(next_credit_period(reset_day, at).0)))
}

/// The ISO days of a window's bit mask; NULL for no window.
fn window_days_array(args: &Args) -> Answer {
    let Some(mask) = args.optional::<i32>(0) else {
        return Ok(None);
    };
    let days: Vec<i32> = (1..=7).filter(|day| mask & (1 << (day - 1)) != 0).collect();
    Ok(days.into_datum())
}

/// Since when a window is open or closed at an instant; NULL without a window, or in a zone that the server
/// no longer knows.
fn window_since(args: &Args) -> Answer {
    let Some((window, zone)) = window_and_zone(args)? else { return Ok(None) };
    let since = window.since(&*zone, instant(args, 4)?);
    Ok(Some(pg_sys::Datum::from(since.0)))
}

/// Whether an account is outside its window; without a window it is not.
fn outside_window(args: &Args) -> Answer {
    if args.is_null(0) {
        return Ok(false.into_datum());
    }
    let Some((window, zone)) = window_and_zone(args)? else { return Ok(None) };
    Ok((!window.read(&*zone, instant(args, 4)?).open).into_datum())
}

/// The window of the first three arguments and the zone of the fourth; none without a window, or if the server no
/// longer knows the zone.
fn window_and_zone(args: &Args) -> Result<Option<(Window, Box<dyn Zone>)>> {
    let (start, end, days) = (args.time(0), args.time(1), args.optional::<i16>(2));
    let (Some(start), Some(end), Some(days)) = (start, end, days) else { return Ok(None) };
    let Ok(zone) = zone::load(args.required(3, "time_zone")?) else { return Ok(None) };
    let window = u8::try_from(days).ok().and_then(|days| Window::new(start, end, days).ok());
    Ok(window.map(|window| (window, zone)))
}

/// For upgrades from before 0.3.0, whose CHECK called it.
fn is_sound_account(args: &Args) -> Answer {
    let window_is_sound = sound::window_is_sound(args.time(0), args.time(1), args.optional(2));
    let permit_is_sound = sound::permit_is_sound(!args.is_null(3), !args.is_null(4), !args.is_null(5));
    Ok((window_is_sound && permit_is_sound).into_datum())
}

/// An operation's outcome and time of settling fit its state.
fn is_sound_operation(args: &Args) -> Answer {
    let state = args.optional::<&str>(0).and_then(OperationState::parse);
    let outcome = args.optional::<&str>(1).and_then(Outcome::parse);
    let outcome_fits = match state {
        None => false,
        Some(OperationState::Reserved | OperationState::Delivered) => args.is_null(1),
        Some(OperationState::Released) => outcome.is_some_and(|o| o != Outcome::Indeterminate),
        Some(OperationState::Indeterminate) => outcome == Some(Outcome::Indeterminate),
    };
    let settled_fits = args.is_null(2) == (state == Some(OperationState::Reserved));
    let times_fit = match (args.optional_instant(3, "reserved_at")?, args.optional_instant(4, "expires_at")?)
    {
        (Some(reserved_at), Some(expires_at)) => reserved_at <= expires_at,
        _ => false,
    };
    Ok((outcome_fits && settled_fits && times_fit).into_datum())
}
