//! What stands between JavaScript and everything else: the only module that speaks Node-API.
//!
//! - No panic crosses: `enter` catches it and throws an `Error`.
//! - No reference to JavaScript's memory outlives a call: the slices that [`Call::memory`] lends have the lifetime of
//!   the call, which the function is generic over, and nothing here runs JavaScript while they live. What another thread
//!   needs after the call is copied.
//! - Only a `Uint8Array` over an `ArrayBuffer` is lent: memory that another thread could write to is refused, and so is
//!   an array whose buffer has been detached. A resizable buffer is lent as long as it is at the time of the call.
//! - Outputs overlap nothing: otherwise they would be two mutable references, or a mutable one and a shared one, to the
//!   same bytes.

use crate::handles::Handles;
use napi_sys as sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

/// Why a call was refused, as JavaScript learns it.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `TypeError`: an argument of the wrong kind.
    Type(&'static str),
    /// `RangeError`: an argument of the wrong size.
    Range(&'static str),
    /// `Error`: the library failed where it should not.
    Failed(&'static str),
}

pub type Answer = Result<Value, Refusal>;

/// What a call returns.
pub enum Value {
    Undefined,
    Boolean(bool),
    Number(f64),
    /// A promise, made by this module.
    Made(sys::napi_value),
}

const ARGUMENTS_MAX: usize = 10;

/// One call from JavaScript. Its lifetime is the call's.
pub struct Call<'call> {
    env: sys::napi_env,
    arguments: [sys::napi_value; ARGUMENTS_MAX],
    count: usize,
    lifetime: PhantomData<&'call RefCell<()>>,
}

pub type Function = for<'call> fn(Call<'call>) -> Answer;

/// Runs a function for JavaScript.
///
/// # Safety
///
/// `env` and `info` are those that Node-API passed to a callback which has not returned yet.
pub unsafe fn enter(env: sys::napi_env, info: sys::napi_callback_info, function: Function) -> sys::napi_value {
    let answer = contain(|| {
        let mut arguments = [ptr::null_mut(); ARGUMENTS_MAX];
        let mut count = ARGUMENTS_MAX;
        // SAFETY: as the caller promises; `arguments` has room for `count`.
        let status = unsafe {
            sys::napi_get_cb_info(
                env,
                info,
                &mut count,
                arguments.as_mut_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if status != sys::Status::napi_ok {
            return Err(Refusal::Failed("the arguments cannot be read"));
        }
        function(Call {
            env,
            arguments,
            count: count.min(ARGUMENTS_MAX),
            lifetime: PhantomData,
        })
    });
    // SAFETY: as the caller promises.
    unsafe {
        match answer {
            Ok(value) => to_javascript(env, value),
            Err(refusal) => throw(env, &refusal),
        }
    }
}

/// Runs `function`, and makes a panic inside it a refusal.
pub fn contain<T>(function: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    // What a panic leaves half-done is outputs, which the caller does not look at when it is thrown at, and the table of
    // handles, which `RefCell` guards and whose operations are complete or not begun.
    catch_unwind(AssertUnwindSafe(function)).unwrap_or(Err(Refusal::Failed("a fault inside the native provider")))
}

unsafe fn to_javascript(env: sys::napi_env, value: Value) -> sys::napi_value {
    let mut made = ptr::null_mut();
    // SAFETY: `env` is that of the running callback. A failure leaves `made` null, which is `undefined`.
    unsafe {
        match value {
            Value::Undefined => return ptr::null_mut(),
            Value::Boolean(it) => sys::napi_get_boolean(env, it, &mut made),
            Value::Number(it) => sys::napi_create_double(env, it, &mut made),
            Value::Made(it) => return it,
        };
    }
    made
}

unsafe fn throw(env: sys::napi_env, refusal: &Refusal) -> sys::napi_value {
    // SAFETY: `env` is that of the running callback; the messages are made with a trailing zero.
    unsafe {
        let _ = match refusal {
            Refusal::Type(reason) => sys::napi_throw_type_error(env, ptr::null(), text(reason).as_ptr()),
            Refusal::Range(reason) => sys::napi_throw_range_error(env, ptr::null(), text(reason).as_ptr()),
            Refusal::Failed(reason) => sys::napi_throw_error(env, ptr::null(), text(reason).as_ptr()),
        };
    }
    ptr::null_mut()
}

fn text(reason: &str) -> std::ffi::CString {
    std::ffi::CString::new(reason).unwrap_or_default()
}

impl<'call> Call<'call> {
    /// An argument that is a whole number from 0 to 2⁵³ - 1.
    pub fn number(&self, index: usize) -> Result<u64, Refusal> {
        let mut number = 0.0f64;
        // SAFETY: the argument belongs to the running callback.
        let status = unsafe { sys::napi_get_value_double(self.env, self.argument(index)?, &mut number) };
        if status != sys::Status::napi_ok {
            return Err(Refusal::Type("an argument is not a number"));
        }
        if !(0.0..=9_007_199_254_740_991.0).contains(&number) || number.fract() != 0.0 {
            return Err(Refusal::Range("an argument is not a whole number in range"));
        }
        Ok(number as u64)
    }

    /// Lends the arguments from `first` on: so many inputs, then so many outputs. It takes the call, so that nothing is
    /// lent twice.
    #[allow(clippy::type_complexity)]
    pub fn memory<const I: usize, const O: usize>(
        self,
        first: usize,
    ) -> Result<([&'call [u8]; I], [&'call mut [u8]; O]), Refusal> {
        let mut inputs = [Region::EMPTY; I];
        let mut outputs = [Region::EMPTY; O];
        for (index, region) in inputs.iter_mut().chain(&mut outputs).enumerate() {
            *region = self.region(first + index)?;
        }
        for (index, output) in outputs.iter().enumerate() {
            let others = inputs.iter().chain(&outputs[..index]);
            if others.into_iter().any(|other| output.overlaps(other)) {
                return Err(Refusal::Type("an output overlaps another argument"));
            }
        }
        // SAFETY: each region is the memory of an array that this call's arguments hold, of a buffer that no other thread
        // sees, and no JavaScript runs before the call ends; outputs overlap nothing.
        Ok(unsafe { (inputs.map(|it| it.shared()), outputs.map(|it| it.exclusive())) })
    }

    /// The table of this environment's handles.
    pub fn handles(&self) -> Result<&'call RefCell<Handles>, Refusal> {
        let mut data = ptr::null_mut();
        // SAFETY: `data` is what `set_instance_data` was given: it lives as long as the environment, which outlives the
        // call, and is null before.
        let handles = unsafe {
            sys::napi_get_instance_data(self.env, &mut data);
            data.cast::<RefCell<Handles>>().as_ref()
        };
        handles.ok_or(Refusal::Failed("the environment is closing"))
    }

    pub fn environment(&self) -> sys::napi_env {
        self.env
    }

    fn argument(&self, index: usize) -> Result<sys::napi_value, Refusal> {
        if index < self.count {
            Ok(self.arguments[index])
        } else {
            Err(Refusal::Type("an argument is missing"))
        }
    }

    fn region(&self, index: usize) -> Result<Region, Refusal> {
        const NOT_BYTES: Refusal = Refusal::Type("an argument is not a Uint8Array");
        let value = self.argument(index)?;
        let (mut kind, mut length, mut data, mut buffer) = (0, 0, ptr::null_mut(), ptr::null_mut());
        // SAFETY: the argument belongs to the running callback, and every pointer is to a variable of its type.
        unsafe {
            let status = sys::napi_get_typedarray_info(
                self.env,
                value,
                &mut kind,
                &mut length,
                &mut data,
                &mut buffer,
                ptr::null_mut(),
            );
            if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
                return Err(NOT_BYTES);
            }
            let mut is_array_buffer = false;
            let status = sys::napi_is_arraybuffer(self.env, buffer, &mut is_array_buffer);
            if status != sys::Status::napi_ok || !is_array_buffer {
                return Err(Refusal::Type("memory that threads share is refused"));
            }
            if length == 0 || data.is_null() {
                let mut is_detached = true;
                let status = sys::napi_is_detached_arraybuffer(self.env, buffer, &mut is_detached);
                if status != sys::Status::napi_ok || is_detached {
                    return Err(Refusal::Type("an argument's buffer is detached"));
                }
                return Ok(Region::EMPTY);
            }
        }
        Ok(Region {
            start: data.cast(),
            length,
        })
    }
}

