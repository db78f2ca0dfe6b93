import type { Entry } from "@conclave/contracts/delivery"
import { logChainHash } from "@conclave/contracts/log-chain"
import { nodeProvider } from "@conclave/crypto/node"
import Database from "libsql"

const sha256 = (...parts: readonly Uint8Array[]) => nodeProvider().hashes["SHA-256"]!.digest(...parts)

/** Puts messages into the true log, as whoever has its file can. */
export function place(file: string, entries: readonly Entry[]): void {
  const database = new Database(file)
  const group = database.prepare("SELECT number, next_seq, head_hash FROM mls_group").get() as {
    readonly number: number
    readonly next_seq: number
    readonly head_hash: Buffer
  }
  const insert = database.prepare(
    `INSERT INTO log (group_number, seq, kind, epoch, idem, request_hash, body, chain_hash, at) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)`,
  )
  let seq = group.next_seq
  let hash = new Uint8Array(group.head_hash)
  for (const entry of entries) {
    hash = new Uint8Array(logChainHash(sha256, hash, { ...entry, seq: BigInt(seq) }))
    insert.run(group.number, seq, entry.epoch, sha256(entry.body, hash), sha256(hash), entry.body, hash, entry.at)
    seq++
  }
  database.prepare("UPDATE mls_group SET next_seq = ?, head_hash = ? WHERE number = ?").run(seq, hash, group.number)
  database.close()
}
