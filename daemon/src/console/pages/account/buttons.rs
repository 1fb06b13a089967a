//! The buttons of an account's page: the one that helps against a cause, and those beside.

use super::AccountPage;
use crate::console::kind::Kind;
use crate::db::why::Cause;

/// A button beside a cause.
pub(super) struct Help {
    /// What it says.
    pub(super) label: &'static str,
    /// The address of the page that asks for a note.
    pub(super) link: String,
    /// Whether it is not the first thing to do: the cause protects the account and lets go by itself, or another person has to
    /// act first.
    pub(super) is_quiet: bool,
}

impl AccountPage {
    /// The button that helps against a cause, if this visitor can press it.
    pub(super) fn helps(&self, cause: &Cause) -> Option<Help> {
        let reason = cause.why.reason.as_deref().filter(|_| !cause.why.proceed)?;
        let kind = Kind::that_ends(reason)?;
        let frame = &self.facts.frame;
        // A copy is not resumed, it is adopted, and that is no act of a page.
        let is_copy = kind == Kind::ResumeAll && frame.stopped.paused.is_none();
        let is_probing = kind == Kind::Probe && self.facts.account.breaker.probe_until(frame.at).is_some();
        if is_copy || is_probing || !self.page.may(kind.function()) {
            return None;
        }
        let account = self.facts.card.id.raw();
        let link = match (kind, cause.actions.as_slice()) {
            (Kind::ResumeAll, _) => kind.link("", ""),
            // A cap, or a cooldown of one action: of that action alone.
            (Kind::Cap, [action, ..]) => kind.link(account, action),
            (Kind::Cooldown, [action]) if reason == "action_cooldown" => kind.link(account, action),
            _ => kind.link(account, ""),
        };
        let needs_another = matches!(self.facts.card.status.as_str(), "restricted" | "disconnected");
        let is_quiet =
            matches!(kind, Kind::Cooldown | Kind::Cap | Kind::Pace) || kind == Kind::Connect && needs_another;
        Some(Help { label: kind.label(), link, is_quiet })
    }

    /// The labels and addresses of the acts that this visitor can do.
    pub(super) fn acts(&self) -> Vec<(&'static str, String)> {
        let link = |kind: Kind| (kind.label(), kind.link(self.facts.card.id.raw(), ""));
        let helping: Vec<&str> =
            self.causes().iter().filter_map(|cause| self.helps(cause)).map(|help| help.label).collect();
        self.offered().into_iter().map(link).filter(|(label, _)| !helping.contains(label)).collect()
    }

    /// The acts that this visitor can do, that make sense now, and that no cause offers.
    fn offered(&self) -> Vec<Kind> {
        let breaker = &self.facts.account.breaker;
        let makes_sense = |kind: Kind| match kind {
            Kind::Clear => breaker.exhausted_at.is_some(),
            Kind::Probe => breaker.state == "open" && breaker.probe_until(self.facts.frame.at).is_none(),
            Kind::ForceOpen => breaker.mode != "open" && self.facts.card.status == "connected",
            Kind::ForceAuto => breaker.mode != "auto",
            Kind::Pause => self.facts.card.status == "connected",
            Kind::Pace | Kind::Cap => true,
            _ => false,
        };
        let kinds =
            [Kind::Probe, Kind::Clear, Kind::ForceAuto, Kind::ForceOpen, Kind::Pause, Kind::Cap, Kind::Pace];
        kinds.into_iter().filter(|kind| makes_sense(*kind) && self.page.may(kind.function())).collect()
    }
}
