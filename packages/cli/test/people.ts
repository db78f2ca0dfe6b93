import assert from "node:assert/strict"
import { type Client, type ClientEvent, openClient } from "@conclave/client/node"
import type { Folder } from "./support.js"

/** A client in this process, which stays open while its service ends and comes back, and what it has told. */
export class Person implements AsyncDisposable {
  readonly events: ClientEvent[] = []
  readonly client: Client
  readonly #stop = new AbortController()

  private constructor(client: Client) {
    this.client = client
    void this.#listen()
  }

  /** With a profile in the folder. */
  static async open(folder: Folder, name: string, address: string): Promise<Person> {
    const sealingKey = new Uint8Array(32).fill(1)
    const policy = { invitations: "accept" } as const
    return new Person(await openClient({ name, service: address, profile: folder.file(name), sealingKey, policy }))
  }

  get only() {
    return [...this.client.conversations.values()][0]!
  }

  async texts(): Promise<readonly (string | undefined)[]> {
    return (await this.only.history({ limit: 2_000 })).map(({ text }) => text)
  }

  /** How often it was told of something of this type. */
  count(type: ClientEvent["type"]): number {
    return this.events.filter((it) => it.type === type).length
  }

  async #listen(): Promise<void> {
    for await (const event of this.client.events({ signal: this.#stop.signal })) this.events.push(event)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.client.close()
  }
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 60_000; !(await holds()); ) {
    assert.ok(performance.now() < end, `waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
