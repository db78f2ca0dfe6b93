interface Exception {
  readonly entry: string
  readonly names: readonly string[]
  readonly reason: string
}

/** Exported names that nothing in this repository uses, and why an application or a library user needs them. */
export const unusedOnPurpose: readonly Exception[] = [
  {
    entry: "@conclave/contracts/auth",
    names: ["DeviceId"],
    reason: "parts of the contract, for another implementation of the service or of a client",
  },
  {
    entry: "@conclave/contracts/delivery",
    names: ["GroupId", "IdempotencyId", "QuotaOf", "WelcomeFor"],
    reason: "parts of the contract, for another implementation of the service or of a client",
  },
  {
    entry: "@conclave/contracts/names",
    names: ["DISPLAY_NAME_LENGTH_MAX", "DISPLAY_NAME_SIZE_MAX", "NAME_LENGTH_MAX", "NAME_SIZE_MAX"],
    reason: "limits that an application's form can state before a name is sent",
  },
  {
    entry: "@conclave/identity/x509",
    names: ["Refusal"],
    reason: "the error of revocationLists for a list that is malformed",
  },
  {
    entry: "@conclave/client",
    names: ["hasMixedScripts"],
    reason: "for applications that mark names in their own lists, as personLabel does",
  },
  {
    entry: "@conclave/client",
    names: ["nameFault"],
    reason: "for applications that show in English why a name is refused; the page words judgeName itself",
  },
  {
    entry: "@conclave/client",
    names: [
      ...[
        "DeclinedEvent",
        "DeferredEvent",
        "DisplayNameEvent",
        "ErasedEvent",
        "FailedEvent",
        "HaltedEvent",
        "InvitedEvent",
      ],
      ...["JoinedEvent", "KeyChangedEvent", "LeftEvent", "LostEvent", "MembersEvent", "MissingEvent"],
      ...[
        "RecoveredEvent",
        "RefreshedEvent",
        "RejectedEvent",
        "RetiredEvent",
        "SentEvent",
        "ThrottledEvent",
        "TitleEvent",
      ],
      ...["UnavailableEvent", "UpdateEvent"],
    ],
    reason: "names for the members of ClientEvent, with what each of them means",
  },
  {
    entry: "@conclave/client/browser",
    names: ["connect"],
    reason: "a part of openClient, for applications that call Client.open themselves",
  },
  {
    entry: "@conclave/crypto/node",
    names: ["acceleratedNodeProvider"],
    reason: "nodeProvider with its option; a test imports it in a process of its own",
  },
  {
    entry: "@conclave/crypto/portable",
    names: ["randomBytes"],
    reason: "Web Crypto gives 65,536 random bytes at most: this gives any number",
  },
  {
    entry: "@conclave/mls/tree",
    names: ["SPARSE_LEAVES_MAX", "withUnmergedLeaf"],
    reason: "the entry is the module of the tree, from which other modules of mls take them",
  },
]
