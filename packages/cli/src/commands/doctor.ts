import { existsSync } from "node:fs"
import { command, flag, optional } from "../arguments.js"
import { dataFolder, profilePlace } from "../data-folder.js"
import { checkDataFolder } from "../doctor/data-folder.js"
import { attempt, type Check, type Finding } from "../doctor/finding.js"
import { checkCryptography, checkFastOpen, checkPage, checkRuntime, checkService } from "../doctor/machine.js"
import { exitCodes, explain, Failure, UsageError } from "../failure.js"
import { asOption, dataOption, serverOption } from "../options.js"
import { openProfile, synchronise } from "../profile.js"
import { jsonOf } from "../terminal/json.js"
import { type Terminal, tellNote } from "../terminal/terminal.js"
import { english, words } from "../words/words.js"

export const doctor = command({
  options: {
    as: optional({
      ...asOption,
      variable: undefined,
      placeholder: "NAME",
    }),
    server: serverOption,
    data: dataOption,
    json: flag(),
  },
  async run({ as, server, data, json }, { terminal }) {
    const folder = dataFolder(data)
    if (as !== undefined && json) throw new UsageError(words().machine.jsonWithReport)
    // What programs read is the same in every language.
    const said = json ? english : words()
    if (as !== undefined) return report({ as, server, data }, folder, terminal)
    const { subjects } = said.machine
    const checks: readonly (readonly [string, Check])[] = [
      [subjects.node, checkRuntime],
      [subjects.cryptography, checkCryptography],
      [subjects.dataFolder, (said) => checkDataFolder(folder, said)],
      [subjects.page, checkPage],
      [subjects.service, (said) => checkService(server, said)],
      [subjects.fastOpen, checkFastOpen],
    ]
    const findings: Finding[] = []
    for (const [subject, check] of checks) {
      const found = await attempt(subject, check, said)
      findings.push(...found)
      if (!json) await terminal.write(found.map((finding) => `${drawn(finding, terminal)}\n`).join(""))
    }
    if (json) await terminal.write(`${jsonOf(findings)}\n`)
    return findings.some(({ verdict }) => verdict === "bad") ? exitCodes.failed : exitCodes.done
  },
})

type Subject = { readonly as: string; readonly server: URL; readonly data: string | undefined }

/** What comes out is also a report where the service does not answer. */
async function report(subject: Subject, folder: string, terminal: Terminal): Promise<number> {
  const { as, server } = subject
  if (!existsSync(profilePlace(folder, { name: as, server }))) {
    throw new Failure(words().machine.noProfile(as, server.origin, folder))
  }
  const choice = { ...subject, "fast-open": false, "server-key": undefined }
  const options = { terminal, live: false }
  const { client } = await openProfile(choice, options)
  try {
    await synchronise(client, choice, options)
  } catch (error) {
    tellNote(terminal, explain(error).reason)
  }
  try {
    await terminal.write(await client.debugReport())
  } finally {
    await client.close()
  }
  return exitCodes.done
}

function drawn({ verdict, text, remedy }: Finding, { style, glyphs }: Terminal): string {
  const mark = { good: style.green(glyphs.good), note: style.yellow(glyphs.note), bad: style.red(glyphs.bad) }[verdict]
  // The one sign in the findings that is not ASCII.
  const shown = glyphs.isAscii ? text.replaceAll("\u00b5", "u") : text
  return `${mark} ${shown}${remedy === undefined ? "" : `\n    ${style.cyan(remedy)}`}`
}
