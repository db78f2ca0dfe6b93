import type { Clock, Member, Participant, Party } from "../scene.js"
import { type Answer, Pipe } from "./pipe.js"

/** As `bench/rust/src/main.rs` knows them. */
export const rustLibraries = ["mls-rs-aws-lc", "mls-rs-rustcrypto", "openmls-rustcrypto", "openmls-libcrux"] as const
export type RustLibraryName = (typeof rustLibraries)[number]

/** An implementation in Rust, in a process of its own. Suite 1 alone. Its clock runs only inside the library. */
export class RustLibrary implements Party {
  readonly #pipe: Pipe
  #milliseconds = 0
  readonly clock: Clock = { now: () => this.#milliseconds }

  constructor(program: string, name: RustLibraryName) {
    this.#pipe = new Pipe(program, [name])
  }

  async client(identity: string): Promise<Participant> {
    // The numbers of clients and groups are kept as they are sent.
    const client = await this.#bytes("client", utf8.encode(identity))
    const enter = async (operation: string, bytes: Uint8Array) =>
      this.#member(await this.#bytes(operation, client, bytes))
    return {
      keyPackage: () => this.#bytes("keyPackage", client),
      create: (groupId) => enter("create", groupId),
      join: (welcome) => enter("join", welcome),
    }
  }

  close(): void {
    this.#pipe.close()
  }

  #member(group: Uint8Array): Member {
    return {
      encrypt: (plaintext) => this.#bytes("encrypt", group, plaintext),
      commit: async (changes, { forcePath = true } = {}) => {
        const keyPackages = changes.map((change) => {
          if (change.type !== "add") throw new RangeError("only additions are asked of it")
          return change.keyPackage
        })
        const path = Uint8Array.of(forcePath ? 1 : 0)
        const { fields } = await this.#ask("commit", group, path, ...keyPackages)
        return { commit: fields[0]!, welcome: fields[1]! }
      },
      applyPending: async () => void (await this.#ask("apply", group)),
      discardPending: async () => void (await this.#ask("discard", group)),
      receive: async (message) => {
        const type = new TextDecoder().decode(await this.#bytes("receive", group, message))
        return { type: type === "application" || type === "commit" ? type : "ignored" }
      },
    }
  }

  async #ask(operation: string, ...fields: readonly Uint8Array[]): Promise<Answer> {
    const answer = await this.#pipe.ask(operation, ...fields)
    this.#milliseconds += answer.milliseconds
    return answer
  }

  async #bytes(operation: string, ...fields: readonly Uint8Array[]): Promise<Uint8Array> {
    return (await this.#ask(operation, ...fields)).fields[0]!
  }
}

const utf8 = new TextEncoder()
