//! Signatures that other cores verify while JavaScript goes on. Whoever asks for the verdict takes part in what is left.

use crate::batch::{cores, SHARE};
use crate::boundary::{contain, Refusal};
use crate::signatures::Scheme;
use crate::spans::{piece, Words};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Threads that wait for work: starting one takes as long as a signature or two. They are an environment's own, for the library
/// may be unloaded with the last one. Dropping it ends them, each after the signatures that it has taken.
#[derive(Default)]
pub struct Pool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    work: Mutex<Waiting>,
    has_come: Condvar,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<Arc<Shared>>,
    is_over: bool,
}

impl Pool {
    /// Has as many threads work on it as there are, but for the caller's.
    fn give(&mut self, work: &Arc<Shared>, helpers: usize) {
        while self.threads.len() < helpers {
            let queue = Arc::clone(&self.queue);
            let Ok(thread) = thread::Builder::new().spawn(move || queue.serve()) else {
                // Where the system gives no thread, whoever asks for the verdict does all of it.
                break;
            };
            self.threads.push(thread);
        }
        let helpers = helpers.min(self.threads.len());
        lock(&self.queue.work).work.extend((0..helpers).map(|_| Arc::clone(work)));
        for _ in 0..helpers {
            self.queue.has_come.notify_one();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        lock(&self.queue.work).is_over = true;
        self.queue.has_come.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn serve(&self) {
        loop {
            let mut waiting = lock(&self.work);
            let work = loop {
                if waiting.is_over {
                    return;
                }
                match waiting.work.pop_front() {
                    Some(work) => break work,
                    None => waiting = self.has_come.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(waiting);
            work.help();
        }
    }
}

/// What is behind a lock is complete whenever nobody holds it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A signature in the memory of its `Shared`: key, signature, and the pieces of the message.
struct Item {
    public_key: (usize, usize),
    signature: (usize, usize),
    /// Of `pieces`, from one number to the next.
    pieces: (usize, usize),
}

/// A copy of what is verified: the caller's memory is its own again.
struct Shared {
    scheme: Scheme,
    memory: Vec<u8>,
    items: Vec<Item>,
    pieces: Vec<(usize, usize)>,
    /// How many are taken at a time.
    share: usize,
    next: AtomicUsize,
    /// For each item.
    verified: Vec<AtomicBool>,
    failed: AtomicBool,
}

/// Dropping it leaves what has not been taken yet.
pub struct Verification {
    shared: Arc<Shared>,
}

impl Verification {
    /// A row is where the public key begins and how long it is, the same of the signature, how many pieces the message has,
    /// and the same of each. Places are counted through `memory`, then `beside`.
    ///
    /// `threads`: at most so many work on it, the one that asks for the verdict among them; 0 means one for each core.
    pub fn begin(
        pool: &mut Pool,
        scheme: Scheme,
        memory: &[u8],
        beside: &[u8],
        rows: &[u8],
        threads: usize,
    ) -> Result<Self, Refusal> {
        let memory = [memory, beside].concat();
        let mut words = Words::new(rows);
        let (mut items, mut pieces) = (Vec::new(), Vec::new());
        while !words.is_done() {
            let mut place = || {
                let (at, length) = (words.take()?, words.take()?);
                piece(&memory, at, length).map(|_| (at, length))
            };
            let (public_key, signature) = (place()?, place()?);
            let first = pieces.len();
            let count = words.take()?;
            let mut length = 0;
            for _ in 0..count {
                let (at, size) = (words.take()?, words.take()?);
                piece(&memory, at, size)?;
                length += size;
                if length > memory.len() {
                    return Err(Refusal::Range("a message is longer than what it is made of"));
                }
                pieces.push((at, size));
            }
            items.push(Item {
                public_key,
                signature,
                pieces: (first, pieces.len()),
            });
        }
        let threads = if threads == 0 { cores() } else { threads.min(cores()) };
        let shared = Arc::new(Shared {
            scheme,
            memory,
            share: (items.len() / (4 * threads)).clamp(1, SHARE),
            verified: items.iter().map(|_| AtomicBool::new(false)).collect(),
            items,
            pieces,
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        });
        pool.give(&shared, (threads - 1).min(shared.items.len()));
        Ok(Self { shared })
    }

    /// Whether all verify. Nobody is waited for: a thread that has taken some may not be given a core for a long time.
    pub fn finish(self) -> bool {
        self.shared.verify();
        self.shared.verify_taken()
    }
}

impl Drop for Verification {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

impl Shared {
    /// Nothing more is taken, and nobody can learn from it that all verify.
    fn leave(&self) {
        self.failed.store(true, Ordering::SeqCst);
    }

    /// On a thread of the pool. A panic counts as a signature that does not verify.
    fn help(&self) {
        let verified = contain(|| {
            self.verify();
            Ok(())
        });
        if verified.is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
    }

    /// Takes what nobody has taken, and verifies it.
    fn verify(&self) {
        let mut message = Vec::new();
        while let Some(share) = self.take() {
            for index in share {
                if !self.has_verified(index, &mut message) {
                    return;
                }
            }
        }
    }

    fn take(&self) -> Option<Range<usize>> {
        let from = self.next.fetch_add(self.share, Ordering::SeqCst);
        let count = self.items.len();
        (from < count).then(|| from..count.min(from + self.share))
    }

    /// Whether all verify. What others have taken is verified from its end: they meet at the signature that the others are at.
    fn verify_taken(&self) -> bool {
        let mut message = Vec::new();
        (0..self.items.len())
            .rev()
            .all(|index| self.has_verified(index, &mut message))
            && !self.failed.load(Ordering::SeqCst)
    }

    /// Whether the item verifies, unless it is known by then that one does not.
    fn has_verified(&self, index: usize, message: &mut Vec<u8>) -> bool {
        if self.failed.load(Ordering::SeqCst) {
            return false;
        }
        if self.verified[index].load(Ordering::SeqCst) {
            return true;
        }
        let of = |(at, length): (usize, usize)| piece(&self.memory, at, length).unwrap_or(&[]);
        let item = &self.items[index];
        message.clear();
        for place in &self.pieces[item.pieces.0..item.pieces.1] {
            message.extend_from_slice(of(*place));
        }
        let verifies = self.scheme.verify(of(item.public_key), message, of(item.signature));
        let known = if verifies { &self.verified[index] } else { &self.failed };
        known.store(true, Ordering::SeqCst);
        verifies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(numbers: &[usize]) -> Vec<u8> {
        numbers.iter().flat_map(|it| (*it as u32).to_ne_bytes()).collect()
    }

    /// Key, signature and "message", one behind the other, and a row of it.
    fn signed() -> (Vec<u8>, Vec<usize>) {
        let mut public_key = [0; 32];
        let key = Scheme::Ed25519.private_key(&[5; 32], &mut public_key).unwrap().unwrap();
        let mut signature = [0; 64];
        key.sign(b"message", &mut signature).unwrap();
        let memory = [&public_key[..], &signature, b"mess"].concat();
        (memory, vec![0, 32, 32, 64, 2, 96, 4, 100, 3])
    }

    fn begin(rows: &[usize], threads: usize) -> Result<Verification, Refusal> {
        Verification::begin(&mut Pool::default(), Scheme::Ed25519, &signed().0, b"age", &words(rows), threads)
    }

    #[test]
    fn one_that_does_not_verify_is_found_wherever_it_stands() {
        let (_, row) = signed();
        for threads in [0, 1, 2, 100] {
            assert!(begin(&[], threads).unwrap().finish());
            for at in [0, 15, 16, 17, 69] {
                let mut rows = vec![row.clone(); 70];
                assert!(begin(&rows.concat(), threads).unwrap().finish());
                rows[at][6] = 3;
                assert!(!begin(&rows.concat(), threads).unwrap().finish(), "{at} of {threads}");
            }
        }
    }

    #[test]
    fn threads_serve_one_after_the_other() {
        let mut pool = Pool::default();
        let (memory, row) = signed();
        let mut begin = |rows: &[usize]| {
            Verification::begin(&mut pool, Scheme::Ed25519, &memory, b"age", &words(rows), 0).unwrap()
        };
        for count in [1, 2, 3, 100] {
            let all = vec![row.clone(); count].concat();
            let mut wrong = all.clone();
            wrong[9 * (count - 1) + 6] = 3;
            let (first, second, third) = (begin(&all), begin(&wrong), begin(&all));
            drop(begin(&all));
            assert!(third.finish() && !second.finish() && first.finish());
        }
        // Nobody asks for it, and the pool ends with its thread in the middle of it.
        drop(begin(&vec![row; 5000].concat()));
    }

    #[test]
    fn what_was_left_does_not_verify() {
        let rows = vec![signed().1; 50].concat();
        let begun = begin(&rows, 1).unwrap();
        begun.shared.leave();
        assert!(!begun.finish());
    }

    #[test]
    fn what_others_have_taken_and_do_not_finish_is_done_by_who_asks() {
        let (_, row) = signed();
        for wrong in [None, Some(0), Some(5), Some(11), Some(49)] {
            let mut rows = vec![row.clone(); 50];
            if let Some(wrong) = wrong {
                rows[wrong][6] = 3;
            }
            let begun = begin(&rows.concat(), 1).unwrap();
            assert_eq!(begun.shared.take(), Some(0..12));
            assert_eq!(begun.finish(), wrong.is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn what_a_pool_has_not_begun_is_done_by_who_asks() {
        let rows = vec![signed().1; 50].concat();
        assert!(begin(&rows, 0).unwrap().finish());
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let (_, row) = signed();
        for length in 1..row.len() {
            assert!(begin(&row[..length], 1).is_err(), "{length}");
        }
        for (at, wrong) in [(0, 104), (1, 104), (2, 103), (5, 103), (6, 8), (8, u32::MAX as usize), (4, 3)] {
            let mut rows = row.clone();
            rows[at] = wrong;
            assert!(begin(&rows, 1).is_err(), "{at}");
        }
        // Longer than everything there is.
        assert!(begin(&[0, 32, 32, 64, 2, 0, 100, 0, 100], 1).is_err());
    }
}
