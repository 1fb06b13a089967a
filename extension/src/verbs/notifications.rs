//! The outbox of notifications, for the daemon that posts them to webhooks: a loan is a short transaction, and nothing
//! is held while a receiver is waited for.

mod register_webhook;
mod settle_notification;
mod take_notifications;
