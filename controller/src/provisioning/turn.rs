//! Whose turn it is to write to a router: one at a time, in the order of asking, whoever they are.

use model::RouterId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// A router's queue: one writes, the others wait.
type Queue = Arc<AsyncMutex<()>>;

/// The queues of all routers that somebody writes to, or waits to write to.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    queues: Arc<Mutex<HashMap<RouterId, Queue>>>,
}

/// The right to write to a router, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Turn {
    turns: Turns,
    router: RouterId,
    /// Taken by the drop alone.
    queue: Option<Queue>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn.
    ///
    /// # Cancel safety
    /// Whoever stops waiting loses their place, and nobody else's.
    pub(super) async fn take(&self, router: RouterId) -> Turn {
        let queue = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            queues.entry(router).or_default().clone()
        };
        let mut turn = Turn { turns: self.clone(), router, queue: Some(queue.clone()), held: None };
        turn.held = Some(queue.lock_owned().await);
        turn
    }

    /// Counts who writes to a router or waits to.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn len(&self, router: RouterId) -> usize {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        // Who waits holds the queue twice: in the turn to be, and in the waiting itself; likewise who writes, in its guard.
        queues.get(&router).map_or(0, |queue| (Arc::strong_count(queue) - 1) / 2)
    }
}

impl Drop for Turn {
    /// Passes the turn on, and forgets a queue in which nobody is left.
    fn drop(&mut self) {
        let mut queues = self.turns.queues.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.held.take());
        drop(self.queue.take());
        // Queues are handed out under the same lock, so nobody can join one while it is counted.
        if queues.get(&self.router).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.router);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use uuid::Uuid;

    const TOWER: RouterId = RouterId::from_uuid(Uuid::from_u128(1));
    const MAST: RouterId = RouterId::from_uuid(Uuid::from_u128(2));

    #[tokio::test]
    async fn one_writes_and_the_next_follows() {
        let turns = Turns::default();
        let first = turns.take(TOWER).await;
        let mut second = Box::pin(turns.take(TOWER));
        assert!((&mut second).now_or_never().is_none(), "the first is still writing");
        assert!(turns.take(MAST).now_or_never().is_some(), "another router is another queue");
        assert_eq!(turns.len(TOWER), 2);
        drop(first);
        drop(second.await);
        assert_eq!(turns.len(TOWER), 0);
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_nothing_behind() {
        let turns = Turns::default();
        let first = turns.take(TOWER).await;
        let mut second = Box::pin(turns.take(TOWER));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        drop(second);
        assert!(turns.queues.lock().expect("nobody panicked").is_empty());
        assert!(turns.take(TOWER).now_or_never().is_some(), "and takes nobody's turn along");
    }
}
