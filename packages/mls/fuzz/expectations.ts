import assert from "node:assert/strict"
import { Group, type GroupOptions } from "@conclave/mls"
import { AuthenticityError, DecodeError, RuleError, StateError, UnsupportedError } from "../src/errors.js"

/** What became of bytes that were refused. Anything but an error with a type of its own is rethrown. */
export function refusal(error: unknown): string {
  if (error instanceof RuleError) return `refused: ${error.rule}`
  if (error instanceof StateError) return `refused: ${error.code}`
  if (error instanceof DecodeError || error instanceof AuthenticityError || error instanceof UnsupportedError) {
    return `refused: ${error.name}`
  }
  throw error
}

export const stored = (group: Group): Map<string, string> =>
  new Map([...group.records()].map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]))

/** What a group stores leads back to the same group, and it can go on from where it is. */
export function requireSound(group: Group, options: GroupOptions): void {
  const records = stored(group)
  if (group.active) {
    const restored = Group.restore({ ...options, records: group.records() })
    assert.deepEqual(stored(restored), records, "a restored group is another one")
    // Whatever was accepted, nobody may have been able to stop the group with it.
    restored.discardPending()
    if (restored.epoch < 2n ** 64n - 1n) restored.commit()
    else assert.throws(() => restored.commit(), StateError)
  }
}
