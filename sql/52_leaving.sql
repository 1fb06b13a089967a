-- Leaving: an account with all its rows, and who a prospect was.

CREATE FUNCTION sendgate.remove_account(
    account_id text,
    note text,
    max_rows integer DEFAULT 10000
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_remove_account';
COMMENT ON FUNCTION sendgate.remove_account(text, text, integer) IS
'Removes an account with all its rows, logs too: sets it disconnected, and deletes at most max_rows rows (1 to 1,000,000); returns how many. Call it until it returns 0, which it does for an account that is gone, or never was. The account itself goes last. One line of admin_log stays, with the rows of each table. Cannot be undone. Holds the account. Errors: SG001, SG002, SG003, SG219 an operation is unresolved and in time, SG301.';

CREATE FUNCTION sendgate.forget_prospect(
    prospect_id text,
    note text,
    max_rows integer DEFAULT 10000
) RETURNS integer
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_forget_prospect';
COMMENT ON FUNCTION sendgate.forget_prospect(text, text, integer) IS
'A request for erasure: cancels the prospect''s open work, replaces its id by a new random one in every table and log, and blanks the provider''s texts and the payloads of those rows; at most max_rows rows (1 to 1,000,000), returns how many. Call it until it returns 0. Counts, days and proofs stay, and so does a suppression, with the id. Logged under the new id. Cannot be undone. Holds the accounts that know the prospect, one after the other. Errors: SG001, SG002, SG003, SG219 an operation for it is unresolved and in time, SG301.';

CREATE FUNCTION sendgate.account_leaves() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_account_leaves';
COMMENT ON FUNCTION sendgate.account_leaves() IS
'Trigger: an account''s row is deleted by remove_account alone, which takes everything else of it along.';

CREATE TRIGGER account_leaves BEFORE DELETE ON sendgate.accounts
FOR EACH ROW EXECUTE FUNCTION sendgate.account_leaves();
COMMENT ON TRIGGER account_leaves ON sendgate.accounts IS
'No foreign key holds an account''s rows together, since its lock would be a second one on the hot row; so a DELETE would leave them behind for ever. Not on a subscriber, where the rows of a removed account go one by one.';
