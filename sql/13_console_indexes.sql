-- What the operators' console lists, in the order in which it turns its pages. None of these mentions
-- what a reserve or a confirm changes: both stay heap-only updates.

-- A cooldown comes with a rate limit or an audit, a status with a person or the provider's refusal.
CREATE INDEX accounts_cooling_idx ON sendgate.accounts (id)
WHERE cooldown_until IS NOT NULL;
CREATE INDEX accounts_not_connected_idx ON sendgate.accounts (id)
WHERE status <> 'connected';

-- The campaigns' log and the open alerts, newest first.
CREATE INDEX campaign_events_time_idx ON sendgate.campaign_events (at, id);
CREATE INDEX alerts_opened_idx ON sendgate.alerts (opened_at, alert_id)
WHERE resolved_at IS NULL;

-- Unknown outcomes of all accounts, newest first. Only what becomes unknown, or was, gets or leaves this
-- mark: an operation that is confirmed or given back has none before and none after.
CREATE INDEX send_operations_unknown_idx ON sendgate.send_operations (unknown_since, operation_id, account_id)
WHERE unknown_since IS NOT NULL;
