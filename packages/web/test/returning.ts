/** Somebody whose devices are lost, and who comes back by the recovery key. */
import type { Locator } from "playwright-core"
import { openPerson } from "./people.js"
import type { Person } from "./person.js"
import type { Service } from "./service.js"

/** Resolves when it is opened. */
export function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Alice's laptop, which has endorsed her phone and her tablet, and the recovery key. All are lost. */
export async function devices(service: Service) {
  const laptop = await openPerson(service, "alice")
  const endorse = (registration: Uint8Array) => laptop.endorseDevice(registration)
  const phone = await openPerson(service, "alice", { file: "phone", endorse })
  const tablet = await openPerson(service, "alice", { file: "tablet", endorse })
  const recovery = laptop.recovery.make()
  await laptop.recovery.set(recovery)
  return { laptop, phone, tablet, recovery }
}

/** Three devices of alice that know nothing of each other: each is revoked by a request of its own. */
export async function strangers(service: Service) {
  const oldest = await openPerson(service, "alice")
  const recovery = oldest.recovery.make()
  await oldest.recovery.set(recovery)
  for (const file of ["second", "third"]) await openPerson(service, "alice", { file, recovery })
  return { oldest, recovery }
}

/** The dialog of the way back, at the start of a browser without keys. */
export async function wayBack(alice: Person): Promise<Locator> {
  await alice.register()
  await alice.page.getByRole("button", { name: "Use my recovery key" }).click()
  const dialog = alice.page.getByRole("dialog", { name: "Come back as alice" })
  await dialog.getByLabel("Your recovery key").waitFor()
  return dialog
}

export async function comeBack(dialog: Locator, recovery: string, { revokes = false } = {}): Promise<void> {
  if (revokes) await dialog.getByLabel("All my other devices are lost").check()
  await dialog.getByLabel("Your recovery key").fill(recovery)
  await dialog.getByRole("button", { name: "Come back", exact: true }).click()
}
