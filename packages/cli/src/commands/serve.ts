import { command, withDefault } from "../arguments.js"
import { openDataFolder, serviceFile } from "../data-folder.js"
import { exitCodes, explain, Failure } from "../failure.js"
import { DEFAULT_HOST, DEFAULT_PORT, dataOption, nonEmpty, port } from "../options.js"
import { builtPage, type RunningService, type ServiceOptions, startService } from "../service.js"
import { getSystemErrorMessage } from "../system-errors.js"
import { align } from "../terminal/table.js"
import type { Terminal } from "../terminal/terminal.js"

export const serve = command({
  summary: "run the service and the page, in one process on one file",
  description: [
    "The service orders and keeps messages that it cannot read. It ends with Ctrl-C or SIGTERM; requests that are under " +
      "way are answered before.",
    "It speaks HTTP. For other machines, put a proxy with TLS in front: browsers give a page its cryptography only over " +
      "HTTPS or on the machine itself.",
  ],
  options: {
    port: withDefault(DEFAULT_PORT, { placeholder: "PORT", help: "where to listen; 0: any that is free", read: port }),
    host: withDefault(DEFAULT_HOST, {
      placeholder: "HOST",
      help: "the address to listen at",
      read: nonEmpty("a host"),
    }),
    data: dataOption,
  },
  async run({ port, host, data }, { terminal }) {
    // Who wrote when and how much is in the file: nobody else on this machine is to read it.
    process.umask(0o077)
    const file = serviceFile(openDataFolder(data))
    const page = builtPage()
    await using service = await start({ file, host, port, page, onError: faultLog(terminal) })
    await announce(service, { terminal, file, host, hasPage: page !== undefined })
    const signal = await interruption()
    terminal.tell(`${signal}: answering what is under way, then closing`)
    return exitCodes.done
  },
})

async function start(options: ServiceOptions): Promise<RunningService> {
  const { host, port, file } = options
  try {
    return await startService(options)
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    const reason = explain(error).reason
    if (name === "StoreUnavailable") throw new Failure(`${file}: ${reason}`, { cause: error })
    if (code === "EADDRINUSE") {
      throw new Failure(`port ${port} of ${host} is in use; give another with --port, or --port 0 for any`, {
        cause: error,
      })
    }
    if (getSystemErrorMessage(error as Error) === undefined) throw error
    throw new Failure(`cannot listen at ${host} port ${port}: ${reason}`, { cause: error })
  }
}

interface Announcement {
  readonly terminal: Terminal
  readonly file: string
  readonly host: string
  readonly hasPage: boolean
}

async function announce({ url }: RunningService, { terminal, file, host, hasPage }: Announcement): Promise<void> {
  const { style } = terminal
  const isLocal = ["localhost", "127.0.0.1", "::1"].includes(host)
  const rows = [
    ["  page", hasPage ? "at this address, in a browser" : "not built: npm run build"],
    ["  services", "/delivery and /auth, over HTTP and WebSocket"],
    ["  file", file],
    ["  terminal", `conclave chat --as NAME --server ${url.origin}`],
  ]
  await terminal.write(
    [`Conclave is at ${style.bold(style.cyan(url.href))}`, ...align(rows), style.dim("  Ctrl-C ends it."), ""].join(
      "\n",
    ),
  )
  if (!isLocal) {
    terminal.tell(
      `${terminal.errorStyle.yellow("note:")} other machines can reach this address, over HTTP without TLS; messages ` +
        "stay encrypted, but names, sizes and times are in the clear, and browsers refuse cryptography to the page",
    )
  }
}

/** Tells of each fault once in ten seconds: a full disk meets every request. */
function faultLog(terminal: Terminal): (error: unknown) => void {
  const last = new Map<string, number>()
  return (error) => {
    const { reason } = explain(error)
    const now = performance.now()
    if (now - (last.get(reason) ?? Number.NEGATIVE_INFINITY) < 10_000) return
    if (last.size > 100) last.clear()
    last.set(reason, now)
    terminal.tell(`${new Date().toISOString()} ${reason}`)
    if (terminal.environment.CONCLAVE_DEBUG && error instanceof Error) terminal.tell(error.stack ?? "")
  }
}

/** A second signal, for those who cannot wait, has its usual effect. */
function interruption(): Promise<string> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve)
    process.once("SIGTERM", resolve)
  })
}
