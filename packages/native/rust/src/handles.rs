//! What JavaScript holds by number: keys, the constants of an HPKE suite, and verifications that go on. A number that was
//! destroyed, or that was never given, finds nothing: no number leads to memory.

use crate::background::{Pool, Verification};
use crate::boundary::Refusal;
use crate::hpke::Suite;
use crate::signatures::PrivateKey;

pub enum Held {
    Key(PrivateKey),
    Suite(Box<Suite>),
    Verification(Verification),
}

/// Numbers are `generation * PLACES + place`: the generation of a place grows whenever it is emptied.
const PLACES: u64 = 1 << 20;
const GENERATION_MAX: u64 = u32::MAX as u64;

#[derive(Default)]
pub struct Handles {
    places: Vec<Place>,
    free: Vec<usize>,
    /// Dropped after the verifications that its threads are at, which ends them.
    pub pool: Pool,
}

struct Place {
    generation: u64,
    held: Option<Held>,
}

impl Handles {
    pub fn insert(&mut self, held: Held) -> Result<u64, Refusal> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.places.len() as u64 == PLACES => return Err(Refusal::Range("too many keys are held")),
            None => {
                self.places.push(Place {
                    generation: 0,
                    held: None,
                });
                self.places.len() - 1
            }
        };
        let place = &mut self.places[index];
        place.held = Some(held);
        Ok(place.generation * PLACES + index as u64)
    }

    pub fn key(&self, number: u64) -> Result<&PrivateKey, Refusal> {
        match self.get(number) {
            Some(Held::Key(key)) => Ok(key),
            _ => Err(Refusal::Type("there is no such key: it may have been destroyed")),
        }
    }

    pub fn suite(&self, number: u64) -> Result<&Suite, Refusal> {
        match self.get(number) {
            Some(Held::Suite(suite)) => Ok(suite),
            _ => Err(Refusal::Type("there is no such suite")),
        }
    }

    /// Gives it away: the number finds nothing any more.
    pub fn take_verification(&mut self, number: u64) -> Result<Verification, Refusal> {
        const GONE: Refusal = Refusal::Type("there is no such verification: it may have ended");
        match self.get(number) {
            Some(Held::Verification(_)) => {}
            _ => return Err(GONE),
        }
        match self.empty(number) {
            Some(Held::Verification(verification)) => Ok(verification),
            _ => Err(GONE),
        }
    }

    fn get(&self, number: u64) -> Option<&Held> {
        let place = self.places.get((number % PLACES) as usize)?;
        place.held.as_ref().filter(|_| place.generation == number / PLACES)
    }

    /// Whether there was something to destroy. Dropping a key wipes it.
    pub fn destroy(&mut self, number: u64) -> bool {
        self.empty(number).is_some()
    }

    fn empty(&mut self, number: u64) -> Option<Held> {
        let index = (number % PLACES) as usize;
        let place = self.places.get_mut(index)?;
        if place.generation != number / PLACES {
            return None;
        }
        let held = place.held.take()?;
        // A place whose generations are used up stays empty.
        if place.generation < GENERATION_MAX {
            place.generation += 1;
            self.free.push(index);
        }
        Some(held)
    }

    /// How many are held.
    pub fn count(&self) -> usize {
        self.places.iter().filter(|place| place.held.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signatures::Scheme;

    fn held() -> Held {
        Held::Key(PrivateKey::test_key())
    }

    #[test]
    fn a_number_finds_what_it_was_given_for_until_it_is_destroyed() {
        let mut handles = Handles::default();
        let first = handles.insert(held()).unwrap();
        let second = handles.insert(held()).unwrap();
        assert_ne!(first, second);
        assert!(handles.key(first).is_ok() && handles.suite(first).is_err());
        assert!(handles.destroy(first) && !handles.destroy(first));
        assert!(handles.key(first).is_err() && handles.key(second).is_ok());
        assert_eq!(handles.count(), 1);
    }

    #[test]
    fn a_verification_is_given_away_once() {
        let begun = || Verification::begin(&mut Pool::default(), Scheme::Ed25519, &[], &[], &[], 1).unwrap();
        let mut handles = Handles::default();
        let first = handles.insert(Held::Verification(begun())).unwrap();
        let key = handles.insert(held()).unwrap();
        assert!(handles.take_verification(key).is_err() && handles.key(key).is_ok());
        assert!(handles.take_verification(first).unwrap().finish());
        assert!(handles.take_verification(first).is_err() && !handles.destroy(first));
        let second = handles.insert(Held::Verification(begun())).unwrap();
        assert_ne!(first, second);
        assert!(handles.destroy(second) && handles.take_verification(second).is_err());
    }

    #[test]
    fn a_place_that_is_used_again_has_another_number() {
        let mut handles = Handles::default();
        let first = handles.insert(held()).unwrap();
        handles.destroy(first);
        let second = handles.insert(held()).unwrap();
        assert_ne!(first, second);
        assert!(handles.key(first).is_err() && handles.key(second).is_ok());
        assert!(!handles.destroy(first));
        assert_eq!(handles.count(), 1);
    }

    #[test]
    fn a_place_is_given_up_before_its_numbers_repeat() {
        let mut handles = Handles::default();
        let first = handles.insert(held()).unwrap();
        handles.places[first as usize].generation = GENERATION_MAX;
        assert!(handles.destroy(GENERATION_MAX * PLACES + first));
        assert_eq!(handles.insert(held()).unwrap(), 1);
    }

    #[test]
    fn numbers_that_were_never_given_find_nothing() {
        let handles = Handles::default();
        for number in [0, 1, PLACES, u64::MAX] {
            assert!(handles.key(number).is_err() && handles.suite(number).is_err());
        }
    }
}
