import { decode, encode, vector } from "@conclave/codec"
import { Handover } from "@conclave/contracts/heads"
import type { StoredIdentity } from "@conclave/delivery/store"
import type { Connection } from "../database.js"
import { withdrawSingles } from "./key-packages.js"

const Handovers = vector(Handover)

/** The identity that is stored, or else `made`, which is stored. */
export function identityOf(connection: Connection, made: StoredIdentity): StoredIdentity {
  connection.run(
    `INSERT INTO identity (number, seed, pass_secret, incarnation, handovers) VALUES (1, ?, ?, ?, ?)
     ON CONFLICT (number) DO NOTHING`,
    [made.seed, made.passSecret, made.incarnation, encode(Handovers, made.handovers)],
  )
  const row = connection.get("SELECT seed, pass_secret, incarnation, handovers FROM identity")!
  const { seed, pass_secret, incarnation, handovers } = row
  return { seed, passSecret: pass_secret, incarnation, handovers: decode(Handovers, handovers) }
}

export function raiseIncarnation(connection: Connection, handover: Handover): void {
  const { handovers } = connection.get("SELECT handovers FROM identity")!
  connection.run("UPDATE identity SET incarnation = ?, handovers = ?", [
    handover.incarnation,
    encode(Handovers, [...decode(Handovers, handovers), handover]),
  ])
  withdrawSingles(connection)
}
