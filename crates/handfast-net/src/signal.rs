//! Waking, on one core, everything that waits for a change of the whole process: a drain, a server that leaves
//! its pool. A waiter looks for itself whether the change concerns it.
//!
//! No lock and no atomic: other threads only wake the core's own task, which wakes the waiters.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

/// The waiters of one core.
#[derive(Default)]
pub(crate) struct Signal(RefCell<Slots>);

#[derive(Default)]
struct Slots {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Signal {
    /// Wakes every waiter; each stays registered.
    pub(crate) fn wake_all(&self) {
        // A waker may run code that registers or leaves, so none is called under the borrow.
        let wakers: Vec<Waker> = self.0.borrow().wakers.iter().flatten().cloned().collect();
        for waker in wakers {
            waker.wake();
        }
    }
}

/// A place among the waiters, taken when first needed and given back when dropped.
#[derive(Default)]
pub(crate) struct Waiter(Option<(Rc<Signal>, usize)>);

impl Waiter {
    /// Has the task woken at the next change, and at those after it.
    pub(crate) fn listen(&mut self, signal: &Rc<Signal>, cx: &mut Context<'_>) {
        let (signal, slot) = self.0.get_or_insert_with(|| {
            let mut slots = signal.0.borrow_mut();
            let slot = slots.free.pop().unwrap_or_else(|| {
                slots.wakers.push(None);
                slots.wakers.len() - 1
            });
            (signal.clone(), slot)
        });
        if let Some(waker) = signal.0.borrow_mut().wakers.get_mut(*slot)
            && !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some((signal, slot)) = self.0.take() else { return };
        let mut slots = signal.0.borrow_mut();
        if let Some(waker) = slots.wakers.get_mut(slot) {
            *waker = None;
            slots.free.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn every_waiter_is_woken_and_places_are_used_again() {
        let signal = Rc::new(Signal::default());
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let (mut first, mut second) = (Waiter::default(), Waiter::default());
        first.listen(&signal, &mut cx);
        first.listen(&signal, &mut cx);
        second.listen(&signal, &mut cx);
        signal.wake_all();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        drop(first);
        signal.wake_all();
        assert_eq!(count.0.load(Ordering::Relaxed), 3);
        Waiter::default().listen(&signal, &mut cx);
        assert_eq!(signal.0.borrow().wakers.len(), 2);
    }
}
