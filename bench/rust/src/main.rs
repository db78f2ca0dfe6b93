//! `conclave-bench-rust IMPLEMENTATION`: serves its groups over standard input and output (`pipe.rs`).

mod library;
mod mls_rs_groups;
mod openmls_groups;
mod pipe;

use library::Library;
use mls_rs_crypto_awslc::AwsLcCryptoProvider;
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use mls_rs_groups::mls_rs;
use openmls_groups::OpenMls;

fn main() -> std::process::ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut library: Box<dyn Library> = match name.as_str() {
        "mls-rs-aws-lc" => mls_rs(AwsLcCryptoProvider::default()),
        "mls-rs-rustcrypto" => mls_rs(RustCryptoProvider::default()),
        "openmls-rustcrypto" => Box::new(OpenMls::new(|| Ok(openmls_rust_crypto::OpenMlsRustCrypto::default()))),
        "openmls-libcrux" => Box::new(OpenMls::new(|| Ok(openmls_libcrux_crypto::Provider::new()?))),
        _ => {
            eprintln!("There is no implementation {name:?}.");
            return std::process::ExitCode::from(2);
        }
    };
    match pipe::serve(library.as_mut()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
