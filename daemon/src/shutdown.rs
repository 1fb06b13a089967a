//! The one signal to stop, seen by every task.

use tokio::sync::watch;

/// Tells all tasks to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// A task's end of the signal.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// The two ends.
pub fn channel() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Shutdown(receiver))
}

impl Stopper {
    /// Tells every task to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Whether it is time to stop.
    pub fn is_on(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is time to stop.
    pub async fn wait(&mut self) {
        // An error means that the sender is gone, and with it the task that waits for this one.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Sleeps, but not past the time to stop.
    pub async fn sleep(&mut self, time: std::time::Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => (),
            () = self.wait() => (),
        }
    }
}
