//! Maps whose operations are futures.
//!
//! [`Async`] makes a [`Map`] of an [`AsyncMap`]: each virtual thread waits for its own futures, so all that is known of
//! maps holds for these too. At every await at which an operation has to wait, its future may be dropped instead: that
//! is the fault `dropped-future`.

use std::cell::Cell;
use std::future::{Future, poll_fn, ready};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::map::{AfterPanic, Key, Map, Previous, Profile, Unsupported, Value};
use crate::oracle::Oracle;
use crate::{Fault, engine, fault};

/// An adapter of a map whose operations are futures: as [`Map`], and as short.
///
/// [`Async<M>`](Async) is the map that scenarios run on. An operation may be called from many threads at once, and its
/// future may be dropped at any await, if the fault [`DroppedFuture`](crate::Fault::DroppedFuture) is switched on.
///
/// ```
/// use std::collections::HashMap;
/// use mapcheck::async_map::{Async, AsyncMap, Reader, Visitor};
/// use mapcheck::{Atomic, Consistency, Iteration, Key, Previous, Profile, Value};
/// use tokio::sync::RwLock;
///
/// struct Locked(RwLock<HashMap<Key, Value>>);
///
/// impl AsyncMap for Locked {
///     fn profile() -> Profile {
///         Profile {
///             iteration: Iteration::Locked,
///             promised_by: "tokio docs, sync::RwLock",
///             consistency: Consistency::Linearizable,
///             atomic: Atomic::NONE,
///             grows_at: 3,
///             write_in_visit: false,
///             knobs: "",
///         }
///     }
///     fn new() -> Self {
///         Locked(RwLock::default())
///     }
///     async fn insert(&self, key: Key, value: Value) -> Previous {
///         let old = self.0.write().await.insert(key, value);
///         old.map_or(Previous::Absent, |v| Previous::Present(v.id()))
///     }
///     async fn remove(&self, key: &Key) -> Previous {
///         let old = self.0.write().await.remove(key);
///         old.map_or(Previous::Absent, |v| Previous::Present(v.id()))
///     }
///     async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
///         match self.0.read().await.get(key) {
///             Some(value) => read.held(value).await,
///             None => return false,
///         }
///         true
///     }
///     async fn for_each(&self, mut visit: Visitor<'_>) {
///         for (key, value) in &*self.0.read().await {
///             if visit.held(key, value).await.is_break() {
///                 break;
///             }
///         }
///     }
/// }
///
/// assert_eq!(mapcheck::map::self_check::<Async<Locked>>(), Ok(()));
/// ```
#[expect(clippy::len_without_is_empty, reason = "a capability, not a collection's interface")]
pub trait AsyncMap: Send + Sync + Sized + 'static {
    /// See [`Map::profile`].
    fn profile() -> Profile;
    /// See [`Map::new`].
    fn new() -> Self;
    /// Puts `value` under `key`.
    fn insert(&self, key: Key, value: Value) -> impl Future<Output = Previous>;
    /// Removes `key`.
    fn remove(&self, key: &Key) -> impl Future<Output = Previous>;
    /// Gives `read` the value under `key` and returns true, or returns false.
    fn get(&self, key: &Key, read: Reader<'_>) -> impl Future<Output = bool>;
    /// See [`Map::for_each`].
    fn for_each(&self, _visit: Visitor<'_>) -> impl Future<Output = ()> {
        ready(())
    }
    /// Waits for a future on the calling thread, which is in no asynchronous context.
    ///
    /// The default parks the thread until it is woken, and is all that most maps need: locks and channels of any
    /// runtime work on it. A map that starts tasks or timers of a runtime needs that runtime: a `block_on` of a tokio
    /// runtime that was made with `Builder::new_current_thread`, say. It must have no other threads and no I/O, whose
    /// waits the machine does not model, and must be made within the execution.
    fn block_on<F: Future>(future: F) -> F::Output {
        park_on::<Self, F>(future)
    }
    /// See [`Map::after_panic`].
    fn after_panic() -> AfterPanic {
        AfterPanic::Usable
    }
    /// See [`Map::excludes`].
    fn excludes() -> &'static [Fault] {
        &[]
    }
    /// See [`Map::nonblocking`].
    fn nonblocking() -> bool {
        false
    }
    /// See [`Map::garbage_bound`].
    fn garbage_bound() -> Option<usize> {
        None
    }
    /// See [`Map::oracles`].
    fn oracles() -> Vec<Box<dyn Oracle>> {
        Vec::new()
    }
    /// See [`Map::from_elements`].
    fn from_elements(_elements: Vec<(Key, Value)>) -> Result<Self, Unsupported> {
        Err(Unsupported)
    }
    /// See [`Map::len`].
    fn len(&self) -> impl Future<Output = Result<usize, Unsupported>> {
        ready(Err(Unsupported))
    }
    /// See [`Map::reserve`].
    fn reserve(&self, _additional: usize) -> impl Future<Output = Result<(), Unsupported>> {
        ready(Err(Unsupported))
    }
    /// See [`Map::shrink`].
    fn shrink(&self) -> impl Future<Output = Result<(), Unsupported>> {
        ready(Err(Unsupported))
    }
    /// See [`Map::clear`].
    fn clear(&self) -> impl Future<Output = Result<(), Unsupported>> {
        ready(Err(Unsupported))
    }
    /// See [`Map::retain`].
    fn retain(
        &self,
        _keep: &mut dyn FnMut(&Key, &Value) -> bool,
    ) -> impl Future<Output = Result<(), Unsupported>> {
        ready(Err(Unsupported))
    }
    /// See [`Map::reclaim`].
    fn reclaim(&self) -> impl Future<Output = Result<(), Unsupported>> {
        ready(Err(Unsupported))
    }
    /// See [`Map::abandon`].
    fn abandon(&self) -> impl Future<Output = Result<(), Unsupported>> {
        ready(Err(Unsupported))
    }
}

