//! What the benchmark asks of an implementation: bytes in, bytes out. Clients and groups have numbers.

pub type Failure = Box<dyn std::error::Error>;

pub struct NewCommit {
    /// An MLSMessage.
    pub commit: Vec<u8>,
    /// An MLSMessage, with the tree inside, where members are added.
    pub welcome: Option<Vec<u8>>,
}

/// Everything in cipher suite 1, with basic credentials and encrypted handshake messages.
pub trait Library {
    fn client(&mut self, identity: &[u8]) -> Result<usize, Failure>;
    fn key_package(&mut self, client: usize) -> Result<Vec<u8>, Failure>;
    fn create(&mut self, client: usize, group_id: &[u8]) -> Result<usize, Failure>;
    fn join(&mut self, client: usize, welcome: &[u8]) -> Result<usize, Failure>;
    fn encrypt(&mut self, group: usize, plaintext: &[u8]) -> Result<Vec<u8>, Failure>;
    /// Adds those with the key packages. Without an UpdatePath where `path` is false and none is needed.
    fn commit(&mut self, group: usize, key_packages: &[&[u8]], path: bool) -> Result<NewCommit, Failure>;
    fn apply(&mut self, group: usize) -> Result<(), Failure>;
    fn discard(&mut self, group: usize) -> Result<(), Failure>;
    /// Takes in a message and applies it, where it is a commit. What kind it was: `application`, `commit`, `other`.
    fn receive(&mut self, group: usize, message: &[u8]) -> Result<&'static str, Failure>;
}
