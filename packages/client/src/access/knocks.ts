import { DecodeError, decode, encode } from "@conclave/codec"
import { KNOCK_LABEL, type Knock, KnockTBS, SignedKnock } from "@conclave/contracts/knocks"
import { equalBytes, type SigningKey } from "@conclave/crypto"
import { type CipherSuite, signWithLabel, verifyWithLabel } from "@conclave/mls"
import { type IntervalKeys, openWith, sealWith } from "./interval-keys.js"

type Random = (length: number) => Uint8Array

/** A knock as it is left with the service: signed with the leaf's key, and sealed under its interval's knock key. */
export function sealKnock(
  content: KnockTBS,
  { keys, signer, random }: { readonly keys: IntervalKeys; readonly signer: SigningKey; readonly random: Random },
): Uint8Array {
  const signature = signWithLabel(signer, KNOCK_LABEL, encode(KnockTBS, content))
  const { groupId, id: knock } = content
  return keys.seal({ of: "knock", groupId, knock }, encode(SignedKnock, { content, signature }), random)
}

/** Opens a knock with the keys of its interval; whose it is has still to be shown: {@link isSignedBy}. */
export function openKnock(
  groupId: Uint8Array,
  { id, key, sealed }: Knock,
  keys: IntervalKeys,
): SignedKnock | undefined {
  const opened = keys.open({ of: "knock", groupId, knock: id }, sealed)
  if (opened === undefined) return undefined
  try {
    const knock = decode(SignedKnock, opened)
    const { content } = knock
    const isThis =
      equalBytes(content.id, id) && equalBytes(content.groupId, groupId) && equalBytes(content.interval, key)
    return isThis ? knock : undefined
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

export function isSignedBy(suite: CipherSuite, { content, signature }: SignedKnock, publicKey: Uint8Array): boolean {
  return verifyWithLabel(suite, { publicKey, label: KNOCK_LABEL, content: encode(KnockTBS, content), signature })
}

/** One Welcome for several who knocked, under a key that is sealed for each of them. */
export function sealAnswers(
  suite: CipherSuite,
  { welcome, groupId, to }: { readonly welcome: Uint8Array; readonly groupId: Uint8Array; readonly to: readonly To[] },
  random: Random,
) {
  const key = random(suite.aead.keySize)
  const sealed = sealWith(suite, { key, plaintext: welcome, context: groupId }, random)
  const answers = to.map(({ knock, keys }) => ({
    knock,
    key: keys.seal({ of: "answer", groupId, knock }, key, random),
  }))
  key.fill(0)
  return { welcome: sealed, to: answers }
}

export interface To {
  readonly knock: Uint8Array
  readonly keys: IntervalKeys
}

/** The Welcome in the answer to a knock; `undefined` where nobody who has the knock's interval made it. */
export function openAnswer(
  suite: CipherSuite,
  { groupId, knock, keys }: To & { readonly groupId: Uint8Array },
  answer: { readonly key: Uint8Array; readonly welcome: Uint8Array },
): Uint8Array | undefined {
  const key = keys.open({ of: "answer", groupId, knock }, answer.key)
  if (key === undefined) return undefined
  const welcome = openWith(suite, { key, sealed: answer.welcome, context: groupId })
  key.fill(0)
  return welcome
}
