import type { Contestant } from "../contest.js"
import type { Party } from "../scene.js"

/**
 * A group's creator adds so many members in one commit without an UpdatePath, and applies it. The key packages are new
 * each time: nothing that was verified once helps.
 */
export function bulkAddition(
  name: string,
  party: Party,
  { suite, count }: { suite: number; count: number },
): Contestant {
  const clock = party.clock ?? performance
  return {
    name,
    async once() {
      const changes: { type: "add"; keyPackage: Uint8Array }[] = []
      for (let i = 0; i < count; i++) {
        const client = await party.client(`member ${i}`, suite)
        changes.push({ type: "add", keyPackage: await client.keyPackage() })
      }
      const group = await (await party.client("creator", suite)).create(utf8.encode("a group that grows at once"))
      const start = clock.now()
      await group.commit(changes, { forcePath: false })
      await group.applyPending()
      return clock.now() - start
    },
  }
}

const utf8 = new TextEncoder()
