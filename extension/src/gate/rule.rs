//! The gate's rule and what it is asked with: once by `reserve` and `preview`, many times by `dispatch`.

use crate::postgres::error::Result;
use crate::postgres::gucs;
use crate::postgres::zone;
use crate::tables::accounts::AccountRow;
use crate::tables::config::Config;
use sendgate_decision::account::Account;
use sendgate_decision::breaker::Reading;
use sendgate_decision::budget::TierCap;
use sendgate_decision::clock::Instant;
use sendgate_decision::failures::Limits;
use sendgate_decision::gate::{CampaignLimit, ProspectHistory, Request, Suppression, Verdict, decide_as};
use sendgate_decision::names::{Action, Enforcement, OperationId};
use sendgate_decision::window::Zone;
use std::cell::Cell;
use std::rc::Rc;

/// What all decisions of a call have in common: the configuration and the settings as they are.
pub struct Rule {
    /// The configuration.
    pub config: Rc<Config>,
    limits: Limits,
    prospect_cooldown: i64,
    operation_ttl: i64,
}

impl Rule {
    /// The rule under this configuration and the settings as they are.
    pub fn new(config: Rc<Config>) -> Rule {
        let (prospect_cooldown, operation_ttl) = (gucs::prospect_cooldown(), gucs::operation_ttl());
        Rule { config, limits: gucs::limits(), prospect_cooldown, operation_ttl }
    }
}

/// The rule about one account and action at one instant.
pub struct Asked<'a> {
    rule: &'a Rule,
    account_id: &'a str,
    enforcement: Enforcement,
    action: Action,
    now: Instant,
    evidence: bool,
    first_expiry: Cell<Option<Instant>>,
    tier: TierCap,
    zone: Box<dyn Zone>,
}

/// Prepares the rule for an account and an action. `evidence` says whether the event log proves a delivery
/// after the stamp of the account's breaker.
///
/// # Errors
/// `SG005` for an account whose time zone the server no longer knows.
pub fn ask<'a>(
    rule: &'a Rule,
    account_id: &'a str,
    row: &AccountRow,
    evidence: bool,
    action: Action,
    now: Instant,
) -> Result<Asked<'a>> {
    let needs_zone = row.account.window.is_some();
    let zone = zone::load(if needs_zone { &row.time_zone } else { "UTC" })?;
    let tier = rule.config.tier_cap(&row.tier, action);
    let enforcement = Enforcement::Enforce;
    let first_expiry = Cell::new(None);
    Ok(Asked { rule, account_id, enforcement, action, now, evidence, first_expiry, tier, zone })
}

impl Asked<'_> {
    /// The same, as the account is enforced. Without this the rules refuse, as they always do in `dispatch`.
    pub fn under(self, enforcement: Enforcement) -> Self {
        Asked { enforcement, ..self }
    }

    /// Notes that an unanswered InMail of the account expires then.
    pub fn in_flight_until(&self, expires_at: Option<Instant>) {
        let first = self.first_expiry.get().into_iter().chain(expires_at).min();
        self.first_expiry.set(first);
    }

    /// The verdict about a prospect and its suppression, for an operation of this id; without a prospect,
    /// about the account alone. `campaign` is what the campaign may take of the row's day; none without a limit.
    pub fn decide(
        &self,
        account: &Account,
        operation: OperationId,
        prospect: Option<ProspectHistory>,
        suppressed: Option<Suppression>,
        campaign: Option<CampaignLimit>,
    ) -> Verdict {
        let request = Request {
            account_id: self.account_id,
            action: self.action,
            now: self.now,
            operation,
            paused: self.rule.config.paused(),
            evidence: self.evidence,
            first_expiry: self.first_expiry.get(),
            prospect,
            suppressed,
            campaign,
            tier: self.tier,
            limits: self.rule.limits,
            prospect_cooldown: self.rule.prospect_cooldown,
            operation_ttl: self.rule.operation_ttl,
            zone: &*self.zone,
        };
        decide_as(self.enforcement, account, &request)
    }

    /// Whether the next slot refuses the one after it: a pace, a probe's permit, or the one attempt of an
    /// action that fails.
    pub fn takes_one_at_a_time(&self, account: &Account) -> bool {
        let reading = account.breaker.read(account.credit_reset_day, self.now);
        let probing = self.action == Action::Inmail && matches!(reading, Reading::Open { .. });
        let failing = account.failures[self.action.index()].silent_until(&self.rule.limits).is_some();
        probing || failing || self.tier.minimum_gap > 0 || account.pace.is_set()
    }
}
