-- On a subscriber of logical replication: what arrives counts from its commit, as what is written there does.
-- The worker that applies rows fires no trigger for each statement, and of those for each row only the ones that are
-- ENABLE REPLICA or ALWAYS.

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.tier_defaults
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.tier_defaults ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.tier_defaults IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.tier_overrides
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.tier_overrides ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.tier_overrides IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.error_rule_defaults
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_defaults ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.error_rule_defaults IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.error_rule_overrides
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_overrides ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.error_rule_overrides IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.pause_switch
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.pause_switch ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.pause_switch IS
'The same as config_changed, for rows that logical replication brings.';

CREATE TRIGGER config_replicated AFTER INSERT OR UPDATE OR DELETE ON sendgate.home_database
FOR EACH ROW EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.home_database ENABLE REPLICA TRIGGER config_replicated;
COMMENT ON TRIGGER config_replicated ON sendgate.home_database IS
'The same as config_changed, for rows that logical replication brings.';
