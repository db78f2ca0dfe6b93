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

/** What a start needs, and nothing keeps. */
export interface Starting {
  readonly recovery: ClientOptions["recovery"] | undefined
  readonly signal: AbortSignal | undefined
}

type Asked = Pick<ClientOptions, "endorse" | "displayName"> & Pick<Starting, "recovery">

/** Takes the name, and leaves key packages, so that one can be invited; and says what one is called. */
export async function introduce(
  { means, keyPackages, people, recovering }: Introducing,
  { endorse, recovery: text, displayName }: Asked,
  signal: AbortSignal,
): Promise<void> {
  const { directory, identity, judge, transactions } = means
  const siblings = await takeName({ means, recovering }, { endorse, recovery: text }, signal)
  await keyPackages.replenish(signal)
  // A further device learns what this person is called already.
  if (endorse !== undefined || text !== undefined) await directory.devices(identity.name, signal)
  if (displayName !== undefined) await people.set(displayName, signal)
  await judge.pinned(identity.name)
  await transactions.run(undefined, (transaction) => {
    // The oldest one first: what the devices of a name say of each other comes from there.
    for (const signatureKey of [...siblings, identity.signatureKey])
      judge.pin(transaction, { name: identity.name, signatureKey })
    transaction.profile = { ...transaction.profile, registered: true }
  })
}

/** Keys of the name, see `Identity.register`. */
async function takeName(
  { means, recovering }: Pick<Introducing, "means" | "recovering">,
  { endorse, recovery: text }: Pick<Starting, "recovery"> & { readonly endorse: Asked["endorse"] | undefined },
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const { directory, identity, transactions } = means
  const recovered = text === undefined ? undefined : await recovering.open(text, signal)
  using _ = recovered?.author.key
  // Before anybody hears of this device: an opening that goes on after a crash, without the text, would take the key for a forgery.
  if (recovered !== undefined) {
    await transactions.run(undefined, (transaction) => recovering.trust(transaction, recovered.keys))
  }
  return await identity.register(directory, { endorse, recovery: recovered?.author }, signal)
}
