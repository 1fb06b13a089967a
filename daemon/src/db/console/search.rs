//! Looks for prospects by their ids, by how these begin, or by a part of them.

use tokio_postgres::types::Type;

use crate::db::parts::id_holds;
use crate::db::{Session, Untrusted};
use crate::error::Result;

/// Work and attempts that a search for a part of a prospect's id looks at: no index has such parts.
pub const LOOKED_AT_MAX: i64 = 20_000;
/// Campaigns whose index is asked for ids that begin with the text, in the order of their ids.
pub const CAMPAIGNS_MAX: i64 = 10_000;
/// The journal's last blocks that hold about so many attempts.
const BLOCKS: i64 = 500;

/// A prospect of exactly this id that any campaign has work for, found from campaign to campaign by their index, that is
/// suppressed, or that was tried lately; then those of all work and all suppressions whose ids begin with the text, as it is written, in small letters, in
/// capitals or with capital initials, by the same indexes; then those that
/// have it as a part of their ids, in any case, among the first $2 pieces of work and the newest attempts. $3 is how many to
/// show, $4 how many blocks of the journal to read, $5 in how many campaigns to look. No id is above the text with U+10FFFF
/// after it and begins with the text, but for ids that go on with that character.
const PROSPECTS: &str = concat!(
    "WITH RECURSIVE campaign (id) AS (
    SELECT (SELECT f.campaign_id::text FROM sendgate.enrollments AS f ORDER BY f.campaign_id LIMIT 1)
    UNION ALL
    SELECT (SELECT f.campaign_id::text FROM sendgate.enrollments AS f
            WHERE f.campaign_id > c.id COLLATE \"C\" ORDER BY f.campaign_id LIMIT 1)
    FROM campaign AS c WHERE c.id IS NOT NULL
), named AS MATERIALIZED (SELECT c.id FROM campaign AS c WHERE c.id IS NOT NULL LIMIT $5),
spelt AS MATERIALIZED (SELECT DISTINCT s.text FROM unnest(ARRAY[$1, lower($1), upper($1), initcap($1)]) AS s (text))
SELECT p.id FROM (
    (SELECT $1::text AS id, 0 AS place FROM named AS n
     WHERE EXISTS (SELECT FROM sendgate.enrollments AS e WHERE e.campaign_id = n.id AND e.prospect_id = $1) LIMIT 1)
    UNION
    SELECT s.prospect_id::text, 0 FROM sendgate.suppressions AS s WHERE s.prospect_id = $1
    UNION
    (SELECT w.id, 1 FROM named AS n CROSS JOIN spelt AS b CROSS JOIN LATERAL (
        SELECT e.prospect_id::text AS id FROM sendgate.enrollments AS e
        WHERE e.campaign_id = n.id COLLATE \"C\" AND e.prospect_id >= b.text AND e.prospect_id < b.text || chr(1114111)
        ORDER BY e.campaign_id, e.prospect_id LIMIT $3
     ) AS w WHERE w.id <> $1 LIMIT 200)
    UNION
    (SELECT w.id, 1 FROM spelt AS b CROSS JOIN LATERAL (
        SELECT s.prospect_id::text AS id FROM sendgate.suppressions AS s
        WHERE s.prospect_id >= b.text AND s.prospect_id < b.text || chr(1114111) ORDER BY s.prospect_id LIMIT $3
     ) AS w WHERE w.id <> $1)
    UNION
    (SELECT w.id, 2 FROM (
        SELECT e.prospect_id::text AS id FROM sendgate.enrollments AS e
        ORDER BY e.campaign_id, e.prospect_id LIMIT $2
     ) AS w
     WHERE ",
    id_holds!("w.id", "$1"),
    " AND w.id <> $1 LIMIT 200)
    UNION
    (SELECT w.id, CASE WHEN w.id = $1 THEN 0 ELSE 2 END FROM (
        SELECT o.prospect_id::text AS id FROM sendgate.send_operations AS o
        WHERE o.ctid >= (SELECT format('(%s,0)', greatest(
            pg_relation_size('sendgate.send_operations') / current_setting('block_size')::integer - $4, 0))::tid)
        LIMIT $2
     ) AS w
     WHERE ",
    id_holds!("w.id", "$1"),
    " LIMIT 200)
) AS p
GROUP BY p.id ORDER BY min(p.place), p.id COLLATE \"C\" LIMIT $3"
);

impl Session {
    /// At most `rows_max` prospects with a text in their ids: first the one of exactly that id, then those that begin with it,
    /// of all work and suppressions. A part, in any case, is looked for among some of the work and the newest attempts.
    pub async fn prospects_like(&self, text: &str, rows_max: i64) -> Result<Vec<Untrusted>> {
        let parameters = [
            (&text as _, Type::TEXT),
            (&LOOKED_AT_MAX as _, Type::INT8),
            (&rows_max as _, Type::INT8),
            (&BLOCKS as _, Type::INT8),
            (&CAMPAIGNS_MAX as _, Type::INT8),
        ];
        let rows = self.rows("looking for prospects", PROSPECTS, &parameters).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
