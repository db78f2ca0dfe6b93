import type { Client, OwnDevice } from "@conclave/client/node"
import { command, optional } from "../../arguments.js"
import { exitCodes, Failure, UsageError } from "../../failure.js"
import { openProfile, readable, synchronise } from "../../profile.js"
import { words } from "../../words/words.js"
import { deviceOptions, inWords } from "./listing.js"

/** Digits of an id: fewer could be those of another device. */
const DIGITS_MIN = 8

export const revokeDevice = command({
  operand: { placeholder: "ID" },
  options: {
    ...deviceOptions,
    keep: optional({
      placeholder: "IDS",
      read: (text) => text.split(","),
    }),
  },
  async run({ keep = [], ...choice }, { terminal, operand }) {
    for (const digits of [operand, ...keep]) requireDigits(digits)
    const options = { terminal, live: false }
    await using client = (await openProfile(choice, options)).client
    const revoked = await revoke(client, operand, keep).catch(async (error: unknown) => {
      throw await readable(error, choice)
    })
    // It is this profile that is revoked: there is nothing left to do for it.
    if (revoked.some(({ isThisDevice }) => isThisDevice)) terminal.tell(words().devices.thisRevoked)
    else await synchronise(client, choice, options)
    await terminal.write(revoked.map((device) => `${inWords(device)}\n`).join(""))
    return exitCodes.done
  },
})

async function revoke(client: Client, operand: string, keep: readonly string[]): Promise<readonly OwnDevice[]> {
  const devices = await client.ownDevices()
  const idOf = (digits: string) => deviceWith(devices, digits, client.name)
  return client.revokeDevice(idOf(operand), { keep: keep.map(idOf) })
}

/** The id of the device that begins with the digits. */
export function deviceWith(devices: readonly OwnDevice[], digits: string, name: string): string {
  const found = devices.filter(({ id }) => id.startsWith(digits))
  if (found.length === 1) return found[0]!.id
  const { noneBegins, severalBegin } = words().devices
  throw new Failure((found.length === 0 ? noneBegins : severalBegin)(name, digits))
}

export function requireDigits(text: string): void {
  const isId = /^[0-9a-f]*$/.test(text) && text.length >= DIGITS_MIN
  if (!isId) throw new UsageError(words().devices.digits(DIGITS_MIN, JSON.stringify(text)))
}
