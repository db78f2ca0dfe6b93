import { decode, encode, opaque, vector } from "@conclave/codec"
import { recordKeys } from "../core/records.js"
import { includes } from "../identity/judge.js"
import type { Work } from "./context.js"

/*
 * Commits and proposals that the service refused for good, and that this device has forgotten. A service that placed one
 * of them nevertheless has all others carry it out: where its bytes turn up in the log, this device is behind.
 */

const KEPT = 16
const GivenUp = vector(opaque)

/** The record that says so, to be stored in the step that gives the message up. */
export async function givenUpWith(work: Work, body: Uint8Array): Promise<readonly [key: string, record: Uint8Array]> {
  const known = await hashes(work)
  return [recordKeys.givenUp(work.local.key), encode(GivenUp, [...known, hashOf(work, body)].slice(-KEPT))]
}

export async function isGivenUp(work: Work, body: Uint8Array): Promise<boolean> {
  return includes(await hashes(work), hashOf(work, body))
}

async function hashes({ store, local }: Work): Promise<readonly Uint8Array[]> {
  const record = await store.get(recordKeys.givenUp(local.key))
  return record === undefined ? [] : decode(GivenUp, record)
}

const hashOf = ({ identity }: Work, body: Uint8Array) => identity.suite.provider.hashes["SHA-256"]!.digest(body)
