COPY sendgate."accounts" ("version", "day", "week", "inmails_sent_today", "invites_sent_today", "messages_sent_today", "profile_views_sent_today", "engagements_sent_today", "inmails_sent_this_week", "invites_sent_this_week", "messages_sent_this_week", "profile_views_sent_this_week", "engagements_sent_this_week", "inmail_cap_today", "ramp_days", "credit_reset_day", "ramp", "id", "tier", "status", "breaker_mode", "time_zone", "display_name", "window_start", "window_end", "window_days", "cooldown_until", "inmail_credits_exhausted_at", "breaker_cleared_at", "probe_lease_until", "probe_operation_id", "inmail_last_at", "invite_last_at", "message_last_at", "profile_view_last_at", "engagement_last_at", "inmail_daily_cap", "invite_daily_cap", "message_daily_cap", "profile_view_daily_cap", "engagement_daily_cap", "inmail_weekly_cap", "invite_weekly_cap", "message_weekly_cap", "profile_view_weekly_cap", "engagement_weekly_cap") FROM stdin;
1	2026-05-20	2026-05-18	0	0	0	0	0	0	0	0	0	0	0	0	31	t	c	recruiter	connected	auto	Europe/Berlin	Zoë "C"\tO\\N	22:00:00	06:00:00	65	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N
2	2026-05-20	2026-05-18	0	0	1	0	0	0	0	1	0	0	0	0	1	f	b	free	connected	closed	UTC	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	2026-05-20 12:00:00+00	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N
14	2026-05-20	2026-05-18	4	0	0	1	0	4	0	0	1	0	50	0	1	f	a	sales_navigator	connected	auto	UTC	\N	\N	\N	\N	\N	2026-05-20 12:00:00+00	\N	2026-05-20 12:15:00+00	\N	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	\N	2026-05-20 12:00:00+00	\N	9	\N	\N	\N	\N	\N	\N	\N	\N	\N
\.

COPY sendgate."admin_log" ("id", "at", "actor", "verb", "account_id", "subject", "before", "after", "note") FROM stdin;
01a22a77-2aa3-77e6-b9d9-70222da18412	2026-05-20 12:00:00+00	postgres	upsert_account	a	\N	\N	{"ramp": false, "tier": "sales_navigator", "time_zone": "UTC", "window_end": null, "window_days": null, "display_name": null, "window_start": null, "credit_reset_day": 1}	\N
01a22a77-2aa4-7337-acfe-67494945b77b	2026-05-20 12:00:00+00	postgres	set_cap	a	inmail	{"daily_cap": null, "weekly_cap": null}	{"daily_cap": 9, "weekly_cap": null}	\N
01a22a77-2aa4-7337-acfe-674a36080e19	2026-05-20 12:00:00+00	postgres	upsert_account	b	\N	\N	{"ramp": false, "tier": "free", "time_zone": "UTC", "window_end": null, "window_days": null, "display_name": null, "window_start": null, "credit_reset_day": 1}	\N
01a22a77-2ac9-74fb-856f-3246112dc0cd	2026-05-20 12:00:00+00	postgres	upsert_account	c	\N	\N	{"ramp": true, "tier": "recruiter", "time_zone": "Europe/Berlin", "window_end": "06:00:00", "window_days": [1, 7], "display_name": "Zoë \\"C\\"\\tO\\\\N", "window_start": "22:00:00", "credit_reset_day": 31}	\N
01a22a77-2ace-745d-bb20-fbfaf028a1c3	2026-05-20 12:00:00+00	postgres	set_tier_cap	\N	sales_navigator/invite	{"daily_cap": 25, "weekly_cap": 100, "minimum_gap": "00:00:00", "ramp_step_percent": 20, "ramp_start_percent": 20}	{"daily_cap": 3, "weekly_cap": 12, "minimum_gap": "00:00:00", "ramp_step_percent": 40, "ramp_start_percent": 40}	\N
01a22a77-2ad2-7127-8099-813510331040	2026-05-20 12:00:00+00	postgres	set_tier_cap	\N	sales_navigator/message	{"daily_cap": 80, "weekly_cap": null, "minimum_gap": "00:00:00", "ramp_step_percent": 20, "ramp_start_percent": 20}	{"daily_cap": 30, "weekly_cap": null, "minimum_gap": "00:01:30", "ramp_step_percent": 40, "ramp_start_percent": 40}	\N
01a22a77-2ad5-7749-9b24-32ca1e84a4f1	2026-05-20 12:00:00+00	postgres	set_tier_cap	\N	mine/message	\N	{"daily_cap": 5, "weekly_cap": null, "minimum_gap": "00:00:00", "ramp_step_percent": 20, "ramp_start_percent": 20}	\N
01a22a77-2ad8-7029-9368-517c78fb1669	2026-05-20 12:00:00+00	postgres	set_error_rule	\N	7	\N	{"action": null, "outcome": "transient", "error_text": "O'Reilly \\\\ %_", "error_type": null, "rule_order": 7, "http_status": "4xx"}	\N
01a22a77-2aed-7589-8cc7-6ef921eda73c	2026-05-20 12:00:00+00	postgres	breaker_probe	a	\N	\N	{"probe_lease_until": "2026-05-20 12:15:00+00"}	probe
01a22a77-2aef-7629-820a-3c6c3c5bb31c	2026-05-20 12:00:00+00	postgres	breaker_force	b	\N	{"breaker_mode": "auto"}	{"breaker_mode": "closed"}	never mind
01a22a77-2af8-73a1-8784-651094200002	2026-05-20 12:00:00+00	postgres	pause_campaign	\N	k2	\N	"paused"	\N
01a22a77-2b07-7355-bec4-41b3f5344d32	2026-05-20 12:00:00+00	postgres	pause_all	\N	\N	\N	"paused"	dumped while paused
\.

