import { browserSealingKey, indexedDbStore, openClient } from "../src/browser.js"
import { conformance } from "./store/conformance.js"

let profiles = 0

/** What `browser.test.ts` calls in the page. */
const calls = {
  /** The rules that the IndexedDB store keeps, or how it breaks them. */
  async conformance(): Promise<readonly (readonly [rule: string, outcome: string])[]> {
    const outcomes: (readonly [string, string])[] = []
    for (const { rule, check } of conformance) {
      const profile = `conformance ${++profiles}`
      const outcome = await check({ open: () => indexedDbStore(profile) }).then(
        () => "kept",
        (error: unknown) => String((error as Error).stack),
      )
      outcomes.push([rule, outcome])
    }
    return outcomes
  },

  async hold(profile: string): Promise<void> {
    Object.assign(globalThis, { held: await indexedDbStore(profile) })
  },

  /** Whether WebAssembly may be compiled here. */
  async mayCompile(): Promise<boolean> {
    return WebAssembly.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)).then(
      () => true,
      () => false,
    )
  },

  open: (profile: string, wait: boolean): Promise<string> =>
    indexedDbStore(profile, { wait }).then(
      () => "opened",
      (error: { code?: string }) => error.code ?? String(error),
    ),

  /** As a component does that is mounted, unmounted and mounted again at once. */
  async openTwice(name: string, service: string): Promise<string> {
    const closed = openClient({ name, service }).then((client) => client.close())
    const [second] = await Promise.all([openClient({ name, service }), closed])
    await second.close()
    return second.name
  },

  async sealingKey(profile: string): Promise<string> {
    return [...(await browserSealingKey(profile))].join()
  },

  /** Takes a name, and leaves key packages. */
  async register(name: string, service: string): Promise<void> {
    await using _client = await openClient({ name, service })
  },

  /** Opens a profile, talks to whoever is there, and tells what was seen. */
  async converse(options: { name: string; service: string; invite: string[]; say: string[]; until: string }) {
    await using client = await openClient({ name: options.name, service: options.service })
    let team = [...client.conversations.values()][0]
    if (options.invite.length > 0) team = await client.createConversation({ title: "team", members: options.invite })
    for (const text of options.say) await team!.send(text)
    for await (const event of client.events()) {
      await client.acknowledge(event.number)
      if (event.type === "message" && event.text === options.until) break
      if (event.type === "sent" && event.text === options.until) break
    }
    const [conversation] = client.conversations.values()
    return (await conversation!.history()).map(({ from, text }) => `${from}: ${text}`)
  },
}

export type Calls = typeof calls
Object.assign(globalThis, { calls })
