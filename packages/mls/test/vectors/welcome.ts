import assert from "node:assert/strict"
import { decode, encode } from "@conclave/codec"
import { epochOfJoiner, memberSecrets } from "../../src/schedule/key-schedule.js"
import { pskSecret } from "../../src/schedule/psk.js"
import { decryptWithLabel, expandWithLabel, refHash, verifyWithLabel } from "../../src/suite/labels.js"
import { GroupContext, GroupInfo, GroupInfoTBS, GroupSecrets, KeyPackage, MLSMessage } from "../../src/wire.js"
import { assertBytes, bytes, decodeExactly, type Hex, hex, none, type Suites } from "./vector.js"

export interface WelcomeVector {
  readonly cipher_suite: number
  readonly init_priv: Hex
  readonly signer_pub: Hex
  readonly key_package: Hex
  readonly welcome: Hex
}

export function verify(vector: WelcomeVector, suites: Suites): void {
  const suite = suites(vector.cipher_suite)
  const { wireFormat: keyPackageMessage } = decodeExactly(MLSMessage, vector.key_package, "key package")
  const { wireFormat: welcomeMessage } = decodeExactly(MLSMessage, vector.welcome, "welcome")
  assert(keyPackageMessage.type === "mlsKeyPackage" && welcomeMessage.type === "mlsWelcome")
  const { keyPackage } = keyPackageMessage
  const { welcome } = welcomeMessage

  const ref = hex(refHash(suite, "MLS 1.0 KeyPackage Reference", KeyPackage.bytesOf(keyPackage)))
  const ours = welcome.secrets.find(({ newMember }) => hex(newMember) === ref)
  assert(ours, "the Welcome names our key package")
  const privateKey = bytes(vector.init_priv)
  const receiver = { privateKey, label: "Welcome", context: welcome.encryptedGroupInfo }
  const secrets = decode(GroupSecrets, decryptWithLabel(suite, receiver, ours.encryptedGroupSecrets)!)
  assert.deepEqual(secrets.psks, [])

  const noPsk = pskSecret(suite, [])
  const { welcome: secret } = memberSecrets(suite, secrets.joinerSecret, noPsk)
  const key = expandWithLabel(suite, secret, "key", none, suite.aead.keySize)
  const nonce = expandWithLabel(suite, secret, "nonce", none, suite.aead.nonceSize)
  const info = decode(GroupInfo, suite.aead.open(key, nonce, welcome.encryptedGroupInfo, none)!)
  const signed = { publicKey: bytes(vector.signer_pub), label: "GroupInfoTBS", content: encode(GroupInfoTBS, info) }
  assert(verifyWithLabel(suite, { ...signed, signature: info.signature }), "signature of the GroupInfo")

  const context = encode(GroupContext, info.groupContext)
  const epoch = epochOfJoiner(suite, { joiner: secrets.joinerSecret, pskSecret: noPsk, context })
  const tag = suite.hash.hmac(epoch.secrets.confirmation, info.groupContext.confirmedTranscriptHash)
  assertBytes(tag, hex(info.confirmationTag), "confirmation tag")
}
