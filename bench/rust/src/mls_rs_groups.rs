use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use mls_rs::client_builder::{MlsConfig, PaddingMode};
use mls_rs::group::{GroupContext, ReceivedMessage, Roster};
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rules::{CommitDirection, CommitOptions, CommitSource, EncryptionOptions, ProposalBundle};
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, Group, MlsMessage, MlsRules};

use crate::library::{Failure, Library, NewCommit};

const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

/// Any commit is fine; the tree is in the Welcome, handshake messages are encrypted.
#[derive(Clone)]
struct Rules {
    /// Whether a commit gets an UpdatePath that it does not need.
    path: Arc<AtomicBool>,
}

impl MlsRules for Rules {
    type Error = std::convert::Infallible;

    fn filter_proposals(
        &self,
        _: CommitDirection,
        _: CommitSource,
        _: &Roster,
        _: &GroupContext,
        proposals: ProposalBundle,
    ) -> Result<ProposalBundle, Self::Error> {
        Ok(proposals)
    }

    fn commit_options(&self, _: &Roster, _: &GroupContext, _: &ProposalBundle) -> Result<CommitOptions, Self::Error> {
        let path = self.path.load(Ordering::Relaxed);
        Ok(CommitOptions::new()
            .with_path_required(path)
            .with_ratchet_tree_extension(true))
    }

    fn encryption_options(&self, _: &Roster, _: &GroupContext) -> Result<EncryptionOptions, Self::Error> {
        Ok(EncryptionOptions::new(true, PaddingMode::None))
    }
}

/// mls-rs with one of its cryptographic providers.
struct MlsRs<C: MlsConfig, F: Fn(&[u8], Rules) -> Result<Client<C>, Failure>> {
    new_client: F,
    path: Arc<AtomicBool>,
    clients: Vec<Client<C>>,
    groups: Vec<Group<C>>,
}

/// Boxed: the types of a client and of what makes one have no names.
pub fn mls_rs<P: CryptoProvider + Clone + 'static>(provider: P) -> Box<dyn Library> {
    let new_client = move |identity: &[u8], rules: Rules| -> Result<_, Failure> {
        let suite = provider
            .cipher_suite_provider(SUITE)
            .ok_or("the provider lacks cipher suite 1")?;
        let (private_key, public_key) = suite.signature_key_generate().map_err(|error| format!("{error:?}"))?;
        let credential = BasicCredential::new(identity.to_vec()).into_credential();
        Ok(Client::builder()
            .identity_provider(BasicIdentityProvider)
            .crypto_provider(provider.clone())
            .mls_rules(rules)
            .signing_identity(SigningIdentity::new(credential, public_key), private_key, SUITE)
            .build())
    };
    Box::new(MlsRs {
        new_client,
        path: Arc::default(),
        clients: vec![],
        groups: vec![],
    })
}

impl<C: MlsConfig, F: Fn(&[u8], Rules) -> Result<Client<C>, Failure>> MlsRs<C, F> {
    fn keep(&mut self, group: Group<C>) -> usize {
        self.groups.push(group);
        self.groups.len() - 1
    }

    fn group(&mut self, number: usize) -> Result<&mut Group<C>, Failure> {
        Ok(self.groups.get_mut(number).ok_or("there is no such group")?)
    }

    fn of(&self, number: usize) -> Result<&Client<C>, Failure> {
        Ok(self.clients.get(number).ok_or("there is no such client")?)
    }
}

impl<C: MlsConfig, F: Fn(&[u8], Rules) -> Result<Client<C>, Failure>> Library for MlsRs<C, F> {
    fn client(&mut self, identity: &[u8]) -> Result<usize, Failure> {
        let client = (self.new_client)(
            identity,
            Rules {
                path: self.path.clone(),
            },
        )?;
        self.clients.push(client);
        Ok(self.clients.len() - 1)
    }

    fn key_package(&mut self, client: usize) -> Result<Vec<u8>, Failure> {
        let message = self
            .of(client)?
            .generate_key_package_message(Default::default(), Default::default(), None)?;
        Ok(message.to_bytes()?)
    }

    fn create(&mut self, client: usize, group_id: &[u8]) -> Result<usize, Failure> {
        let of = self.of(client)?;
        let group = of.create_group_with_id(group_id.to_vec(), Default::default(), Default::default(), None)?;
        Ok(self.keep(group))
    }

    fn join(&mut self, client: usize, welcome: &[u8]) -> Result<usize, Failure> {
        let (group, _) = self
            .of(client)?
            .join_group(None, &MlsMessage::from_bytes(welcome)?, None)?;
        Ok(self.keep(group))
    }

    fn encrypt(&mut self, group: usize, plaintext: &[u8]) -> Result<Vec<u8>, Failure> {
        let message = self.group(group)?.encrypt_application_message(plaintext, vec![])?;
        Ok(message.to_bytes()?)
    }

    fn commit(&mut self, group: usize, key_packages: &[&[u8]], path: bool) -> Result<NewCommit, Failure> {
        self.path.store(path, Ordering::Relaxed);
        let mut builder = self.group(group)?.commit_builder();
        for key_package in key_packages {
            builder = builder.add_member(MlsMessage::from_bytes(key_package)?)?;
        }
        let output = builder.build()?;
        let welcome = output.welcome_messages.first().map(MlsMessage::to_bytes).transpose()?;
        Ok(NewCommit {
            commit: output.commit_message.to_bytes()?,
            welcome,
        })
    }

    fn apply(&mut self, group: usize) -> Result<(), Failure> {
        self.group(group)?.apply_pending_commit()?;
        Ok(())
    }

    fn discard(&mut self, group: usize) -> Result<(), Failure> {
        self.group(group)?.clear_pending_commit();
        Ok(())
    }

    fn receive(&mut self, group: usize, message: &[u8]) -> Result<&'static str, Failure> {
        let received = self
            .group(group)?
            .process_incoming_message(MlsMessage::from_bytes(message)?)?;
        Ok(match received {
            ReceivedMessage::ApplicationMessage(_) => "application",
            ReceivedMessage::Commit(_) => "commit",
            _ => "other",
        })
    }
}
