use std::rc::Rc;

use openmls::prelude::*;
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::OpenMlsProvider;
use tls_codec::{Deserialize, Serialize};

use crate::library::{Failure, Library, NewCommit};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// A client, and what its groups need of it.
struct Party<P> {
    /// With the client's own storage, in memory.
    provider: P,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
}

struct Membership<P> {
    party: Rc<Party<P>>,
    group: MlsGroup,
}

/// OpenMLS with one of its cryptographic providers.
pub struct OpenMls<P> {
    new_provider: fn() -> Result<P, Failure>,
    parties: Vec<Rc<Party<P>>>,
    groups: Vec<Membership<P>>,
}

fn config() -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .use_ratchet_tree_extension(true)
        .build()
}

/// An error as text: some of OpenMLS's are generic over the storage's.
fn told<E: std::fmt::Debug>(error: E) -> Failure {
    format!("{error:?}").into()
}

impl<P: OpenMlsProvider> OpenMls<P> {
    pub fn new(new_provider: fn() -> Result<P, Failure>) -> Self {
        Self {
            new_provider,
            parties: vec![],
            groups: vec![],
        }
    }

    fn keep(&mut self, party: Rc<Party<P>>, group: MlsGroup) -> usize {
        self.groups.push(Membership { party, group });
        self.groups.len() - 1
    }

    fn party(&self, number: usize) -> Result<Rc<Party<P>>, Failure> {
        Ok(self.parties.get(number).ok_or("there is no such client")?.clone())
    }

    fn membership(&mut self, number: usize) -> Result<(&Party<P>, &mut MlsGroup), Failure> {
        let Membership { party, group } = self.groups.get_mut(number).ok_or("there is no such group")?;
        Ok((party, group))
    }
}

impl<P: OpenMlsProvider> Library for OpenMls<P> {
    fn client(&mut self, identity: &[u8]) -> Result<usize, Failure> {
        let signer = SignatureKeyPair::new(SUITE.signature_algorithm()).map_err(told)?;
        let credential = CredentialWithKey {
            credential: BasicCredential::new(identity.to_vec()).into(),
            signature_key: signer.to_public_vec().into(),
        };
        self.parties.push(Rc::new(Party {
            provider: (self.new_provider)()?,
            signer,
            credential,
        }));
        Ok(self.parties.len() - 1)
    }

    fn key_package(&mut self, client: usize) -> Result<Vec<u8>, Failure> {
        let Party {
            provider,
            signer,
            credential,
        } = &*self.party(client)?;
        let bundle = KeyPackage::builder()
            .build(SUITE, provider, signer, credential.clone())
            .map_err(told)?;
        Ok(MlsMessageOut::from(bundle.key_package().clone()).tls_serialize_detached()?)
    }

    fn create(&mut self, client: usize, group_id: &[u8]) -> Result<usize, Failure> {
        let party = self.party(client)?;
        let Party {
            provider,
            signer,
            credential,
        } = &*party;
        let id = GroupId::from_slice(group_id);
        let group = MlsGroup::new_with_group_id(provider, signer, &config(), id, credential.clone()).map_err(told)?;
        Ok(self.keep(party, group))
    }

    fn join(&mut self, client: usize, welcome: &[u8]) -> Result<usize, Failure> {
        let party = self.party(client)?;
        let MlsMessageBodyIn::Welcome(welcome) = MlsMessageIn::tls_deserialize_exact(welcome)?.extract() else {
            return Err("it is not a Welcome".into());
        };
        let staged = StagedWelcome::new_from_welcome(&party.provider, config().join_config(), welcome, None);
        let group = staged.map_err(told)?.into_group(&party.provider).map_err(told)?;
        Ok(self.keep(party, group))
    }

    fn encrypt(&mut self, group: usize, plaintext: &[u8]) -> Result<Vec<u8>, Failure> {
        let (party, group) = self.membership(group)?;
        let message = group
            .create_message(&party.provider, &party.signer, plaintext)
            .map_err(told)?;
        Ok(message.tls_serialize_detached()?)
    }

    fn commit(&mut self, group: usize, key_packages: &[&[u8]], path: bool) -> Result<NewCommit, Failure> {
        let (Party { provider, signer, .. }, group) = self.membership(group)?;
        if key_packages.is_empty() {
            let bundle = group
                .self_update(provider, signer, LeafNodeParameters::default())
                .map_err(told)?;
            return Ok(NewCommit {
                commit: bundle.into_commit().tls_serialize_detached()?,
                welcome: None,
            });
        }
        let mut newcomers = vec![];
        for bytes in key_packages {
            let MlsMessageBodyIn::KeyPackage(found) = MlsMessageIn::tls_deserialize_exact(bytes)?.extract() else {
                return Err("it is not a KeyPackage".into());
            };
            newcomers.push(
                found
                    .validate(provider.crypto(), ProtocolVersion::Mls10)
                    .map_err(told)?,
            );
        }
        let (commit, welcome, _) = if path {
            group.add_members(provider, signer, &newcomers).map_err(told)?
        } else {
            group
                .add_members_without_update(provider, signer, &newcomers)
                .map_err(told)?
        };
        Ok(NewCommit {
            commit: commit.tls_serialize_detached()?,
            welcome: Some(welcome.tls_serialize_detached()?),
        })
    }

    fn apply(&mut self, group: usize) -> Result<(), Failure> {
        let (party, group) = self.membership(group)?;
        group.merge_pending_commit(&party.provider).map_err(told)
    }

    fn discard(&mut self, group: usize) -> Result<(), Failure> {
        let (party, group) = self.membership(group)?;
        group.clear_pending_commit(party.provider.storage()).map_err(told)
    }

    fn receive(&mut self, group: usize, message: &[u8]) -> Result<&'static str, Failure> {
        let (party, group) = self.membership(group)?;
        let message = MlsMessageIn::tls_deserialize_exact(message)?
            .try_into_protocol_message()
            .map_err(told)?;
        let processed = group.process_message(&party.provider, message).map_err(told)?;
        Ok(match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(_) => "application",
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                group.merge_staged_commit(&party.provider, *staged).map_err(told)?;
                "commit"
            }
            _ => "other",
        })
    }
}
