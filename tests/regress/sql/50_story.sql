-- The story of the seeds: armed on May 24, skipped, probed, cleared; armed on May 31, and sending on
-- June 1. It is told under three session time zones: what is decided is the same, only the
-- clock on the wall differs.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
-- The operator's query is about the whole table, so no other breaker may be open.
DO $$
BEGIN
    PERFORM sendgate.breaker_clear(account_id, 'not part of the story') FROM sendgate.breakers WHERE exhausted_at IS NOT NULL;
END
$$;
\set story :abs_srcdir '/include/story.sql'

SET TimeZone = 'UTC';
\set account story/utc
\i :story

SET TimeZone = 'Pacific/Kiritimati';
\set account story/kiritimati
\i :story

SET TimeZone = 'America/Los_Angeles';
\set account story/los_angeles
\i :story
