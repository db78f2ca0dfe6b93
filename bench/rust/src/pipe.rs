//! The protocol of the pipe. A request and an answer are frames: the length of the rest in four bytes, then fields, each
//! after its length in four bytes. The first field of a request is the operation's name; an answer begins with one byte,
//! 1 for an error with its text and 0 for a result: the nanoseconds that passed inside the library, in eight bytes, and
//! fields. All numbers are big endian.

use std::io::{self, Read, Write};
use std::time::Instant;

use crate::library::{Failure, Library};

/// A frame may be so long: 5,000 key packages have two megabytes.
const FRAME_SIZE_MAX: usize = 1 << 28;

/// Answers one request after the other until the input ends.
pub fn serve(library: &mut dyn Library) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    while let Some(request) = read_frame(&mut input)? {
        let answer = match fields(&request).and_then(|fields| perform(library, &fields)) {
            Ok((nanoseconds, results)) => {
                let mut answer = vec![0];
                answer.extend_from_slice(&nanoseconds.to_be_bytes());
                results.iter().for_each(|field| push(&mut answer, field));
                answer
            }
            Err(failure) => {
                let mut answer = vec![1];
                push(&mut answer, failure.to_string().as_bytes());
                answer
            }
        };
        output.write_all(&length_of(&answer))?;
        output.write_all(&answer)?;
        output.flush()?;
    }
    Ok(())
}

type Results = Vec<Vec<u8>>;

fn perform(library: &mut dyn Library, fields: &[&[u8]]) -> Result<(u64, Results), Failure> {
    let [name, rest @ ..] = fields else {
        return Err("a request has no field".into());
    };
    let start = Instant::now();
    let results: Results = match (*name, rest) {
        (b"client", [identity]) => vec![number(library.client(identity)?)],
        (b"keyPackage", [client]) => vec![library.key_package(index(client)?)?],
        (b"create", [client, group_id]) => vec![number(library.create(index(client)?, group_id)?)],
        (b"join", [client, welcome]) => vec![number(library.join(index(client)?, welcome)?)],
        (b"encrypt", [group, plaintext]) => vec![library.encrypt(index(group)?, plaintext)?],
        (b"commit", [group, path, key_packages @ ..]) => {
            let new = library.commit(index(group)?, key_packages, *path == [1])?;
            vec![new.commit, new.welcome.unwrap_or_default()]
        }
        (b"apply", [group]) => library.apply(index(group)?).map(|()| vec![])?,
        (b"discard", [group]) => library.discard(index(group)?).map(|()| vec![])?,
        (b"receive", [group, message]) => vec![library.receive(index(group)?, message)?.as_bytes().to_vec()],
        _ => {
            return Err(format!(
                "no operation {} with {} fields",
                String::from_utf8_lossy(name),
                rest.len()
            )
            .into())
        }
    };
    let nanoseconds = u64::try_from(start.elapsed().as_nanos())?;
    Ok((nanoseconds, results))
}

fn read_frame(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_SIZE_MAX {
        return Err(io::Error::other("a frame is too long"));
    }
    let mut frame = vec![0; length];
    input.read_exact(&mut frame)?;
    Ok(Some(frame))
}

fn fields(mut frame: &[u8]) -> Result<Vec<&[u8]>, Failure> {
    let mut found = vec![];
    while !frame.is_empty() {
        let (length, rest) = frame.split_first_chunk::<4>().ok_or("a field has no length")?;
        let (field, rest) = rest
            .split_at_checked(u32::from_be_bytes(*length) as usize)
            .ok_or("a field is cut off")?;
        found.push(field);
        frame = rest;
    }
    Ok(found)
}

fn push(frame: &mut Vec<u8>, field: &[u8]) {
    frame.extend_from_slice(&length_of(field));
    frame.extend_from_slice(field);
}

fn length_of(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len())
        .expect("a frame of less than 4 GiB")
        .to_be_bytes()
}

fn number(value: usize) -> Vec<u8> {
    (value as u32).to_be_bytes().to_vec()
}

fn index(field: &[u8]) -> Result<usize, Failure> {
    Ok(u32::from_be_bytes(field.try_into()?) as usize)
}
