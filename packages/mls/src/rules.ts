/** One MUST of RFC 9420 that a message, or a wish of this client, can break. */
export interface Rule {
  /** Section of RFC 9420. */
  readonly section: string
  /** What has to hold, in our words. */
  readonly text: string
  /**
   * Who sees it when a Commit breaks the rule: every member of the epoch, unless this says that it may be this member
   * alone, because another one was sent other bytes or knows another secret (RFC 9420 §16.12).
   */
  readonly seenBy?: SeenBy
}

/** Whether every member of the epoch sees that something is wrong, or perhaps this member alone. */
export type SeenBy = "everybody" | "self"

const define = <const Table extends Readonly<Record<string, Rule>>>(
  table: Table,
): Readonly<Record<keyof Table, Rule>> => table

/**
 * The checks of this library, one row each. Code throws by id; every id has a test that breaks the rule and sees it
 * refused; `docs/rules.md` is made from this table.
 *
 * What cannot be decoded at all (lengths, presence octets, unknown versions) breaks no rule but the encoding: it is a
 * DecodeError. What no key authenticates (message signatures, tags, ciphertexts) is an AuthenticityError.
 */
export const rules = define({
  // §5, §13 What every value has to keep to
  "key-encryption-valid": { section: "5.1.1", text: "An encryption key is a public key of the suite" },
  "key-signature-valid": { section: "5.1.1", text: "An external sender's key is a public key of the suite" },
  "extensions-distinct": { section: "13.4", text: "A list of extensions has no type twice" },
  "extensions-length": { section: "13.4", text: "A list of extensions has at most 256 entries" },
  "extensions-size": { section: "8.1", text: "The extensions of a GroupContext have at most 131,072 bytes" },
  "group-id-length": { section: "8.1", text: "A group id has 1 to 65,535 bytes" },
  "extension-place": { section: "17.3", text: "An extension of the RFC stands where the RFC puts it" },
  "extension-content": { section: "13.4", text: "An extension that this library reads is well-formed" },
  "credential-chain": { section: "5.3", text: "An X.509 credential has a certificate" },
  "credential-accepted": { section: "5.3.1", text: "The application accepts every new credential" },

  // §6 Framing
  "framing-group": { section: "6", text: "A message is for this group" },
  "framing-application-private": { section: "6", text: "Application data travels encrypted" },
  "framing-sender-member": { section: "6.3.2", text: "The sender is a leaf that is not blank" },
  "framing-external-sender-listed": { section: "6.1", text: "An external sender is in the group's external_senders" },
  "framing-external-content": { section: "6.1", text: "An external sender sends proposals only" },
  "framing-external-proposal-type": {
    section: "12.1.8",
    text: "An external sender proposes only what external senders may",
  },
  "framing-new-member-proposal": { section: "6.1", text: "A new member proposes nothing but its own Add" },
  "framing-new-member-commit": { section: "6.1", text: "A new member that commits sends an external Commit" },

  // §7 Leaf nodes
  "leaf-signature": { section: "7.3", text: "A leaf node is signed with its own key" },
  "leaf-version-supported": { section: "7.3", text: "A leaf node lists the group's version and cipher suite" },
  "leaf-required-capabilities": { section: "7.3", text: "A leaf node has the capabilities that the group requires" },
  "leaf-group-extensions": { section: "13.4", text: "A leaf node supports every extension of the group" },
  "leaf-extensions-listed": { section: "7.3", text: "A leaf node lists the types of its own extensions" },
  "leaf-capabilities-length": {
    section: "7.2",
    text: "Each list of a leaf node's capabilities has at most 256 entries",
  },
  "leaf-capabilities-default": { section: "7.2", text: "Capabilities do not list default types" },
  "leaf-credential-listed": { section: "7.2", text: "A leaf node lists the type of its own credential" },
  "leaf-credential-supported": { section: "7.3", text: "Every member supports the credential type of a leaf node" },
  "leaf-supports-credentials": { section: "7.3", text: "A leaf node supports every credential type in use" },
  "leaf-lifetime-current": { section: "7.3", text: "The time is within the lifetime of a leaf node" },
  "leaf-lifetime-length": { section: "7.2", text: "A lifetime is no longer than the application allows" },
  "leaf-source-key-package": { section: "7.3", text: "The leaf node of a key package says so" },
  "leaf-source-update": { section: "7.3", text: "The leaf node of an Update says so" },
  "leaf-source-commit": { section: "7.3", text: "The leaf node of an UpdatePath says so" },
  "leaf-encryption-key-new": { section: "7.3", text: "A new leaf node has a new encryption key" },
  "leaf-signature-key-unique": { section: "7.3", text: "No two members have the same signature key" },
  "leaf-encryption-key-unique": { section: "7.3", text: "No two members have the same encryption key" },

  // §7 The tree
  "tree-last-node-blank": { section: "12.4.3.3", text: "The last node of a ratchet_tree is not blank" },
  "tree-length-odd": { section: "12.4.3.3", text: "A ratchet_tree ends with a leaf" },
  "tree-size": { section: "12.4.3.3", text: "A tree has no more leaves than the application allows" },
  "tree-sparse": {
    section: "12.4.3.3",
    text: "A tree of more than 32,768 leaves has a member for each 16 of them",
  },
  "tree-node-type": { section: "12.4.3.3", text: "Leaves stand at even places of a tree, parents at odd ones" },
  "tree-hash": { section: "7.8", text: "The tree is the one that the GroupContext names" },
  "tree-parent-hash": { section: "7.9.2", text: "Every parent node is linked to exactly one node below it" },
  "tree-root-parent-hash": { section: "7.5", text: "The root has an empty parent hash" },
  "tree-unmerged-sorted": { section: "7.1", text: "Unmerged leaves are in increasing order, none twice" },
  "tree-unmerged-below": { section: "12.4.3.1", text: "An unmerged leaf is a member below its parent node" },
  "tree-unmerged-throughout": {
    section: "12.4.3.1",
    text: "Every parent node between an unmerged leaf and its parent node lists the leaf too",
  },
  "tree-parent-key-unique": { section: "12.4.3.1", text: "A parent's encryption key occurs in no other node" },

  // §7.5, §7.6 Update paths
  "path-length": { section: "7.5", text: "An UpdatePath has a node for each step of the filtered direct path" },
  "path-ciphertexts": { section: "7.6", text: "A path secret is encrypted once to each node of the resolution" },
  "path-parent-hash": { section: "7.9.2", text: "The committer's leaf holds the parent hash of its path" },
  "path-keys-new": { section: "12.4.2", text: "No public key of an UpdatePath is in the tree already" },
  "path-keys-derived": {
    section: "7.5",
    text: "The public keys of an UpdatePath follow from its path secrets",
    seenBy: "self",
  },
  "path-secret-decrypts": {
    section: "7.5",
    text: "The path secret for this member can be decrypted",
    seenBy: "self",
  },

  // §8.4 Pre-shared keys
  "psk-nonce-length": { section: "12.1.4", text: "A psk_nonce is as long as a secret" },
  "psk-usage": { section: "12.1.4", text: "Resumption for reinit and branch is for new groups only" },
  "psk-known": { section: "12.4.2", text: "Every pre-shared key that is used is known", seenBy: "self" },
  "psk-count": { section: "8.4", text: "At most 256 pre-shared keys are used at once" },
  "psk-distinct": { section: "12.2", text: "No pre-shared key is used twice" },

  // §10 Key packages
  "key-package-signature": { section: "10.1", text: "A key package is signed with the key of its leaf node" },
  "key-package-suite": { section: "10.1", text: "A key package is for the group's version and cipher suite" },
  "key-package-init-key": { section: "10.1", text: "A key package's init key is not its encryption key" },
  "key-package-extensions-listed": {
    section: "10",
    text: "The leaf node of a key package of ours lists its extensions",
  },

  // §12.1, §12.2 Proposals
  "required-capabilities-length": {
    section: "11.1",
    text: "Each list of required_capabilities has at most 256 entries",
  },
  "external-senders-length": { section: "12.1.8.1", text: "A group has at most 256 external senders" },
  "proposal-type-supported": { section: "12.2", text: "Every member supports the type of a proposal" },
  "proposal-count": { section: "12.1", text: "A sender proposes at most 256 times in an epoch" },
  "proposal-remove-member": { section: "12.1.3", text: "A Remove names a member" },
  "proposal-reinit-version": { section: "12.1.5", text: "A ReInit does not go back to an older version" },
  "proposal-required-capabilities": {
    section: "12.1.7",
    text: "All members have the capabilities that new group extensions require",
  },
  "suite-best": { section: "11", text: "A new group has the best cipher suite that all its members support" },
  "list-update-by-committer": { section: "12.2", text: "A committer's own Update is not in its Commit" },
  "list-remove-of-committer": { section: "12.2", text: "A committer does not remove itself" },
  "list-one-change-per-leaf": { section: "12.2", text: "A Commit updates or removes a leaf once" },
  "list-add-distinct": { section: "12.2", text: "A Commit adds a client once" },
  "list-add-not-member": { section: "12.2", text: "A Commit adds nobody who is a member already" },
  "list-one-group-context-extensions": { section: "12.2", text: "A Commit replaces the group's extensions once" },
  "list-reinit-alone": { section: "12.2", text: "A ReInit is committed alone" },
  "list-external-init": { section: "12.2", text: "Only an external Commit has an ExternalInit" },
  "list-proposal-known": { section: "12.4", text: "A proposal that a Commit refers to has been received" },

  // §12.4 Commits
  "commit-path-required": { section: "12.4", text: "A Commit that needs an UpdatePath has one" },
  "commit-confirmation-tag": {
    section: "12.4.2",
    text: "The confirmation tag of a Commit is right",
    seenBy: "self",
  },
  "commit-after-reinit": { section: "12.4.2", text: "A group that was reinitialised sends nothing more" },
  "application-after-proposals": { section: "12.4", text: "Pending proposals are committed before application data" },

  // §12.4.3.2 External commits
  "external-path": { section: "12.4.3.2", text: "An external Commit has an UpdatePath" },
  "external-by-value": { section: "12.4.3.2", text: "An external Commit refers to no earlier proposal" },
  "external-init-once": { section: "12.2", text: "An external Commit has one ExternalInit" },
  "external-init-decapsulates": { section: "8.3", text: "The kem_output of an ExternalInit is well-formed" },
  "external-remove-once": { section: "12.2", text: "An external Commit removes at most one old self" },
  "external-proposal-types": { section: "12.2", text: "An external Commit has no other proposals" },
  "external-pub-present": { section: "12.4.3.2", text: "A GroupInfo for joining has an external_pub" },

  // What the application allows of the RFC: the same for every member
  "profile-external-commit": { section: "12.4.3.2", text: "The group's profile allows this external Commit" },
  "profile-proposal": { section: "12.1", text: "The group's profile allows a proposal by its sender" },
  "profile-committed-proposal": { section: "12.2", text: "The group's profile allows a proposal in a Commit" },
  "profile-proposals-length": {
    section: "12.4",
    text: "A Commit has no more proposals than the group's profile allows",
  },
  "profile-credential": { section: "5.3.1", text: "The group's profile allows the credential of a leaf node" },
  "profile-successor": { section: "5.3.1", text: "The group's profile allows what takes a leaf node's place" },

  // §11, §12.4.3.1 Joining
  "welcome-for-us": { section: "12.4.3.1", text: "A Welcome is for one of our key packages" },
  "welcome-suite": { section: "12.4.3.1", text: "A Welcome is of the key package's cipher suite" },
  "welcome-secrets-decrypt": { section: "12.4.3.1", text: "The group secrets of a Welcome decrypt" },
  "welcome-group-info-decrypts": { section: "12.4.3.1", text: "The GroupInfo of a Welcome decrypts" },
  "welcome-tree-present": { section: "12.4.3.1", text: "The ratchet tree comes with the Welcome or beside it" },
  "welcome-leaf": { section: "12.4.3.1", text: "Our leaf node is in the tree" },
  "welcome-path-secret": { section: "12.4.3.1", text: "The path secret of a Welcome fits the tree" },
  "welcome-psk-resumption-once": {
    section: "12.4.3.1",
    text: "A Welcome has one pre-shared key for reinit or branch at most",
  },
  "welcome-epoch-one": { section: "12.4.3.1", text: "A reinitialised or branched group starts at epoch 1" },
  "welcome-reinit-psk": {
    section: "11.2",
    text: "A reinitialised group is linked to the old one by its resumption key",
  },
  "welcome-reinit-parameters": { section: "11.2", text: "A reinitialised group is as its ReInit says" },
  "welcome-reinit-members": { section: "12.4.3.1", text: "A reinitialised group has all members of the old one" },
  "welcome-branch-parameters": { section: "11.3", text: "A branched group has its parent's version and suite" },
  "welcome-branch-members": { section: "11.3", text: "A branched group has members of its parent only" },
  "group-info-signature": { section: "12.4.3", text: "A GroupInfo is signed by a member" },
  "group-info-suite": { section: "12.4.3.1", text: "A GroupInfo is of the key package's cipher suite" },
  "group-info-confirmation-tag": { section: "12.4.3.1", text: "The confirmation tag of a GroupInfo is right" },
  "group-info-extensions-supported": { section: "13.4", text: "A joiner supports every extension of the group" },
  "group-id-unique": { section: "12.4.3.1", text: "Nobody is in two groups of the same id" },
})

export type RuleId = keyof typeof rules
