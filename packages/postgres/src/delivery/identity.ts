import { decode, encode, vector } from "@conclave/codec"
import { Handover } from "@conclave/contracts/heads"
import type { StoredIdentity } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { withdrawSingles } from "./key-packages.js"

const Handovers = vector(Handover)

/** A service that is open signs with what it has read once. */
export const INCARNATION = "SELECT incarnation FROM identity"

/** The identity that is stored, or else `made`, which is stored. Of many gateways that start, one makes it. */
export async function identityOf(connection: Connection, made: StoredIdentity): Promise<StoredIdentity> {
  await connection.run(
    `INSERT INTO identity (number, seed, pass_secret, incarnation, handovers) VALUES (1, $1, $2, $3, $4)
     ON CONFLICT (number) DO NOTHING`,
    [made.seed, made.passSecret, made.incarnation, encode(Handovers, made.handovers)],
  )
  const row = (await connection.get("SELECT seed, pass_secret, incarnation, handovers FROM identity"))!
  const { seed, pass_secret, incarnation, handovers } = row
  return { seed, passSecret: pass_secret, incarnation, handovers: decode(Handovers, handovers) }
}

export async function raiseIncarnation(connection: Connection, handover: Handover): Promise<void> {
  const { handovers } = (await connection.get("SELECT handovers FROM identity FOR UPDATE"))!
  await connection.run("UPDATE identity SET incarnation = $1, handovers = $2", [
    handover.incarnation,
    encode(Handovers, [...decode(Handovers, handovers), handover]),
  ])
  await withdrawSingles(connection)
}
