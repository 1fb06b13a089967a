//! The SQL of `sql/` for `cargo pgrx install`, in the order in which the project's own build joins
//! the same files.

use pgrx::extension_sql_file;

extension_sql_file!("../../sql/00_install.sql", name = "install", bootstrap);
extension_sql_file!("../../sql/10_types.sql", name = "types", requires = ["install"]);
extension_sql_file!("../../sql/20_accounts.sql", name = "accounts", requires = ["types"]);
extension_sql_file!("../../sql/21_caps.sql", name = "caps", requires = ["accounts"]);
extension_sql_file!("../../sql/22_error_rules.sql", name = "error_rules", requires = ["caps"]);
extension_sql_file!(
    "../../sql/23_linkedin_accounts.sql",
    name = "linkedin_accounts",
    requires = ["error_rules"]
);
extension_sql_file!("../../sql/30_gate.sql", name = "gate", requires = ["linkedin_accounts"]);
extension_sql_file!("../../sql/31_events.sql", name = "events", requires = ["gate"]);
extension_sql_file!("../../sql/32_breaker.sql", name = "breaker", requires = ["events"]);
extension_sql_file!("../../sql/33_cooldowns.sql", name = "cooldowns", requires = ["breaker"]);
extension_sql_file!("../../sql/34_credits.sql", name = "credits", requires = ["cooldowns"]);
extension_sql_file!("../../sql/34_guard_triggers.sql", name = "guard_triggers", requires = ["credits"]);
extension_sql_file!("../../sql/34_suppressions.sql", name = "suppressions", requires = ["guard_triggers"]);
extension_sql_file!("../../sql/35_home_database.sql", name = "home_database", requires = ["suppressions"]);
extension_sql_file!("../../sql/36_observed.sql", name = "observed", requires = ["home_database"]);
extension_sql_file!("../../sql/37_replication.sql", name = "replication", requires = ["observed"]);
extension_sql_file!("../../sql/40_campaigns.sql", name = "campaigns", requires = ["replication"]);
extension_sql_file!("../../sql/41_dispatch.sql", name = "dispatch", requires = ["campaigns"]);
extension_sql_file!("../../sql/42_shares.sql", name = "shares", requires = ["dispatch"]);
extension_sql_file!("../../sql/50_books.sql", name = "books", requires = ["shares"]);
extension_sql_file!("../../sql/51_alerts.sql", name = "alerts", requires = ["books"]);
extension_sql_file!("../../sql/52_leaving.sql", name = "leaving", requires = ["alerts"]);
extension_sql_file!("../../sql/53_notifications.sql", name = "notifications", requires = ["leaving"]);
extension_sql_file!("../../sql/60_cards.sql", name = "cards", requires = ["notifications"]);
extension_sql_file!("../../sql/61_why.sql", name = "why", requires = ["cards"]);
extension_sql_file!("../../sql/62_activity.sql", name = "activity", requires = ["why"]);
extension_sql_file!("../../sql/70_defaults.sql", name = "defaults", requires = ["activity"]);
extension_sql_file!("../../sql/90_privileges.sql", name = "privileges", requires = ["defaults"]);
