import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Running } from "./resources.js"

const script = fileURLToPath(new URL("peer.js", import.meta.url))

interface Told {
  readonly ready?: boolean
  /** Whether this SDK asks again and again over HTTP where no WebSocket opens: one that says how its line is does. */
  readonly polling?: boolean
  readonly received?: string
  readonly online?: boolean
}

interface PeerOptions {
  readonly service: string
  readonly folder: string
  /** A certificate that Node trusts beside the usual ones. */
  readonly authority: string | undefined
}

/** bob, who has the SDK for Node in a process of its own, and answers. */
export class Peer implements AsyncDisposable {
  readonly #running: Running

  private constructor(running: Running) {
    this.#running = running
  }

  /** Resolves when bob is registered, and others can invite him. */
  static async start({ service, folder, authority }: PeerOptions): Promise<Peer> {
    const environment = authority === undefined ? {} : { NODE_EXTRA_CA_CERTS: authority }
    const running = new Running([process.execPath, script, service, join(folder, "peer.db"), "bob"], environment)
    try {
      await running.until("registration of bob", () => running.output.includes('"ready"'))
    } catch (error) {
      await running[Symbol.asyncDispose]()
      throw error
    }
    return new Peer(running)
  }

  /** What bob has said, without what Node says beside it. */
  get told(): readonly Told[] {
    const lines = this.#running.output.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"))
    return lines.map((line) => JSON.parse(line))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#running[Symbol.asyncDispose]()
  }
}
