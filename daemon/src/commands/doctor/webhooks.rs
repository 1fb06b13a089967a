//! What `doctor` says of webhooks: those of the configuration beside those that the database knows.

use super::Findings;
use crate::config::webhooks::Webhook;
use crate::db::Session;
use crate::error::Result;

/// A daemon asks once a second; the database notes it once a minute.
const UNSEEN_SECONDS_MAX: f64 = 300.0;

/// Looks at both.
pub(super) async fn look(session: &Session, configured: &[Webhook], findings: &mut Findings) -> Result<()> {
    let known = session.webhooks().await?;
    for webhook in configured {
        if !known.iter().any(|state| state.name == webhook.name) {
            findings
                .note(format!("webhook {} is told of nothing yet: sendgated run registers it", webhook.name));
        }
    }
    for state in &known {
        let told = state.told();
        let is_ours = configured.iter().any(|webhook| webhook.name == state.name);
        if state.failing_since.is_some() {
            findings.bad(
                told,
                "see that the receiver runs, and that the url and secret_file of the webhook are right; \
                 what waits is posted by itself then",
            );
        } else if state.seen_seconds > UNSEEN_SECONDS_MAX {
            let unasked = format!("{told}; no daemon has asked for {:.0} s", state.seen_seconds);
            if is_ours {
                findings
                    .bad(unasked, "see that sendgated run is running with this configuration, and its log");
            } else {
                findings.note(format!("{unasked}: after seven days prune forgets it, with what waits"));
            }
        } else {
            findings.good(told);
        }
    }
    Ok(())
}
