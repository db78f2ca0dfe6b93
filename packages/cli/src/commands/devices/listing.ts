import type { OwnDevice } from "@conclave/client/node"
import { command, flag } from "../../arguments.js"
import { exitCodes } from "../../failure.js"
import { asOption, dataOption, fastOpenOptions, serverOption } from "../../options.js"
import { openProfile, readable } from "../../profile.js"
import { words as said } from "../../words/words.js"

/** So many digits of an id tell the devices of one name apart. */
const DIGITS_SHOWN = 16

export const deviceOptions = { as: asOption, server: serverOption, data: dataOption, ...fastOpenOptions }

export const listDevices = command({
  options: { ...deviceOptions, json: flag() },
  async run({ json, ...choice }, { terminal }) {
    await using client = (await openProfile(choice, { terminal, live: false })).client
    const found = await client.ownDevices().catch(async (error: unknown) => {
      throw await readable(error, choice)
    })
    if (json) await terminal.write(`${JSON.stringify(found.map(asJson), null, 2)}\n`)
    else await terminal.write(found.map((device) => `${inWords(device)}\n`).join(""))
    return exitCodes.done
  },
})

const shown = (id: string) => id.slice(0, DIGITS_SHOWN)

export function inWords({
  id,
  registeredAt,
  endorsedBy,
  isThisDevice,
  endorsed,
  recovered,
  revoked,
}: OwnDevice): string {
  const { registered, byRecoveryKey, first, endorsedBy: by, thisDevice, unknown } = said().devices
  const words = [
    shown(id),
    registered(said().units.moment(registeredAt)),
    recovered ? byRecoveryKey : endorsedBy === undefined ? first : by(shown(endorsedBy)),
    ...(isThisDevice ? [thisDevice] : []),
    ...(revoked === undefined ? (endorsed ? [] : [unknown]) : [revocationInWords(revoked)]),
  ]
  return words.join("  ")
}

function revocationInWords({ at, by }: NonNullable<OwnDevice["revoked"]>): string {
  const { revokedWith, revoked } = said().devices
  return at === undefined ? revokedWith : revoked(said().units.moment(at), by && shown(by))
}

function asJson({ signatureKey, ...device }: OwnDevice) {
  return { ...device, signatureKey: Buffer.from(signatureKey).toString("hex") }
}