/// What is to be done with the value that a [`get`](AsyncMap::get) found.
pub struct Reader<'a>(&'a mut dyn FnMut(&Value));

impl Reader<'_> {
    /// Reads the value, and once more after an await, at which other threads and tasks go on: the value must be held.
    pub async fn held(&mut self, value: &Value) {
        self.at_once(value);
        give_way().await;
        value.check();
    }

    /// Reads the value without an await, where the map gives it to a plain closure.
    pub fn at_once(&mut self, value: &Value) {
        (self.0)(value);
    }
}

/// What is to be done with each element that a [`for_each`](AsyncMap::for_each) comes to.
pub struct Visitor<'a>(&'a mut dyn FnMut(&Key, &Value) -> ControlFlow<()>);

impl Visitor<'_> {
    /// Visits an element, and reads it once more after an await, at which other threads and tasks go on: the iteration
    /// is suspended there with all that it holds.
    pub async fn held(&mut self, key: &Key, value: &Value) -> ControlFlow<()> {
        let flow = self.at_once(key, value);
        give_way().await;
        key.check();
        value.check();
        flow
    }

    /// Visits an element without an await, where the map gives it to a plain closure.
    pub fn at_once(&mut self, key: &Key, value: &Value) -> ControlFlow<()> {
        (self.0)(key, value)
    }
}

/// The [`Map`] that an [`AsyncMap`] is.
pub struct Async<M>(M);

impl<M: AsyncMap> Map for Async<M> {
    fn profile() -> Profile {
        M::profile()
    }
    fn new() -> Self {
        Async(M::new())
    }
    fn insert(&self, key: Key, value: Value) -> Previous {
        wait::<M, _>(self.0.insert(key, value))
    }
    fn remove(&self, key: &Key) -> Previous {
        wait::<M, _>(self.0.remove(key))
    }
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        wait::<M, _>(self.0.get(key, Reader(read)))
    }
    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        wait::<M, _>(self.0.for_each(Visitor(visit)))
    }
    fn after_panic() -> AfterPanic {
        M::after_panic()
    }
    fn excludes() -> &'static [Fault] {
        M::excludes()
    }
    fn nonblocking() -> bool {
        M::nonblocking()
    }
    fn garbage_bound() -> Option<usize> {
        M::garbage_bound()
    }
    fn oracles() -> Vec<Box<dyn Oracle>> {
        M::oracles()
    }
    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Self, Unsupported> {
        M::from_elements(elements).map(Async)
    }
    fn len(&self) -> Result<usize, Unsupported> {
        wait::<M, _>(self.0.len())
    }
    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        wait::<M, _>(self.0.reserve(additional))
    }
    fn shrink(&self) -> Result<(), Unsupported> {
        wait::<M, _>(self.0.shrink())
    }
    fn clear(&self) -> Result<(), Unsupported> {
        wait::<M, _>(self.0.clear())
    }
    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        wait::<M, _>(self.0.retain(keep))
    }
    fn reclaim(&self) -> Result<(), Unsupported> {
        wait::<M, _>(self.0.reclaim())
    }
    fn abandon(&self) -> Result<(), Unsupported> {
        wait::<M, _>(self.0.abandon())
    }
}

thread_local! {
    /// Whether this thread waits for a future, and is called by it.
    static WAITING: Cell<bool> = const { Cell::new(false) };
}

/// Runs an operation to its end, or until it is dropped at an await.
fn wait<M: AsyncMap, F: Future>(operation: F) -> F::Output {
    run_or_drop::<M, F>(operation).unwrap_or_else(|| fault::give_up())
}

/// The result of an operation, or nothing if it was dropped.
fn run_or_drop<M: AsyncMap, F: Future>(operation: F) -> Option<F::Output> {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            WAITING.set(false);
        }
    }
    // What a visitor does to the map is within a runtime, and most runtimes refuse to be entered twice.
    if WAITING.replace(true) {
        return park_on::<M, _>(or_dropped(operation));
    }
    let _ends = Ends;
    M::block_on(or_dropped(operation))
}

/// The operation, or nothing if it was dropped at one of its awaits.
async fn or_dropped<F: Future>(operation: F) -> Option<F::Output> {
    let mut operation = pin!(operation);
    poll_fn(|context| match operation.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if fault::drops_future() => {
            // What it waits for may be given to it before it is dropped.
            engine::point();
            Poll::Ready(None)
        }
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Pending once, and woken at once.
async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for a future as [`AsyncMap::block_on`] does by default: for a map that asks more of it, where the runtime of a
/// thread that is ending has ended.
///
/// `M` is there so that all this is compiled with the map: a wake-up orders the threads, which only instrumented code
/// tells.
pub fn park_on<M: AsyncMap, F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let sleeper = Arc::new(Sleeper::<M> {
        woken: AtomicBool::new(false),
        thread: thread::current(),
        of: PhantomData,
    });
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        // A task that wakes itself, as one does that asks again and again for a lock, lets its executor's others go on.
        if sleeper.woken.load(Acquire) {
            thread::yield_now();
        }
        // The thread may have been unparked for another future of its own.
        while !sleeper.woken.swap(false, AcqRel) {
            thread::park();
        }
    }
}

struct Sleeper<M> {
    woken: AtomicBool,
    thread: Thread,
    of: PhantomData<fn() -> M>,
}

impl<M: 'static> Wake for Sleeper<M> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Release);
        self.thread.unpark();
    }
}
