import { writeFileSync } from "node:fs"
import { basename } from "node:path"
import { type Conclusion, formatTrace, renderTimeline, trace as traceCapture } from "@conclave/trace"
import { command, flag, optional } from "../arguments.js"
import { headOf, seeming, whyUnread } from "../causes/file.js"
import { exitCodes, Failure } from "../failure.js"
import { nonEmpty } from "../options.js"
import { jsonOf } from "../terminal/json.js"
import { printableLine } from "../terminal/printable.js"
import { withProgress } from "../terminal/progress.js"
import type { Style } from "../terminal/style.js"
import { words } from "../words/words.js"

export const trace = command({
  operand: { placeholder: "FILE" },
  options: {
    html: optional({ placeholder: "OUT", read: nonEmpty("file") }),
    json: flag(),
  },
  async run({ html, json }, { terminal, operand: file }) {
    const report = await withProgress(terminal, words().looking.reading(file), () => read(file))
    if (json) await terminal.write(`${jsonOf(report)}\n`)
    else {
      const [verdict, rest] = splitVerdict(formatTrace(report))
      await terminal.write(`${colourOf(report.conclusion, terminal.style)(verdict)}${rest}\n`)
    }
    if (html !== undefined) {
      writeFileSync(html, renderTimeline(report, words().looking.timelineTitle(basename(file))))
      terminal.tell(words().looking.timelineIn(html))
    }
    return report.conclusion === "unclear" ? exitCodes.notAllRead : exitCodes.done
  },
})

/** The first paragraph, and everything after it. */
function splitVerdict(text: string): [string, string] {
  const end = text.indexOf("\n\n")
  return end < 0 ? [text, ""] : [text.slice(0, end), text.slice(end)]
}

const colourOf = (conclusion: Conclusion, { red, green, yellow }: Style) =>
  ({ linked: red, unlinked: green, unclear: yellow })[conclusion]

async function read(file: string) {
  try {
    return await traceCapture(file)
  } catch (error) {
    const said = words().looking
    const { name, message, offset } = error as Error & { readonly offset?: number }
    if (name !== "CaptureError") throw whyUnread(error as Error, file, said.giveACapture) ?? error
    const isOther = offset === 0 && !message.startsWith("compressed")
    const reason = isOther
      ? said.notACapture(seeming(headOf(file), { file, command: "trace", next: said.giveACapture }))
      : said.captureFault(message)
    throw new Failure(`${printableLine(file)}: ${reason}`, { cause: error })
  }
}
