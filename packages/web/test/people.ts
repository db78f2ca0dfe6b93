import { join } from "node:path"
import { type Client, type Conversation, type NodeClientOptions, openClient } from "@conclave/client/node"
import type { Service } from "./service.js"

/** Somebody without a browser: the SDK in this process, on a file of their own. */
export async function openPerson(
  service: Service,
  name: string,
  more: { readonly file?: string } & Partial<
    Pick<NodeClientOptions, "displayName" | "endorse" | "random" | "recovery">
  > = {},
) {
  const { file = encodeURIComponent(name), ...options } = more
  const client = await openClient({
    name,
    service: service.address,
    profile: join(service.folder, `${file}.profile`),
    sealingKey: new Uint8Array(32).fill(1),
    policy: { keyPackages: 4 },
    ...options,
  })
  service.receive(client)
  return client
}

/** The conversation with that title, once this person is in it. */
export async function joined(client: Client, title: string): Promise<Conversation> {
  const find = () => [...client.conversations.values()].find((it) => it.title === title && it.status === "active")
  for (;;) {
    const conversation = find()
    if (conversation !== undefined) return conversation
    await new Promise<void>((resolve) => {
      const stop = client.observe(() => {
        stop()
        resolve()
      })
    })
  }
}

/** Is deceived: takes every device that the directory lists for a name to be that person's. */
export async function believeAllDevices(client: Client, name: string): Promise<void> {
  for (const { signatureKey } of await client.devices(name)) await client.approveKey(name, signatureKey)
}

/** What a client sends, where its owner has changed the SDK. */
interface Changeable {
  readonly driver: {
    readonly means: {
      readonly identity: { readonly signatureKey: Uint8Array }
      step: (...given: unknown[]) => { readonly effects: readonly Effect[] }
    }
  }
}
interface Effect {
  readonly question?: { readonly sent?: { readonly of: string }; readonly request?: Uint8Array }
}
/** What follows the access key in a request with a commit: whether it removes, no answers, `after`, no access yet. */
const AFTER_KEY = 1 + 1 + 8 + 1

/** As a member who means harm: commits with a key that nobody else has, at which everybody stops. */
export async function lockOut(conversation: Conversation): Promise<void> {
  const { means } = (conversation as unknown as Changeable).driver
  const { step } = means
  means.step = (...given) => {
    const stepped = step(...given)
    for (const { question } of stepped.effects) {
      if (question?.sent?.of !== "commit") continue
      const request = question.request!
      request.set(means.identity.signatureKey, request.length - AFTER_KEY - 32)
    }
    return stepped
  }
  await conversation.refresh().catch(() => {})
}
