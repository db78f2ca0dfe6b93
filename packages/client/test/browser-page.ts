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

  /** What becomes of one who asks for a profile that this page has open, and gives up; and of the next who asks. */
  async giveUp(profile: string): Promise<readonly string[]> {
    const held = await indexedDbStore(profile)
    const said = (opening: Promise<unknown>) =>
      opening.then(
        () => "opened",
        (error: unknown) => (error as { code?: string }).code ?? String(error),
      )
    const begun = performance.now()
    const aborted = await said(indexedDbStore(profile, { signal: AbortSignal.abort("enough") }))
    const isAtOnce = performance.now() - begun < 5_000
    const stop = new AbortController()
    const waiting = said(indexedDbStore(profile, { wait: true, signal: stop.signal }))
    stop.abort("enough, too")
    const gaveUp = await waiting
    const next = said(indexedDbStore(profile))
    await new Promise((resolve) => setTimeout(resolve, 100))
    await held[Symbol.asyncDispose]()
    return [aborted, String(isAtOnce), gaveUp, await next]
  },

  /** What a store says whose connections end, one after the other, after they have stood idle for a minute each. */
  async idle(profile: string): Promise<readonly string[]> {
    const { open } = IDBFactory.prototype
    const now = performance.now.bind(performance)
    let [connection, stood]: [IDBDatabase | undefined, number] = [undefined, 0]
    performance.now = () => now() + stood
    const opened = () => {
      connection = undefined
      return new Promise<void>((resolve) => {
        IDBFactory.prototype.open = function (...given) {
          const opening = open.apply(this, given)
          opening.addEventListener("success", () => {
            connection = opening.result
            setTimeout(resolve)
          })
          return opening
        }
      })
    }
    try {
      const first = opened()
      const store = await indexedDbStore(profile)
      await first
      for (let time = 0; time < 3; time++) {
        stood += 60_000
        const dead = connection as IDBDatabase | undefined
        if (dead === undefined) break
        const again = opened()
        dead.close()
        dead.dispatchEvent(new Event("close"))
        await Promise.race([again, store.lost])
      }
      return [await store.get("nothing").then(String, (error: Error) => error.message)]
    } finally {
      IDBFactory.prototype.open = open
      performance.now = now
    }
  },

  /** What happens to a store whose connection ends: what it says, and what is in the database then. */
  async die(
    profile: string,
    how: "closed" | "told" | "twice" | "vanished" | "deleted" | "cleared",
  ): Promise<readonly string[]> {
    const { open } = IDBFactory.prototype
    const connections: IDBDatabase[] = []
    IDBFactory.prototype.open = function (...given) {
      const opening = open.apply(this, given)
      opening.addEventListener("success", () => connections.push(opening.result))
      return opening
    }
    try {
      const store = await indexedDbStore(profile)
      const put = (key: string) => store.transaction({ put: new Map([[key, Uint8Array.of(1)]]), delete: new Set() })
      const said = (work: Promise<unknown>) => work.then(String, (error: Error) => error.message)
      await put("before")
      const close = () => connections.at(-1)!.close()
      if (how === "deleted") {
        new Worker("delete.js").postMessage(`conclave/${profile}`)
      } else if (how === "cleared") await (globalThis as unknown as { clear(): Promise<void> }).clear()
      else close()
      if (how === "vanished") {
        await new Promise((resolve) => {
          indexedDB.deleteDatabase(`conclave/${profile}`).onsuccess = resolve
        })
        const read = await said(store.get("before"))
        return [read, (await store.lost).message, String((await indexedDB.databases()).length)]
      }
      if (how === "told") connections.at(-1)!.dispatchEvent(new Event("close"))
      if (how === "twice") {
        IDBFactory.prototype.open = function (...given) {
          const opening = open.apply(this, given)
          opening.addEventListener("success", () => opening.result.close())
          return opening
        }
      }
      const isOver = how === "deleted" || how === "cleared"
      const lost = store.lost.then(({ message }) => `lost: ${message}`)
      if (isOver) return [await lost, await said(put("after")), String((await indexedDB.databases()).length)]
      const reading = [store.get("before"), store.list("")].map((work) => said(work))
      const results = [...(await Promise.all(reading)), await said(put("after")), await said(store.get("after"))]
      if (how === "twice") return [...results, await lost]
      await store[Symbol.asyncDispose]()
      return [...results, `${connections.length} connections`]
    } finally {
      IDBFactory.prototype.open = open
    }
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
