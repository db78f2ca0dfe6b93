import { decode, encode } from "@conclave/codec"
import { type Access, AccessTBS, type Interval, noAccess } from "@conclave/contracts/access"
import { AuthResponse, authRequests, deviceIdOf, RegistrationTBS } from "@conclave/contracts/auth"
import { type Append, type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import {
  cipherSuite,
  createKeyPackage,
  dangerouslyAcceptAll,
  Group,
  type GroupChanges,
  type GroupOptions,
  type OutgoingCommit,
  type Signer,
  signWithLabel,
} from "@conclave/mls"
import { type Extension, MLSMessage } from "@conclave/mls/wire"
import type { AccessProver, IntervalKeys } from "../../src/access/interval-keys.js"
import { commitHash, entranceExtension, newcomerExtension } from "../../src/access/newcomer.js"
import { intervalIn, intervalOf } from "../../src/conversation/epoch-interval.js"
import { ConversationHandle } from "../../src/device/handle.js"
import type { Client } from "../../src/index.js"
import { recordKeys } from "../../src/records/records.js"
import { provider, type World } from "./world.js"

const suite = cipherSuite(1, provider)
const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
const none = new Uint8Array()

type AnswerOf<K extends DeliveryResponse["type"]> = Extract<DeliveryResponse, { readonly type: K }>
type Asked = Extract<DeliveryRequest, { readonly access: Access }>

/** Where she is: the services' clock (Unix time in milliseconds), and ways to them. */
export type Surroundings = Pick<World, "now" | "transport">

/** Speaks to the services and in groups without the SDK: no rule of it binds her. */
export class Mallory {
  readonly name: string
  readonly signer: Signer
  readonly deviceId: Uint8Array
  /** Of the newest interval that she knows; without it she is a stranger. */
  keys: IntervalKeys | undefined
  readonly surroundings: Surroundings

  constructor(
    world: Surroundings,
    name = "mallory",
    key = suite.signature.generate((length) => provider.random(length)),
  ) {
    this.surroundings = world
    this.name = name
    this.signer = { credential: { type: "basic", identity: new TextEncoder().encode(name) }, key }
    this.deviceId = this.deviceIdOf(key.publicKey)
  }

  deviceIdOf(signatureKey: Uint8Array): Uint8Array {
    return deviceIdOf(sha256, { cipherSuite: 1, signatureKey })
  }

  get options(): GroupOptions {
    return { suite, signer: this.signer, now: () => BigInt(Math.floor(this.surroundings.now / 1000)) }
  }

  async register(): Promise<AuthResponse["type"]> {
    const device = { name: this.name, cipherSuite: 1, signatureKey: this.signer.key.publicKey }
    const signature = signWithLabel(this.signer.key, "ConclaveRegistration", encode(RegistrationTBS, device))
    const request = authRequests.encode({ type: "register", ...device, signature, endorsement: undefined })
    return decode(AuthResponse, await this.surroundings.transport("auth").request(request)).type
  }

  async ask(request: DeliveryRequest): Promise<DeliveryResponse> {
    return decode(
      DeliveryResponse,
      await this.surroundings.transport("delivery").request(deliveryRequests.encode(request)),
    )
  }

  /** With a proof of `keys`, or of none. */
  askAs(keys: AccessProver | undefined, request: Asked): Promise<DeliveryResponse> {
    return this.ask({
      ...request,
      access: keys === undefined ? noAccess : proofOf(keys, request, this.surroundings.now),
    })
  }

  /** After the last commit, unless told otherwise. */
  async append(
    groupId: Uint8Array,
    append: Pick<Append, "kind" | "epoch" | "body"> & Partial<Append>,
    keys: AccessProver | undefined = this.keys,
  ): Promise<DeliveryResponse> {
    const after = append.after ?? (await this.lastCommit(groupId, keys))
    const idempotencyId = provider.random(16)
    const whole = {
      type: "append",
      groupId,
      idempotencyId,
      commit: undefined,
      ...append,
      after,
      access: noAccess,
    } as const
    return this.askAs(keys, whole)
  }

  async lastCommit(groupId: Uint8Array, keys: AccessProver | undefined = this.keys): Promise<bigint> {
    const head = await this.askAs(keys, { type: "head", groupId, access: noAccess })
    return expected(head, "head").lastCommitSeq
  }

  /** A key package of somebody, and which device it is of. */
  async claim(name: string): Promise<{ readonly deviceId: Uint8Array; readonly keyPackage: Uint8Array }> {
    const request = authRequests.encode({ type: "lookup", name })
    const answer = decode(AuthResponse, await this.surroundings.transport("auth").request(request))
    if (answer.type !== "devices") throw new Error(`the directory said ${answer.type}`)
    const { deviceId } = answer.devices[0]!
    const claimed = expected(await this.ask({ type: "claimKeyPackage", deviceId, cipherSuite: 1 }), "keyPackage")
    return { deviceId, keyPackage: claimed.keyPackage }
  }

  /**
   * An external commit by a GroupInfo of a member's, who lends her the key; `replaceSelf` removes a leaf with her
   * credential. It registers what follows from it.
   */
  async enter(inside: Group, keys: IntervalKeys, { replaceSelf = false } = {}): Promise<Group> {
    const groupInfo = inside.groupInfo({ withRatchetTree: true, withExternalPub: true })
    const staged = Group.stageExternalJoin({ ...this.options, groupInfo, replaceSelf })
    const { message: body, epoch } = staged
    const group = staged.accept(dangerouslyAcceptAll(staged.claims))
    const parts = { welcome: none, recipients: [], begins: undefined, answers: undefined }
    const append = { kind: "commit", epoch: epoch - 1n, body, commit: parts } as const
    expected(await this.append(inside.id, append, keys), "accepted")
    return group
  }

  /** The group of a client of hers, without what the SDK allows in it; `change` in the place of the suite. */
  static async inside(
    world: Surroundings,
    client: Client,
    change: (suite: GroupOptions["suite"]) => GroupOptions["suite"] = (it) => it,
  ): Promise<{ readonly mallory: Mallory; readonly group: Group }> {
    const [conversation] = client.conversations.values()
    if (!(conversation instanceof ConversationHandle)) throw new TypeError("she is in no conversation")
    const { identity, store } = conversation.driver.means
    const mallory = new Mallory(world, client.name, identity.signer.key)
    const prefix = recordKeys.group(conversation.id)
    const records = (await store.list(prefix)).map(([key, record]) => [key.slice(prefix.length), record] as const)
    mallory.keys = conversation.driver.state.intervals.newest
    return { mallory, group: Group.restore({ ...mallory.options, suite: change(suite), records }) }
  }

  /** As a member: appends what the library makes of `changes`, and moves on as if all had taken it. */
  async commit(
    group: Group,
    changes: Parameters<Group["commit"]>[0],
    parts: Partial<NonNullable<Append["commit"]>> = {},
  ): Promise<OutgoingCommit> {
    const commit = group.commit({
      welcomeExtensions: (exportNext, commit) => {
        const { accessKey } = intervalOf(suite, group.id, exportNext)
        const begins = commit.path ? { accessKey, removes: commit.removals.length > 0 } : undefined
        return [newcomerExtension(intervalOf(suite, group.id, exportNext), undefined), entranceOf(commit, begins)]
      },
      ...changes,
    })
    const { message: body, epoch } = commit
    const before = this.keys
    const after = await this.lastCommit(group.id)
    group.apply(commit, dangerouslyAcceptAll(commit.claims))
    if (commit.path) this.keys = intervalIn(group)
    const removes = commit.removals.length > 0
    const begins = commit.path ? { accessKey: this.keys!.accessKey, removes } : undefined
    const whole = { welcome: none, recipients: [], begins, answers: undefined, ...parts }
    const append = { kind: "commit", epoch: epoch - 1n, body, commit: whole, after } as const
    expected(await this.append(group.id, append, before), "accepted")
    return commit
  }

  async propose(group: Group, change: Parameters<Group["propose"]>[0]): Promise<void> {
    const { epoch } = group
    const body = group.propose(change).message
    expected(await this.append(group.id, { kind: "proposal", epoch, body }), "accepted")
  }

  keyPackage(): Uint8Array {
    const seconds = BigInt(Math.floor(this.surroundings.now / 1000))
    const lifetime = { notBefore: seconds - 60n, notAfter: seconds + 86_400n }
    return createKeyPackage({ suite, signer: this.signer, lifetime }).keyPackage
  }
}

export type WelcomeExtensions = NonNullable<GroupChanges["welcomeExtensions"]>

/** What a Welcome says of its commit; `begins`: the interval that this registers. */
export function entranceOf(
  { message: body, epoch }: { readonly message: Uint8Array; readonly epoch: bigint },
  begins?: Interval,
): Extension {
  return entranceExtension(commitHash(sha256, { kind: "commit", epoch: epoch - 1n, body, begins }))
}

/** A signature of an access key over a request, as the SDK gives it. */
export function proofOf(keys: AccessProver, request: Asked, now: number): Access {
  const at = BigInt(now)
  const content = deliveryRequests.encode({ ...request, access: noAccess })
  return { type: "proof", key: keys.accessKey, at, signature: keys.sign(encode(AccessTBS, { at, content })) }
}

export function expected<K extends DeliveryResponse["type"]>(answer: DeliveryResponse, type: K): AnswerOf<K> {
  if (answer.type === type) return answer as AnswerOf<K>
  throw new Error(`the service said ${answer.type}${"reason" in answer ? `: ${answer.reason}` : ""}`)
}

/** A commit that nobody can open. */
export function noise(groupId: Uint8Array, epoch: bigint): Uint8Array {
  const privateMessage = {
    groupId,
    epoch,
    contentType: "commit",
    authenticatedData: none,
    encryptedSenderData: provider.random(28),
    ciphertext: provider.random(200),
  } as const
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPrivateMessage", privateMessage } })
}
