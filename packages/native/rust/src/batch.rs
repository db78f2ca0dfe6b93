//! Many signatures at once, on every core: while the caller waits, or on threads of the pool while it does not.

use crate::boundary::{contain, Refusal};
use crate::signatures::Scheme;
use napi_sys as sys;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::OnceLock;
use std::thread;

const THREADS_MAX: usize = 8;
/// How many signatures a thread takes at a time; fewer than that for each thread are not worth starting one.
pub const SHARE: usize = 16;

/// A signature, as three slices of what was packed.
type Item<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Public key, message and signature, each after its length in four bytes, big endian, for each signature.
pub fn unpack(packed: &[u8]) -> Result<Vec<Item<'_>>, Refusal> {
    const MALFORMED: Refusal = Refusal::Range("the packed signatures end too early");
    let mut rest = packed;
    let mut take = || -> Result<(&[u8], bool), Refusal> {
        let (length, behind) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        let (taken, behind) = behind
            .split_at_checked(u32::from_be_bytes(*length) as usize)
            .ok_or(MALFORMED)?;
        rest = behind;
        Ok((taken, rest.is_empty()))
    };
    let mut items = Vec::new();
    let mut is_done = packed.is_empty();
    while !is_done {
        let (public_key, message) = (take()?.0, take()?.0);
        let (signature, is_last) = take()?;
        items.push((public_key, message, signature));
        is_done = is_last;
    }
    Ok(items)
}

/// As many threads as there are cores, up to 8. They are counted once, for that may read files: it takes as long as half a signature.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, |it| it.get().min(THREADS_MAX)))
}

/// How many threads are worth it for so many items, where `wanted` are at most; 0 means as many as there are cores, up to 8.
pub fn threads_for(items: usize, wanted: usize) -> usize {
    let threads = if wanted == 0 {
        cores()
    } else {
        wanted.min(THREADS_MAX)
    };
    threads.min(items / SHARE).max(1)
}

