-- A leap year of credit periods that start on the last day of each month: what is left is carried over, the tier's credits
-- are added up to its ceiling, and every reader sees them from the first microsecond on, before anything is written.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2028-01-01 00:00:00+00';
SELECT sendgate.upsert_account('year/a', 'premium_business', credit_reset_day => 31);
SELECT sendgate.record_credit_balance('year/a', 2);
-- On the eve and at the start; after an InMail that is delivered then. At noon the balance is told anew, or it would be
-- forgotten after two periods.
CREATE FUNCTION contract.year_43(
    OUT start date, OUT eve integer, OUT begun integer, OUT delivered boolean, OUT then_left integer,
    OUT next_grant_at timestamptz, OUT next_grant integer
) RETURNS SETOF record
LANGUAGE plpgsql AS $$
DECLARE
    month date;
    number integer := 0;
BEGIN
    FOR month IN SELECT generate_series('2028-01-01', '2028-12-01', interval '1 month') LOOP
        number := number + 1;
        start := month + interval '1 month' - interval '1 day';
        PERFORM set_config('sendgate.now', format('%s 23:59:59.999999+00', start - 1), false);
        SELECT c.credits_left INTO eve FROM sendgate.credits c WHERE c.account_id = 'year/a';
        PERFORM set_config('sendgate.now', format('%s 00:00:00+00', start), false);
        SELECT c.credits_left INTO begun FROM sendgate.credits c WHERE c.account_id = 'year/a';
        PERFORM sendgate.reserve('year/a', 'inmail', 'p' || number, NULL, contract.op(number));
        delivered := sendgate.confirm('year/a', contract.op(number), 'chat-' || number) IS NOT NULL;
        SELECT c.credits_left, c.next_grant_at, c.next_grant INTO then_left, next_grant_at, next_grant
        FROM sendgate.credits c WHERE c.account_id = 'year/a';
        PERFORM set_config('sendgate.now', format('%s 12:00:00+00', start), false);
        PERFORM sendgate.record_credit_balance('year/a', then_left);
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT * FROM contract.year_43();
SELECT sendgate.forget_credit_balance('year/a', 'the end');
