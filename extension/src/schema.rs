//! The SQL of `sql/` for `cargo pgrx install`, in the order in which the project's own build joins
//! the same files.

use pgrx::extension_sql_file;

extension_sql_file!("../../sql/00_install.sql", name = "install", bootstrap);
extension_sql_file!("../../sql/10_tables.sql", name = "tables", requires = ["install"]);
extension_sql_file!("../../sql/11_campaign_tables.sql", name = "campaign_tables", requires = ["tables"]);
extension_sql_file!("../../sql/12_books_tables.sql", name = "books_tables", requires = ["campaign_tables"]);
extension_sql_file!(
    "../../sql/13_console_indexes.sql",
    name = "console_indexes",
    requires = ["books_tables"]
);
extension_sql_file!("../../sql/20_defaults.sql", name = "defaults", requires = ["console_indexes"]);
extension_sql_file!("../../sql/30_functions.sql", name = "functions", requires = ["defaults"]);
extension_sql_file!(
    "../../sql/31_campaign_functions.sql",
    name = "campaign_functions",
    requires = ["functions"]
);
extension_sql_file!(
    "../../sql/32_books_functions.sql",
    name = "books_functions",
    requires = ["campaign_functions"]
);
extension_sql_file!("../../sql/40_views.sql", name = "views", requires = ["books_functions"]);
extension_sql_file!("../../sql/41_books_views.sql", name = "books_views", requires = ["views"]);
extension_sql_file!("../../sql/90_privileges.sql", name = "privileges", requires = ["books_views"]);
extension_sql_file!("../../sql/95_comments_tables.sql", name = "comments_tables", requires = ["privileges"]);
extension_sql_file!(
    "../../sql/96_comments_views.sql",
    name = "comments_views",
    requires = ["comments_tables"]
);
extension_sql_file!(
    "../../sql/97_comments_functions.sql",
    name = "comments_functions",
    requires = ["comments_views"]
);
extension_sql_file!(
    "../../sql/98_comments_campaign.sql",
    name = "comments_campaign",
    requires = ["comments_functions"]
);
extension_sql_file!(
    "../../sql/99_comments_books.sql",
    name = "comments_books",
    requires = ["comments_campaign"]
);
