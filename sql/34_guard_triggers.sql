-- How the triggers of applications' own tables are declared.

CREATE FUNCTION sendgate.judge_trigger(
    table_oid oid,
    trigger_oid oid,
    OUT fault text,
    OUT detail text,
    OUT hint text,
    OUT operation_column smallint
)
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_judge_trigger';
COMMENT ON FUNCTION sendgate.judge_trigger(oid, oid) IS
'What is wrong with the declaration of a trigger that calls guard_send or settle_send, as the first statement that fires it would say in SG010, and the number of its operation id column; it is not fired. All NULL: nothing to judge. For the view guard_triggers, which asks about all of them.';

-- It reads the catalog alone, which every role may read, and so it does that with the rights of its caller.
CREATE VIEW sendgate.guard_triggers WITH (security_invoker) AS
SELECT n.nspname::text AS schema_name, c.relname::text AS table_name, t.tgname::text AS trigger_name,
       p.proname::text AS function, pg_get_triggerdef(t.oid) AS definition,
       v.fault, v.detail, v.hint,
       CASE
           WHEN t.tgenabled = 'D' THEN 'It is disabled: rows pass it unseen.'
           WHEN t.tgenabled = 'R' THEN 'It fires only under session_replication_role = replica: other rows pass it unseen.'
           WHEN v.fault IS NOT NULL OR p.proname <> 'guard_send' THEN NULL
           WHEN c.relpersistence = 'u' THEN
               'The table is unlogged: a crash empties it, and it is not known any more what the operations of its rows came to.'
           WHEN t.tgtype & 16 <> 0 AND t.tgqual IS NULL AND cardinality(t.tgattr::smallint[]) = 0 THEN
               'It asks at every update of a row, also at one that reports an outcome: give it a WHEN, such as WHEN (NEW.status = ''sending'' AND OLD.status IS DISTINCT FROM ''sending'').'
           WHEN NOT EXISTS (
               SELECT FROM pg_index i
               WHERE i.indrelid = t.tgrelid AND i.indisvalid AND i.indkey[0] = v.operation_column
                 AND (i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL OR c.relkind = 'p')
           ) THEN
               'The operation id column has no unique index of its own: each commit reads the whole table, and two rows with one id pass as one grant.'
           WHEN NOT EXISTS (
               SELECT FROM pg_trigger s
               WHERE s.tgrelid = t.tgrelid AND s.tgfoid = 'sendgate.settle_send()'::regprocedure
           ) THEN 'No settle_send reports the outcomes of this table: workers have to call confirm and rollback.'
       END AS advice
FROM pg_trigger t
JOIN pg_proc p
    ON p.oid = t.tgfoid AND p.oid IN ('sendgate.guard_send()'::regprocedure, 'sendgate.settle_send()'::regprocedure)
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL sendgate.judge_trigger(t.tgrelid, t.oid) v
-- Of a partitioned table the trigger itself, and those of its partitions that are faulty.
WHERE NOT pg_is_other_temp_schema(n.oid) AND (t.tgparentid = 0 OR v.fault IS NOT NULL);
COMMENT ON VIEW sendgate.guard_triggers IS
'The triggers by which tables of applications are guarded (guard_send, settle_send), and what is wrong with the declaration of each; none of them is fired.';
COMMENT ON COLUMN sendgate.guard_triggers.schema_name IS 'The schema of the table.';
COMMENT ON COLUMN sendgate.guard_triggers.table_name IS 'The table.';
COMMENT ON COLUMN sendgate.guard_triggers.trigger_name IS 'The trigger.';
COMMENT ON COLUMN sendgate.guard_triggers.function IS 'guard_send or settle_send.';
COMMENT ON COLUMN sendgate.guard_triggers.definition IS 'The declaration, as CREATE TRIGGER.';
COMMENT ON COLUMN sendgate.guard_triggers.fault IS
'What is wrong: every statement that fires the trigger fails with this as the message of SG010. NULL: nothing.';
COMMENT ON COLUMN sendgate.guard_triggers.detail IS 'Why that is wrong.';
COMMENT ON COLUMN sendgate.guard_triggers.hint IS 'How to declare it.';
COMMENT ON COLUMN sendgate.guard_triggers.advice IS 'Something that works, and may not be intended. NULL: nothing.';
