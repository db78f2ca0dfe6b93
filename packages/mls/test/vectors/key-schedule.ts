import { encode } from "@conclave/codec"
import {
  exportSecret,
  externalKeyPair,
  joinerSecret,
  memberSecrets,
  nextEpoch,
} from "../../src/schedule/key-schedule.js"
import { GroupContext } from "../../src/wire.js"
import { assertBytes, bytes, groupContext, type Hex, type Suites } from "./vector.js"

export interface KeyScheduleVector {
  readonly cipher_suite: number
  readonly group_id: Hex
  readonly initial_init_secret: Hex
  readonly epochs: readonly EpochVector[]
}

interface EpochVector {
  readonly tree_hash: Hex
  readonly commit_secret: Hex
  readonly psk_secret: Hex
  readonly confirmed_transcript_hash: Hex
  readonly group_context: Hex
  readonly joiner_secret: Hex
  readonly welcome_secret: Hex
  readonly init_secret: Hex
  readonly sender_data_secret: Hex
  readonly encryption_secret: Hex
  readonly exporter_secret: Hex
  readonly epoch_authenticator: Hex
  readonly external_secret: Hex
  readonly confirmation_key: Hex
  readonly membership_key: Hex
  readonly resumption_psk: Hex
  readonly external_pub: Hex
  readonly exporter: { readonly label: string; readonly context: Hex; readonly length: number; readonly secret: Hex }
}

export function verify(vector: KeyScheduleVector, suites: Suites): void {
  const suite = suites(vector.cipher_suite)
  let init = bytes(vector.initial_init_secret)
  vector.epochs.forEach((epoch, number) => {
    const context = encode(GroupContext, groupContext(suite, { ...epoch, group_id: vector.group_id, epoch: number }))
    assertBytes(context, epoch.group_context, "GroupContext")

    const commitSecret = bytes(epoch.commit_secret)
    const pskSecret = bytes(epoch.psk_secret)
    const joiner = joinerSecret(suite, { init, commitSecret, context })
    assertBytes(joiner, epoch.joiner_secret, "joiner_secret")
    assertBytes(memberSecrets(suite, joiner, pskSecret).welcome, epoch.welcome_secret, "welcome_secret, for a newcomer")

    const seed = nextEpoch(suite, { init, commitSecret, pskSecret, context })
    const { secrets } = seed
    assertBytes(seed.joiner, epoch.joiner_secret, "joiner_secret")
    assertBytes(seed.welcome, epoch.welcome_secret, "welcome_secret")
    assertBytes(seed.encryption, epoch.encryption_secret, "encryption_secret")
    assertBytes(secrets.init, epoch.init_secret, "init_secret")
    assertBytes(secrets.senderData, epoch.sender_data_secret, "sender_data_secret")
    assertBytes(secrets.exporter, epoch.exporter_secret, "exporter_secret")
    assertBytes(secrets.authenticator, epoch.epoch_authenticator, "epoch_authenticator")
    assertBytes(secrets.external, epoch.external_secret, "external_secret")
    assertBytes(secrets.confirmation, epoch.confirmation_key, "confirmation_key")
    assertBytes(secrets.membership, epoch.membership_key, "membership_key")
    assertBytes(secrets.resumption, epoch.resumption_psk, "resumption_psk")
    assertBytes(externalKeyPair(suite, secrets.external).publicKey, epoch.external_pub, "external_pub")

    const { label, context: exportContext, length, secret } = epoch.exporter
    const exported = exportSecret(suite, secrets.exporter, { label, context: bytes(exportContext), length })
    assertBytes(exported, secret, "MLS-Exporter")
    init = secrets.init
  })
}
