//! `preview`: the answer that `reserve` would give, with the counts as they are. Takes and writes
//! nothing, and works on a standby.

use crate::gate::decision::Decision;
use crate::gate::known_credits;
use crate::gate::look::{Ask, judge, look};
use crate::gate::rule::Rule;
use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::statement::Spi;
use crate::tables::config;
use crate::tables::credits;
use crate::tables::journal;
use sendgate_decision::gate::{Verdict, counts};
use std::rc::Rc;

sql_function!(sendgate_preview, pg_finfo_sendgate_preview, preview);

fn preview(args: &Args) -> Answer {
    let ask = Ask {
        account: args.id(0, "account_id")?,
        action: args.action(1)?,
        prospect: args.optional_id(2, "prospect_id")?,
        operation: None,
    };
    let decision = Spi::connect_when_needed(|spi| {
        loop {
            let reading = config::read(spi);
            let decision = look_ahead(spi, &ask, Rule::new(Rc::clone(&reading.config)))?;
            if !decision.proceed || reading.still_holds() {
                return Ok(decision);
            }
        }
    })?;
    Ok(Some(decision.into_datum()))
}

/// The answer under this rule.
fn look_ahead(spi: &Spi, ask: &Ask<'_>, rule: Rule) -> Result<Decision> {
    let mut seen = look(ask)?;
    let now = clock::now();
    let tier = rule.config.tier_cap(&seen.row.tier, ask.action);
    loop {
        match judge(spi, ask, None, &seen, &rule, [0; 16], now)? {
            Verdict::Refuse(refusal) => return Ok(Decision::refuse(refusal)),
            // reserve would clear the stamp first; here it is cleared in the copy.
            Verdict::ClearBreaker(_) => {
                seen.row.account.breaker.clear(now);
            }
            // What reserve would stamp first is stamped in the copy.
            Verdict::ArmBreaker => known_credits::arm(&mut seen.row.account, now),
            Verdict::NeedsPeriod => {
                credits::roll(spi, ask.account, &mut seen.row, now);
            }
            // What the row does not know is counted in the copy, too.
            Verdict::NeedsCount => {
                let of = [(ask.account, seen.row.account.day)];
                journal::many::recall(spi, &of).iter().for_each(|of| seen.row.account.recall(of));
            }
            Verdict::Grant(grant) => {
                return Ok(Decision {
                    operation: None,
                    proceed: true,
                    reason: grant.observed.map(|(reason, _)| reason),
                    retry_at: grant.observed.and_then(|(_, retry_at)| retry_at),
                    expires_at: None,
                    counts: counts(&seen.row.account, ask.action, &tier, now),
                    taken: false,
                });
            }
        }
    }
}
