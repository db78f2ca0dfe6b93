import type { Sha256 } from "@conclave/contracts/log-chain"
import type { Connection } from "../connection.js"
import { bigintArray, bytesArray } from "../values.js"

interface Change {
  readonly hash: Uint8Array
  uses: bigint
  body: Uint8Array | undefined
}

/**
 * Bodies that are stored once, however many point to them; the last who lets go of one deletes it. What a transaction does
 * to them is written at its end, by hash, so that no two transactions wait for each other.
 */
export class BlobChanges {
  readonly #changes = new Map<string, Change>()

  use(body: Uint8Array, sha256: Sha256): Uint8Array {
    const hash = sha256(body)
    const change = this.#changeOf(hash)
    change.uses += 1n
    change.body = body
    return hash
  }

  release(hash: Uint8Array | null): void {
    if (hash !== null) this.#changeOf(hash).uses -= 1n
  }

  #changeOf(hash: Uint8Array): Change {
    const name = Buffer.from(hash).toString("hex")
    const change = this.#changes.get(name) ?? { hash, uses: 0n, body: undefined }
    this.#changes.set(name, change)
    return change
  }

  async write(connection: Connection): Promise<void> {
    const changes = [...this.#changes.values()].filter(({ uses }) => uses !== 0n)
    if (changes.length === 0) return
    const sorted = changes.sort((a, b) => Buffer.compare(a.hash, b.hash))
    await connection.all("SELECT 1 FROM blob WHERE hash = ANY($1::bytea[]) ORDER BY hash FOR UPDATE", [
      bytesArray(sorted.map(({ hash }) => hash)),
    ])
    const used = sorted.filter(({ uses }) => uses > 0n)
    if (used.length > 0) {
      await connection.run(
        `INSERT INTO blob (hash, uses, body)
         SELECT hash, uses, body FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS used (hash, uses, body) ORDER BY hash
         ON CONFLICT (hash) DO UPDATE SET uses = blob.uses + excluded.uses`,
        [...listed(used), bytesArray(used.map(({ body }) => body!))],
      )
    }
    const released = sorted.filter(({ uses }) => uses < 0n)
    if (released.length === 0) return
    await connection.run(
      `UPDATE blob SET uses = blob.uses + released.uses
       FROM unnest($1::bytea[], $2::bigint[]) AS released (hash, uses) WHERE blob.hash = released.hash`,
      listed(released),
    )
    await connection.run("DELETE FROM blob WHERE hash = ANY($1::bytea[]) AND uses <= 0", [
      bytesArray(released.map(({ hash }) => hash)),
    ])
  }
}

const listed = (changes: readonly Change[]) => [
  bytesArray(changes.map(({ hash }) => hash)),
  bigintArray(changes.map(({ uses }) => uses)),
]
