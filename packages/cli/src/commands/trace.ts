import { writeFileSync } from "node:fs"
import { basename } from "node:path"
import { formatTrace, renderTimeline, trace as traceCapture } from "@conclave/trace"
import { command, optional } from "../arguments.js"
import { exitCodes, Failure } from "../failure.js"
import { nonEmpty } from "../options.js"
import { withProgress } from "../terminal/progress.js"

export const trace = command({
  summary: "find in a packet capture what links connections to one client",
  description: [
    "Reads pcap and pcapng, as tcpdump and Wireshark write them, and shows what an observer of the same packets learns: " +
      "TCP Fast Open cookies and their chains, reused TLS tickets, ports, timestamps, addresses.",
  ],
  operand: { placeholder: "FILE", help: "the capture" },
  options: {
    html: optional({ placeholder: "OUT", help: "write a page with the timeline too", read: nonEmpty("a file") }),
  },
  async run({ html }, { terminal, operand: file }) {
    const report = await withProgress(terminal, `Reading ${file}`, () => read(file))
    await terminal.write(`${formatTrace(report)}\n`)
    if (html !== undefined) {
      writeFileSync(html, renderTimeline(report, `What links the connections of ${basename(file)}`))
      terminal.tell(`The timeline is in ${html}.`)
    }
    return exitCodes.done
  },
})

async function read(file: string) {
  try {
    return await traceCapture(file)
  } catch (error) {
    if ((error as Error).name !== "CaptureError") throw error
    throw new Failure(`${file}: ${(error as Error).message}`, { cause: error })
  }
}
