import { DecodeError, decode, encode } from "@conclave/codec"
import { type Answers, type Knock, KnockTBS, SignedKnock } from "@conclave/contracts/knocks"
import type { Extension } from "@conclave/mls/wire"
import { LeafNode } from "@conclave/mls/wire"
import { IntervalKeys, nameCommit, openWith, sealWith, tellNewcomers } from "./interval-keys.js"
import type { Mallory } from "./mallory.js"

/*
 * Knocks and their answers, as somebody makes them who keeps to no rule of the SDK.
 */

export type { Knock, KnockTBS }

export const newId = () => crypto.getRandomValues(new Uint8Array(16))

/** Signs with the key of `as`, and seals under the knock key of `keys`. */
export function sealKnock(content: KnockTBS, as: Mallory, keys: IntervalKeys): Uint8Array {
  const signature = as.mls.signWithLabel(as.signer.key, "ConclaveKnock", encode(KnockTBS, content))
  return sealSigned({ content, signature }, keys, content.id)
}

/** What somebody has signed, under another key or id. */
export function sealSigned(
  signed: SignedKnock,
  keys: IntervalKeys,
  knock: Uint8Array,
  groupId = signed.content.groupId,
) {
  return keys.seal({ of: "knock", groupId, knock }, encode(SignedKnock, signed))
}

/** `undefined` where `keys` are not those of the knock's interval. */
export function openKnock(
  groupId: Uint8Array,
  { id, sealed }: Pick<Knock, "id" | "sealed">,
  keys: IntervalKeys,
): SignedKnock | undefined {
  const opened = keys.open({ of: "knock", groupId, knock: id }, sealed)
  try {
    return opened && decode(SignedKnock, opened)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

/** The hash of an encoded LeafNode, by which a knock names it. */
export const leafHash = ({ suite }: Mallory, leaf: Uint8Array): Uint8Array => suite.hash.digest(leaf)

/** The LeafNode in a key package. */
export const leafIn = ({ mls }: Mallory, keyPackage: Uint8Array): Uint8Array =>
  encode(LeafNode, mls.decodeKeyPackage(keyPackage).leafNode)

/** A Welcome for one who knocked with `keys`. */
export function answerTo(
  { suite }: Mallory,
  groupId: Uint8Array,
  knock: Uint8Array,
  keys: IntervalKeys,
  welcome: Uint8Array,
) {
  const key = suite.provider.random(suite.aead.keySize)
  const to = [{ knock, key: keys.seal({ of: "answer", groupId, knock }, key) }]
  return { welcome: sealWith(suite, key, welcome, groupId), to } satisfies Answers
}

/** The Welcome in an answer. */
export function openAnswer(
  { suite }: Mallory,
  { groupId, knock, keys }: { groupId: Uint8Array; knock: Uint8Array; keys: IntervalKeys },
  answer: { readonly key: Uint8Array; readonly welcome: Uint8Array },
): Uint8Array | undefined {
  const key = keys.open({ of: "answer", groupId, knock }, answer.key)
  return key && openWith(suite, key, answer.welcome, groupId)
}

/**
 * A commit of hers that takes somebody out and in again, by a key package; the group has not moved. `named`: what its Welcome says that its
 * commit is.
 */
export function readmission(mallory: Mallory, keyPackage: Uint8Array, name: string, named?: Extension) {
  const group = mallory.group!
  let keys: IntervalKeys | undefined
  const made = group.commit({
    add: [keyPackage],
    remove: [mallory.leafOf(name)],
    welcomeExtensions: (exportNext, commit) => {
      keys = IntervalKeys.of(mallory.suite, group.id, (label, context, length) =>
        exportNext({ label, context, length }),
      )
      return [tellNewcomers(keys), named ?? nameCommit(mallory.suite, commit, keys)]
    },
  })
  return { made, keys: keys!, welcome: made.welcome! }
}
