import type { ClientOptions } from "../client.js"
import type { People } from "../identity/people.js"
import type { Stock } from "../identity/stock.js"
import type { Means } from "./driver.js"
import type { Recovering } from "./recovering.js"

/** What a device introduces itself with. */
export interface Introducing {
  readonly means: Pick<Means, "directory" | "identity" | "judge" | "transactions">
  readonly keyPackages: Stock
  readonly people: People
  readonly recovering: Recovering
}

type Asked = Pick<ClientOptions, "endorse" | "recovery" | "displayName">

/** Takes the name, and leaves key packages, so that one can be invited; and says what one is called. */
export async function introduce(
  { means, keyPackages, people, recovering }: Introducing,
  { endorse, recovery: text, displayName }: Asked,
  signal: AbortSignal,
): Promise<void> {
  const { directory, identity, judge, transactions } = means
  const recovered = text === undefined ? undefined : await recovering.open(text, signal)
  const siblings = await identity.register(directory, { endorse, recovery: recovered?.author }, signal)
  recovered?.author.key[Symbol.dispose]()
  await keyPackages.replenish(signal)
  // A further device learns what this person is called already.
  if (endorse !== undefined || recovered !== undefined) await directory.devices(identity.name, signal)
  if (displayName !== undefined) await people.set(displayName, signal)
  await judge.pinned(identity.name)
  await transactions.run(undefined, (transaction) => {
    // The oldest one first: what the devices of a name say of each other comes from there.
    for (const signatureKey of [...siblings, identity.signatureKey])
      judge.pin(transaction, { name: identity.name, signatureKey })
    if (recovered !== undefined) recovering.trust(transaction, recovered.keys)
    transaction.profile = { ...transaction.profile, registered: true }
  })
}