COPY sendgate."alerts" ("alert_id", "account_id", "kind", "day", "detail", "opened_at", "acknowledged_by", "acknowledged_at", "acknowledge_note", "resolved_at") FROM stdin;
01a22a77-2ae8-73fc-aae2-23bb922d82dd	a	delivered_after_rollback	2026-05-20	operation 00000000-0000-4000-8000-000000000004 for prospect "p4" was given back and then delivered all the same; it counts again on 2026-05-20	2026-05-20 12:00:00+00	\N	\N	\N	\N
\.

COPY sendgate."breaker_log" ("id", "at", "account_id", "action", "reason", "actor", "exhausted_at", "prospect_id", "campaign_id", "note") FROM stdin;
01a22a77-2aea-73f6-8291-b29662c37986	2026-05-20 12:00:00+00	a	set	credits_exhausted	postgres	2026-05-20 12:00:00+00	p6	c	\N
01a22a77-2aec-73b8-a9ff-07deb899a8b2	2026-05-20 12:00:00+00	a	skip	account_inmail_credits_exhausted	postgres	2026-05-20 12:00:00+00	p7	c	\N
\.

COPY sendgate."breaker_outbox" ("account_id", "id") FROM stdin;
a	01a22a77-2aea-73f6-8291-b29662c37986
a	01a22a77-2aec-73b8-a9ff-07deb899a8b2
\.

COPY sendgate."campaign_events" ("id", "at", "deferred_to", "exhausted_at", "repeats", "last_repeat_at", "account_id", "prospect_id", "campaign_id", "action", "event_type", "reason", "operation_id", "detail") FROM stdin;
01a22a77-2aec-73b8-a9ff-07dd9bae4b0e	2026-05-20 12:00:00+00	2026-06-01 00:00:00+00	2026-05-20 12:00:00+00	0	\N	a	p7	c	inmail	linkedin_skipped	account_inmail_credits_exhausted	\N	\N
\.

COPY sendgate."counter_drift" ("id", "at", "day", "before", "after", "delivered", "reserved", "indeterminate", "account_id", "action", "period") FROM stdin;
01a22a77-2b05-7331-a5c7-355283849399	2026-05-20 12:00:00+00	2026-05-20	3	0	0	0	0	a	message	day
\.

COPY sendgate."dispatch_queue" ("due_at", "ticket_id", "account_id", "action") FROM stdin;
2026-05-20 12:00:00+00	01a22a77-2aef-7629-820a-3c6dbcc490a2	a	profile_view
2026-05-20 12:00:00+00	01a22a77-2af2-7342-a844-6dd91e1aa137	a	inmail
\.

COPY sendgate."dispatch_requests" ("request_id", "at", "max_operations", "action", "account_id", "account_ids", "operation_ids") FROM stdin;
00000000-0000-4000-8000-000000000020	2026-05-20 12:00:00+00	1	profile_view	a	{a}	{01a22a77-2af4-76e9-855c-ab0f569ae8c5}
\.

COPY sendgate."enrollments" ("enqueued_at", "changed_at", "next_dispatch_at", "attempts", "is_connection", "account_id", "prospect_id", "campaign_id", "action", "state", "operation_id", "reason", "error") FROM stdin;
2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	2031-01-01 00:00:00+00	0	f	a	p22	k2	profile_view	waiting	\N	\N	\N
2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	0	f	a	p6	k1	inmail	waiting	\N	\N	\N
2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	\N	1	t	a	p20	k1	profile_view	sending	01a22a77-2af4-76e9-855c-ab0f569ae8c5	\N	\N
2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	\N	0	f	a	p21	k1	profile_view	cancelled	\N	\N	\N
2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	0	f	a	p23	k1	profile_view	waiting	\N	\N	\N
\.

