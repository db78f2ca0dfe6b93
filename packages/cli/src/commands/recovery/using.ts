import type { Client } from "@conclave/client/node"
import { command, flag, optional } from "../../arguments.js"
import { exitCodes, UsageError } from "../../failure.js"
import { openProfile, readable, synchronise } from "../../profile.js"
import { words } from "../../words/words.js"
import { deviceOptions, inWords } from "../devices/listing.js"
import { deviceWith, requireDigits } from "../devices/revoking.js"
import { asFailure, TypedKeys } from "./typed.js"

const ids = (text: string) => text.split(",")

export const useRecoveryKey = command({
  options: {
    ...deviceOptions,
    revoke: optional({ placeholder: "IDS", read: ids }),
    "revoke-others": flag(),
    keep: optional({ placeholder: "IDS", read: ids }),
  },
  async run({ revoke, keep = [], "revoke-others": others, ...choice }, { terminal }) {
    if (others && revoke !== undefined) throw new UsageError(words().recovery.exclusive)
    for (const digits of [...(revoke ?? []), ...keep]) requireDigits(digits)
    using typed = new TypedKeys(terminal)
    const recovery = await typed.next(words().recovery.type(choice.as))
    const options = { terminal, live: false, recovery }
    await using client = (await openProfile(choice, options)).client
    try {
      await revokeThose(client, recovery, { revoke, keep, others })
    } catch (error) {
      throw await readable(asFailure(error), choice)
    }
    await synchronise(client, choice, options)
    await terminal.write((await client.ownDevices()).map((device) => `${inWords(device)}\n`).join(""))
    return exitCodes.done
  },
})

interface Wanted {
  readonly revoke: readonly string[] | undefined
  readonly keep: readonly string[]
  readonly others: boolean
}

async function revokeThose(client: Client, recovery: string, { revoke, keep: kept, others }: Wanted): Promise<void> {
  const devices = await client.ownDevices()
  const keep = kept.map((digits) => deviceWith(devices, digits, client.name))
  const isLeft = (id: string, isThisDevice: boolean) => isThisDevice || keep.includes(id)
  const named = (revoke ?? []).map((digits) => deviceWith(devices, digits, client.name))
  const live = devices.filter((it) => it.revoked === undefined && !isLeft(it.id, it.isThisDevice))
  for (const id of others ? live.map((it) => it.id) : named) {
    // Those of them that come from it and stay.
    const coming = keep.filter((it) => it !== id)
    await client.recovery.revokeDevice(id, recovery, { keep: coming })
  }
}
