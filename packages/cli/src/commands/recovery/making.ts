import { command, flag } from "../../arguments.js"
import { exitCodes, Failure } from "../../failure.js"
import { openProfile, readable } from "../../profile.js"
import { words } from "../../words/words.js"
import { deviceOptions } from "../devices/listing.js"
import { asFailure, plain, TypedKeys } from "./typed.js"

export const makeRecoveryKey = command({
  options: { ...deviceOptions, replace: flag() },
  async run({ replace, ...choice }, { terminal }) {
    using typed = new TypedKeys(terminal)
    await using client = (await openProfile(choice, { terminal, live: false })).client
    try {
      const isSet = await client.recovery.isSet()
      if (isSet && !replace) throw new Failure(words().recovery.isSet(client.name))
      if (!isSet && replace) throw new Failure(words().recovery.isNotSet(client.name))
      const replaces = replace ? await typed.next(words().recovery.typeOld) : undefined
      const text = client.recovery.make()
      await terminal.write(`${text}\n`)
      terminal.tell(words().recovery.writeDown)
      const back = await typed.next(words().recovery.typeNew)
      if (plain(back) !== plain(text)) throw new Failure(words().recovery.different)
      await client.recovery.set(text, replaces === undefined ? {} : { replaces })
    } catch (error) {
      throw await readable(asFailure(error), choice)
    }
    terminal.tell(words().recovery.done(client.name))
    return exitCodes.done
  },
})
