import type { Sha256 } from "@conclave/contracts/log-chain"
import type { Connection } from "../database.js"

/** Bodies that are stored once, however many point to them; the last who lets go of one deletes it. */
export function useBlob(connection: Connection, body: Uint8Array, sha256: Sha256): Uint8Array {
  const hash = sha256(body)
  const used = connection.run("UPDATE blob SET uses = uses + 1 WHERE hash = ?", [hash])
  if (used === 0) connection.run("INSERT INTO blob (hash, body, uses) VALUES (?, ?, 1)", [hash, body])
  return hash
}

export function releaseBlob(connection: Connection, hash: Uint8Array | null): void {
  if (hash === null) return
  connection.run("UPDATE blob SET uses = uses - 1 WHERE hash = ?", [hash])
  connection.run("DELETE FROM blob WHERE hash = ? AND uses = 0", [hash])
}
