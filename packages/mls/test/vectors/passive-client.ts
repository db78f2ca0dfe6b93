import assert from "node:assert/strict"
import { encode } from "@conclave/codec"
import {
  dangerouslyAcceptAll,
  Group,
  type JoinOptions,
  type KeyPackageBundle,
  type Received,
  type Sliced,
  type StagedJoin,
} from "../../src/index.js"
import { refHash } from "../../src/suite/labels.js"
import type { CipherSuite } from "../../src/suite/suite.js"
import { KeyPackage, MLSMessage, type PreSharedKeyID } from "../../src/wire.js"
import { assertBytes, bytes, decodeExactly, type Hex, hex, privateKey, type Suites } from "./vector.js"

export interface PassiveClientVector {
  readonly cipher_suite: number
  readonly external_psks: readonly { readonly psk_id: Hex; readonly psk: Hex }[]
  readonly key_package: Hex
  readonly signature_priv: Hex
  readonly encryption_priv: Hex
  readonly init_priv: Hex
  readonly welcome: Hex
  readonly ratchet_tree: Hex | null
  readonly initial_epoch_authenticator: Hex
  readonly epochs: readonly {
    readonly proposals: readonly Hex[]
    readonly commit: Hex
    readonly epoch_authenticator: Hex
  }[]
}

export function verify(vector: PassiveClientVector, suites: Suites): void {
  follow(vector, suites(vector.cipher_suite), atOnce, (group) => group)
}

/** How far the client goes on without interruption. */
interface Driving {
  join(options: JoinOptions): StagedJoin
  receive(group: Group, message: Uint8Array): Received
}

const atOnce: Driving = {
  join: (options) => Group.stageJoin(options),
  receive: (group, message) => group.receive(message),
}

/** The same with a client that is interrupted as often as may be, and asked meanwhile what it is in. */
export function verifyInterrupted(vector: PassiveClientVector, suites: Suites): number {
  let interruptions = 0
  const drive = <T>(work: Sliced<T>, meanwhile: () => void = () => {}): T => {
    for (;;) {
      const { done, value } = work.next()
      if (done === true) return value
      interruptions++
      meanwhile()
    }
  }
  const interrupted: Driving = {
    join: (options) => drive(drive(Group.openWelcome(options)).stageInSlices()),
    receive(group, message) {
      const { epoch, epochAuthenticator } = group
      const opened = drive(group.openMessage(message), () => {
        assert.equal(group.epoch, epoch, "a message that is being opened changes nothing")
        assertBytes(group.epochAuthenticator, hex(epochAuthenticator), "epoch authenticator meanwhile")
      })
      return group.receiveOpened(opened)
    },
  }
  follow(vector, suites(vector.cipher_suite), interrupted, (group) => group)
  return interruptions
}

/** The same with a client that goes away after every message and is restored from its records. */
export function verifyStored(vector: PassiveClientVector, suites: Suites): void {
  const suite = suites(vector.cipher_suite)
  const stored = new Map<string, Uint8Array>()
  follow(vector, suite, atOnce, (group) => {
    const changes = group.takeChanges()
    // As Buffers, because that is what databases give, and what shares its memory where it should be copied.
    for (const [key, record] of changes.put) stored.set(key, Buffer.from(record))
    for (const key of changes.delete) stored.delete(key)
    group[Symbol.dispose]()
    return Group.restore({ ...groupOptions(suite, vector), records: stored })
  })
}

function follow(
  vector: PassiveClientVector,
  suite: CipherSuite,
  driving: Driving,
  between: (group: Group) => Group,
): void {
  let group = between(join(suite, vector, driving))
  assertBytes(group.epochAuthenticator, vector.initial_epoch_authenticator, "epoch authenticator after joining")
  vector.epochs.forEach(({ proposals, commit, epoch_authenticator }, i) => {
    const { epoch } = group
    for (const proposal of proposals) {
      assert.equal(driving.receive(group, bytes(proposal)).type, "proposal")
      group = between(group)
    }
    const received = driving.receive(group, bytes(commit))
    assert(received.type === "commit" && !received.own)
    assert.equal(group.epoch, epoch, "a Commit that is staged changes nothing")
    group.apply(received.staged, dangerouslyAcceptAll(received.staged.claims))
    group = between(group)
    assert.equal(group.epoch, epoch + 1n)
    assertBytes(group.epochAuthenticator, epoch_authenticator, `epoch authenticator after commit ${i}`)
  })
}

/** What a passive client is made with, every time that it is restored too. */
function groupOptions(suite: CipherSuite, vector: PassiveClientVector) {
  const { keyPackage } = keyPackageOf(vector)
  const key = suite.signature.importKey(privateKey(vector.signature_priv, suite.signature.privateKeySize))
  assertBytes(key.publicKey, hex(keyPackage.leafNode.signatureKey), "signature key")
  return {
    suite,
    signer: { credential: keyPackage.leafNode.credential, key },
    now: () => 1_700_000_000n,
    // The members of the vectors live for ever.
    policy: { lifetimeSecondsMax: 2n ** 64n },
    psks: (id: PreSharedKeyID) => externalPsk(vector, id),
  }
}

function join(suite: CipherSuite, vector: PassiveClientVector, driving: Driving): Group {
  const staged = driving.join({
    ...groupOptions(suite, vector),
    welcome: bytes(vector.welcome),
    keyPackages: [keyPackageBundle(suite, vector)],
    ...(vector.ratchet_tree === null ? {} : { ratchetTree: bytes(vector.ratchet_tree) }),
  })
  return staged.accept(dangerouslyAcceptAll(staged.claims))
}

function keyPackageBundle(suite: CipherSuite, vector: PassiveClientVector): KeyPackageBundle {
  const { keyPackage, message } = keyPackageOf(vector)
  const { privateKeySize } = suite.hpke.kem
  const initPrivateKey = privateKey(vector.init_priv, privateKeySize)
  const encryptionPrivateKey = privateKey(vector.encryption_priv, privateKeySize)
  assertBytes(suite.hpke.publicKey(initPrivateKey), hex(keyPackage.initKey), "init key")
  assertBytes(suite.hpke.publicKey(encryptionPrivateKey), hex(keyPackage.leafNode.encryptionKey), "encryption key")
  return {
    keyPackage: message,
    ref: refHash(suite, "MLS 1.0 KeyPackage Reference", encode(KeyPackage, keyPackage)),
    initPrivateKey,
    encryptionPrivateKey,
    lastResort: false,
  }
}

function keyPackageOf(vector: PassiveClientVector) {
  const { wireFormat } = decodeExactly(MLSMessage, vector.key_package, "key package")
  assert(wireFormat.type === "mlsKeyPackage")
  return { keyPackage: wireFormat.keyPackage, message: bytes(vector.key_package) }
}

function externalPsk(vector: PassiveClientVector, { psktype }: PreSharedKeyID): Uint8Array | undefined {
  if (psktype.type !== "external") return undefined
  const known = vector.external_psks.find(({ psk_id }) => psk_id === hex(psktype.pskId))
  return known && bytes(known.psk)
}