COPY sendgate."error_rule_overrides" ("rule_order", "outcome", "action", "error_type", "http_status", "error_text") FROM stdin;
7	transient	\N	\N	4xx	O'Reilly \\ %_
\.

COPY sendgate."linkedin_events" ("id", "operation_id", "occurred_at", "recorded_at", "counted_on", "account_id", "prospect_id", "event_type", "chat_id", "campaign_id") FROM stdin;
01a22a77-2add-73b7-b4ff-971df847d706	00000000-0000-4000-8000-000000000002	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	2026-05-20	a	p2	inmail_sent	chat 2	c
01a22a77-2ae8-73fc-aae2-23ba04faabc1	00000000-0000-4000-8000-000000000004	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	2026-05-20	a	p4	inmail_sent	chat 4	c
01a22a77-2afa-769a-b158-3cc1b8c48baf	57ef7b12-388a-54ad-8c46-d0e008098dcf	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	2026-05-20	b	p30	message_sent	\N	\N
\.

COPY sendgate."pause_switch" ("only_row", "paused_at", "actor", "note", "quarantine_id", "quarantined_at") FROM stdin;
t	2026-05-20 12:00:00+00	postgres	dumped while paused	\N	\N
\.

COPY sendgate."paused_campaigns" ("campaign_id", "paused_at", "actor") FROM stdin;
k2	2026-05-20 12:00:00+00	postgres
\.

COPY sendgate."reconcile_runs" ("run_id", "job", "state", "started_at", "beat_at", "finished_at", "checked", "changed", "batches", "backend_pid", "actor", "error") FROM stdin;
01a22a77-2b02-7567-aa38-838333193296	audit_events	ok	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	3	0	1	20764	postgres	\N
01a22a77-2b06-7026-a79a-bed0a183bec8	reconcile_operations	ok	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	3	1	1	20764	postgres	\N
\.

COPY sendgate."send_operations" ("operation_id", "reserved_at", "expires_at", "counted_on", "account_id", "prospect_id", "action", "state", "origin", "campaign_id", "settled_at", "outcome", "http_status", "error_type", "error", "attempt", "awaited", "unknown_since") FROM stdin;
00000000-0000-4000-8000-000000000001	2026-05-20 12:00:00+00	2026-05-20 12:15:00+00	2026-05-20	a	p1	inmail	reserved	gate	\N	\N	\N	\N	\N	\N	\N	\N	\N
00000000-0000-4000-8000-000000000002	2026-05-20 12:00:00+00	2026-05-20 12:15:00+00	2026-05-20	a	p2	inmail	delivered	gate	c	2026-05-20 12:00:00+00	\N	\N	\N	\N	\N	\N	\N
00000000-0000-4000-8000-000000000003	2026-05-20 12:00:00+00	2026-05-20 12:15:00+00	2026-05-20	a	p3	inmail	indeterminate	gate	c	2026-05-20 12:00:00+00	indeterminate	504	\N	gateway timeout	\N	\N	2026-05-20 12:00:00+00
00000000-0000-4000-8000-000000000004	2026-05-20 12:00:00+00	2026-05-20 12:15:00+00	2026-05-20	a	p4	inmail	delivered	gate	c	2026-05-20 12:00:00+00	\N	\N	\N	\N	\N	\N	\N
00000000-0000-4000-8000-000000000005	2026-05-20 12:00:00+00	2026-05-20 12:15:00+00	2026-05-20	a	p5	invite	released	gate	c	2026-05-20 12:00:00+00	recipient_refused	422	\N	You are out\nof credits	\N	\N	\N
00000000-0000-4000-8000-000000000006	2026-05-20 12:00:00+00	2026-05-20 12:15:00+00	2026-05-20	a	p6	inmail	released	gate	c	2026-05-20 12:00:00+00	credits_exhausted	402	\N	out of credits	\N	\N	\N
01a22a77-2af4-76e9-855c-ab0f569ae8c5	2026-05-20 12:00:00+00	2026-05-20 12:15:00+00	2026-05-20	a	p20	profile_view	reserved	gate	k1	\N	\N	\N	\N	\N	1	\N	\N
57ef7b12-388a-54ad-8c46-d0e008098dcf	2026-05-20 12:00:00+00	2026-05-20 12:00:00+00	2026-05-20	b	p30	message	delivered	external	\N	2026-05-20 12:00:00+00	\N	\N	\N	\N	\N	\N	\N
\.

COPY sendgate."tier_overrides" ("tier", "action", "daily_cap", "weekly_cap", "ramp_start_percent", "ramp_step_percent", "minimum_gap") FROM stdin;
sales_navigator	invite	3	12	40	40	00:00:00
sales_navigator	message	30	\N	40	40	00:01:30
mine	message	5	\N	20	20	00:00:00
\.