/// Memory of JavaScript's, by address.
#[derive(Clone, Copy)]
struct Region {
    start: *mut u8,
    length: usize,
}

impl Region {
    const EMPTY: Self = Self {
        start: ptr::NonNull::dangling().as_ptr(),
        length: 0,
    };

    fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.start as usize, other.start as usize);
        self.length > 0 && other.length > 0 && a < b + other.length && b < a + self.length
    }

    /// # Safety
    ///
    /// The region is valid for reading for `'a`, and nothing writes to it meanwhile.
    unsafe fn shared<'a>(self) -> &'a [u8] {
        // SAFETY: as the caller promises; an empty region has a dangling pointer that is not null.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }

    /// # Safety
    ///
    /// The region is valid for reading and writing for `'a`, and nothing else refers to it meanwhile.
    unsafe fn exclusive<'a>(self) -> &'a mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

/// Gives the environment its table of handles, which is dropped, and with it every key, when the environment ends.
///
/// # Safety
///
/// `env` is that of a module that is being loaded.
pub unsafe fn set_up(env: sys::napi_env) {
    let handles = Box::into_raw(Box::new(RefCell::new(Handles::default())));
    // SAFETY: as the caller promises; the box goes to `tear_down` alone.
    let status = unsafe { sys::napi_set_instance_data(env, handles.cast(), Some(tear_down), ptr::null_mut()) };
    if status != sys::Status::napi_ok {
        // SAFETY: nothing has taken the box.
        drop(unsafe { Box::from_raw(handles) });
    }
}

unsafe extern "C" fn tear_down(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: `data` is the box that `set_up` made; Node-API calls this once.
    let handles = unsafe { Box::from_raw(data.cast::<RefCell<Handles>>()) };
    let _ = contain(|| {
        drop(handles);
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_refusal() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let contained = contain::<()>(|| panic!("on purpose"));
        std::panic::set_hook(hook);
        assert_eq!(contained, Err(Refusal::Failed("a fault inside the native provider")));
    }

    #[test]
    fn regions_overlap_where_they_share_a_byte() {
        let mut memory = [0u8; 8];
        let start = memory.as_mut_ptr();
        let region = |from: usize, length| Region {
            start: start.wrapping_add(from),
            length,
        };
        assert!(region(0, 4).overlaps(&region(3, 1)));
        assert!(region(3, 1).overlaps(&region(0, 4)));
        assert!(region(2, 2).overlaps(&region(0, 8)));
        assert!(!region(0, 4).overlaps(&region(4, 4)));
        assert!(!region(4, 4).overlaps(&region(0, 4)));
        assert!(!region(2, 0).overlaps(&region(0, 8)));
        assert!(!Region::EMPTY.overlaps(&region(0, 8)));
    }

    #[test]
    fn an_empty_region_is_an_empty_slice() {
        // SAFETY: the region is empty.
        unsafe {
            assert!(Region::EMPTY.shared().is_empty());
            assert!(Region::EMPTY.exclusive().is_empty());
        }
    }
}
