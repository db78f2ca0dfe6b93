//! aws-lc behind Node-API: the primitives of Conclave's `CryptoProvider`, into memory that the caller gives.
//!
//! There is no protocol here. `exports` lists what JavaScript can call; `boundary` is what stands between.

#![deny(unsafe_op_in_unsafe_fn)]

mod background;
mod batch;
mod boundary;
mod exports;
mod groups;
mod handles;
mod hpke;
mod ml_kem;
mod primitives;
mod signatures;
mod spans;

use napi_sys as sys;
use std::ffi::{c_char, CStr};
use std::ptr;
use std::sync::Once;

/// Of the functions and their arguments: the JavaScript beside refuses a library with another one.
const INTERFACE: f64 = 2.0;

macro_rules! exports {
    ($($name:literal: $function:path,)+) => {
        [$(($name, {
            unsafe extern "C" fn callback(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
                // SAFETY: Node-API calls this with the environment and the arguments of a call that is running.
                unsafe { boundary::enter(env, info, $function) }
            }
            callback
        })),+]
    };
}

type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

const EXPORTS: [(&CStr, Callback); 28] = exports![
    c"random": exports::random,
    c"digest": exports::digest,
    c"hmac": exports::hmac,
    c"digestAll": exports::digest_all,
    c"hmacAll": exports::hmac_all,
    c"seal": exports::seal,
    c"open": exports::open,
    c"publicKey": exports::public_key,
    c"multiply": exports::multiply,
    c"exchange": exports::exchange,
    c"isOnCurve": exports::is_on_curve,
    c"importKey": exports::import_key,
    c"sign": exports::sign,
    c"destroy": exports::destroy,
    c"held": exports::held,
    c"verify": exports::verify,
    c"verifyAll": exports::verify_all,
    c"verifyLater": exports::verify_later,
    c"verifyBegin": exports::verify_begin,
    c"verifyFinish": exports::verify_finish,
    c"hpkeSuite": exports::hpke_suite,
    c"hpkeSeal": exports::hpke_seal,
    c"hpkeOpen": exports::hpke_open,
    c"hpkeSealAll": exports::hpke_seal_all,
    c"hpkeKeyPair": exports::hpke_key_pair,
    c"mlKem768KeyPair": exports::ml_kem_key_pair,
    c"mlKem768Encapsulate": exports::ml_kem_encapsulate,
    c"mlKem768Decapsulate": exports::ml_kem_decapsulate,
];

/// Node-API's version that is asked for: Node 18.12 and later have it.
#[no_mangle]
pub extern "C" fn node_api_module_get_api_version_v1() -> i32 {
    8
}

/// Called by Node.js when it loads the library, once for each environment (each worker thread is one).
///
/// # Safety
///
/// `env` and `exports` are Node-API's, alive for this call.
#[no_mangle]
pub unsafe extern "C" fn napi_register_module_v1(env: sys::napi_env, exports: sys::napi_value) -> sys::napi_value {
    // Once, for worker threads load the library too, and these are variables that they share.
    static FOUND: Once = Once::new();
    let found = boundary::contain(|| {
        // SAFETY: the library that holds Node-API's functions is the process itself; forgetting it keeps it open.
        FOUND.call_once(|| std::mem::forget(unsafe { sys::setup() }));
        Ok(())
    });
    if found.is_err() {
        return ptr::null_mut();
    }
    // SAFETY: as the caller promises; names are terminated by zeros, values are those just made.
    unsafe {
        boundary::set_up(env);
        for (name, callback) in EXPORTS {
            let mut function = ptr::null_mut();
            sys::napi_create_function(
                env,
                name.as_ptr(),
                name.count_bytes() as isize,
                Some(callback),
                ptr::null_mut(),
                &mut function,
            );
            sys::napi_set_named_property(env, exports, name.as_ptr(), function);
        }
        let mut value = ptr::null_mut();
        sys::napi_create_double(env, INTERFACE, &mut value);
        sys::napi_set_named_property(env, exports, c"interfaceVersion".as_ptr(), value);
        let version = concat!(env!("CARGO_PKG_VERSION"), "\0");
        sys::napi_create_string_utf8(
            env,
            version.as_ptr().cast::<c_char>(),
            version.len() as isize - 1,
            &mut value,
        );
        sys::napi_set_named_property(env, exports, c"version".as_ptr(), value);
    }
    exports
}