/// Whether all signatures verify, on at most so many threads; 0 means as many as there are cores, up to 8.
pub fn verify_all(scheme: Scheme, items: &[Item<'_>], threads: usize) -> bool {
    let threads = threads_for(items.len(), threads);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let from = next.fetch_add(SHARE, Ordering::Relaxed);
            let Some(share) = items.get(from..) else { break };
            if share.is_empty() {
                break;
            }
            for (public_key, message, signature) in share.iter().take(SHARE) {
                if !scheme.verify(public_key, message, signature) {
                    failed.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    };
    thread::scope(|scope| {
        let mut started = Vec::new();
        for _ in 1..threads {
            // Where the system gives no thread, the others do its share.
            started.extend(thread::Builder::new().spawn_scoped(scope, work));
        }
        work();
        // A panic in a thread counts as a signature that does not verify.
        for thread in started {
            if thread.join().is_err() {
                failed.store(true, Ordering::Relaxed);
            }
        }
    });
    !failed.into_inner()
}

/// What is verified off the event loop. It owns a copy of the signatures: the caller's memory is its own again.
struct Task {
    scheme: Scheme,
    packed: Vec<u8>,
    threads: usize,
    verdict: Result<bool, Refusal>,
    deferred: sys::napi_deferred,
    work: sys::napi_async_work,
}

/// A promise of the verdict.
///
/// # Safety
///
/// `env` is that of the running callback.
pub unsafe fn verify_later(
    env: sys::napi_env,
    scheme: Scheme,
    packed: &[u8],
    threads: usize,
) -> Result<sys::napi_value, Refusal> {
    const FAILED: Refusal = Refusal::Failed("no work can be queued");
    unpack(packed)?;
    let mut task = Box::new(Task {
        scheme,
        packed: packed.to_vec(),
        threads,
        verdict: Ok(false),
        deferred: ptr::null_mut(),
        work: ptr::null_mut(),
    });
    let name = c"conclave:verifyAll";
    let (mut promise, mut resource_name) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: `env` as the caller promises; the pointers are to variables of their types. The task belongs to `complete`
    // once the work is queued, and until then to this function.
    unsafe {
        let created = [
            sys::napi_create_string_utf8(env, name.as_ptr(), name.count_bytes() as isize, &mut resource_name),
            sys::napi_create_promise(env, &mut task.deferred, &mut promise),
        ];
        if created.iter().any(|status| *status != sys::Status::napi_ok) {
            return Err(FAILED);
        }
        let raw = Box::into_raw(task);
        let mut work = ptr::null_mut();
        let status = sys::napi_create_async_work(
            env,
            ptr::null_mut(),
            resource_name,
            Some(execute),
            Some(complete),
            raw.cast(),
            &mut work,
        );
        if status != sys::Status::napi_ok {
            drop(Box::from_raw(raw));
            return Err(FAILED);
        }
        (*raw).work = work;
        if sys::napi_queue_async_work(env, work) != sys::Status::napi_ok {
            sys::napi_delete_async_work(env, work);
            drop(Box::from_raw(raw));
            return Err(FAILED);
        }
    }
    Ok(promise)
}

/// On a thread of the pool.
unsafe extern "C" fn execute(_: sys::napi_env, data: *mut c_void) {
    // SAFETY: `data` is the task, which nobody else refers to while the work runs.
    let task = unsafe { &mut *data.cast::<Task>() };
    task.verdict = contain(|| Ok(verify_all(task.scheme, &unpack(&task.packed)?, task.threads)));
}

/// On JavaScript's thread again.
unsafe extern "C" fn complete(env: sys::napi_env, status: sys::napi_status, data: *mut c_void) {
    // SAFETY: `data` is the task, which is this function's now; `env` is that of this callback.
    unsafe {
        let task = Box::from_raw(data.cast::<Task>());
        sys::napi_delete_async_work(env, task.work);
        let mut value = ptr::null_mut();
        match task.verdict {
            Ok(verdict) if status == sys::Status::napi_ok => {
                sys::napi_get_boolean(env, verdict, &mut value);
                sys::napi_resolve_deferred(env, task.deferred, value);
            }
            _ => {
                let reason = c"the signatures were not verified";
                let mut message = ptr::null_mut();
                sys::napi_create_string_utf8(env, reason.as_ptr(), reason.count_bytes() as isize, &mut message);
                sys::napi_create_error(env, ptr::null_mut(), message, &mut value);
                sys::napi_reject_deferred(env, task.deferred, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(items: &[Item<'_>]) -> Vec<u8> {
        let mut packed = Vec::new();
        for part in items.iter().flat_map(|(a, b, c)| [a, b, c]) {
            packed.extend((part.len() as u32).to_be_bytes());
            packed.extend(*part);
        }
        packed
    }

    #[test]
    fn what_is_packed_unpacks_and_what_ends_early_does_not() {
        let items: [Item; 2] = [(b"key", b"", b"signature"), (b"", b"message", b"")];
        let packed = pack(&items);
        assert_eq!(unpack(&packed).unwrap(), items);
        assert_eq!(unpack(&[]).unwrap(), []);
        let first = pack(&items[..1]).len();
        for length in (1..packed.len()).filter(|length| *length != first) {
            assert!(unpack(&packed[..length]).is_err(), "{length}");
        }
        assert!(unpack(&[0xff; 12]).is_err());
    }

    #[test]
    fn one_that_does_not_verify_is_found_wherever_it_stands() {
        let mut public_key = [0; 32];
        let key = Scheme::Ed25519.private_key(&[5; 32], &mut public_key).unwrap().unwrap();
        let mut signature = [0; 64];
        key.sign(b"message", &mut signature).unwrap();
        let good: Item = (&public_key, b"message", &signature);
        for threads in [0, 1, 2, 100] {
            assert!(verify_all(Scheme::Ed25519, &[], threads));
            for at in [0, 15, 16, 17, 69] {
                let mut items = vec![good; 70];
                assert!(verify_all(Scheme::Ed25519, &items, threads));
                items[at].1 = b"massage";
                assert!(!verify_all(Scheme::Ed25519, &items, threads), "{at} of {threads}");
            }
        }
    }
}
