import { encode } from "@conclave/codec"
import { LOG_HEAD_LABEL, LogHead } from "@conclave/contracts/heads"
import { nodeProvider } from "@conclave/crypto/node"
import { signWithLabel } from "@conclave/mls"
import Database from "libsql"

/** What the service says of a head, beside the head itself. */
export interface Word {
  readonly incarnation: bigint
  readonly signature: Uint8Array
}

/** Signs as the service does: whoever has its file has its key. */
export class ServiceKey {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  word(groupId: Uint8Array, { seq, chainHash }: { readonly seq: bigint; readonly chainHash: Uint8Array }): Word {
    const database = new Database(this.#file, { readonly: true })
    const row = database.prepare("SELECT seed, incarnation FROM identity").get() as {
      readonly seed: Buffer
      readonly incarnation: number
    }
    database.close()
    const incarnation = BigInt(row.incarnation)
    const key = nodeProvider().signatures.Ed25519!.importKey(new Uint8Array(row.seed))
    const head = encode(LogHead, { groupId, incarnation, seq, chainHash })
    return { incarnation, signature: signWithLabel(key, LOG_HEAD_LABEL, head) }
  }
}
