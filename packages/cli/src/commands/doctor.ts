import { accessSync, constants, existsSync, mkdtempSync, rmSync, statfsSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { nodeProvider } from "@conclave/crypto/node"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import { openDatabase } from "@conclave/sqlite"
import { command, optional } from "../arguments.js"
import { defaultDataFolder, profilePlace } from "../data-folder.js"
import { exitCodes, explain, Failure } from "../failure.js"
import { asOption, dataOption, serverOption } from "../options.js"
import { openProfile, synchronise } from "../profile.js"
import { builtPage } from "../service.js"
import type { Terminal } from "../terminal/terminal.js"

/** `note`: it works without. */
interface Finding {
  readonly verdict: "good" | "note" | "bad"
  readonly text: string
  /** A command that would change it. */
  readonly remedy?: string | undefined
}

export const doctor = command({
  summary: "tell what this machine has and what it lacks",
  description: [
    "It changes nothing. A cross marks what Conclave cannot do without, and makes the exit code 1; a dash marks what it " +
      "works without.",
    "With --as, it prints a report on that profile instead, to send with a report of a fault: versions, states and what " +
      "the client did last, and nothing that identifies people. For that, it asks the service once for what has arrived, " +
      "and sends what waits, as receive and send do.",
  ],
  options: {
    as: optional({ ...asOption, placeholder: "NAME", help: "print a report on the profile of this name" }),
    server: serverOption,
    data: dataOption,
  },
  async run({ as, server, data }, { terminal }) {
    const folder = data === undefined ? defaultDataFolder() : resolve(data)
    if (as !== undefined) return report({ as, server, data }, folder, terminal)
    const checks: Readonly<Record<string, Check>> = {
      Node: runtime,
      cryptography,
      SQLite: database,
      "the disk": () => disk(folder),
      "the page": page,
      "fast open": fastOpen,
    }
    const findings: Finding[] = []
    for (const [subject, check] of Object.entries(checks)) {
      const found = await attempt(subject, check)
      findings.push(...found)
      await terminal.write(found.map((finding) => `${drawn(finding, terminal)}\n`).join(""))
    }
    return findings.some(({ verdict }) => verdict === "bad") ? exitCodes.failed : exitCodes.done
  },
})

type Subject = { readonly as: string; readonly server: URL; readonly data: string | undefined }

/** What comes out is also a report where the service does not answer. */
async function report(subject: Subject, folder: string, terminal: Terminal): Promise<number> {
  const { as, server } = subject
  if (!existsSync(profilePlace(folder, { name: as, server }))) {
    throw new Failure(`there is no profile of ${as} for ${server.origin} in ${folder}`)
  }
  const choice = { ...subject, "fast-open": false, "server-key": undefined }
  const options = { terminal, live: false }
  const { client } = await openProfile(choice, options)
  try {
    await synchronise(client, choice, options)
  } catch (error) {
    terminal.tell(`${terminal.errorStyle.yellow("note:")} ${explain(error).reason}`)
  }
  try {
    await terminal.write(await client.debugReport())
  } finally {
    await client.close()
  }
  return exitCodes.done
}

type Check = () => readonly Finding[] | Promise<readonly Finding[]>

async function attempt(subject: string, check: Check): Promise<readonly Finding[]> {
  try {
    return await check()
  } catch (error) {
    return [{ verdict: "bad", text: `The check of ${subject} failed: ${explain(error).reason}.` }]
  }
}

function drawn({ verdict, text, remedy }: Finding, { style, glyphs }: Terminal): string {
  const mark = { good: style.green(glyphs.good), note: style.yellow(glyphs.note), bad: style.red(glyphs.bad) }[verdict]
  return `${mark} ${text}${remedy === undefined ? "" : `\n    ${style.cyan(remedy)}`}`
}

function runtime(): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  const isEnough = major > 20 || (major === 20 && minor >= 19)
  const what = `Node ${process.versions.node} on ${process.platform} ${process.arch}`
  return isEnough
    ? [{ verdict: "good", text: `${what}; 20.19 is needed.` }]
    : [{ verdict: "bad", text: `${what} is too old: 20.19 is needed.` }]
}

function cryptography(): Finding[] {
  const provider = nodeProvider()
  const isAccelerated = provider.name !== "node"
  const ed25519 = provider.signatures.Ed25519
  if (ed25519 === undefined) return [{ verdict: "bad", text: `The crypto provider ${provider.name} lacks Ed25519.` }]
  using key = ed25519.generate(provider.random)
  const message = provider.random(1024)
  const signature = key.sign(message)
  const rounds = 200
  const begin = performance.now()
  for (let i = 0; i < rounds; i++) {
    if (!ed25519.verify(key.publicKey, message, signature)) {
      return [{ verdict: "bad", text: `The crypto provider ${provider.name} does not verify its own signature.` }]
    }
  }
  const microseconds = Math.round(((performance.now() - begin) / rounds) * 1000)
  const text = `Cryptography comes from ${provider.name}; it verifies a signature in ${microseconds} µs`
  return isAccelerated
    ? [{ verdict: "good", text: `${text}, accelerated by libsodium.` }]
    : [
        {
          verdict: "note",
          text: `${text}. With sodium-native, signatures and key exchange would be twice as fast or more.`,
          remedy: "npm install sodium-native",
        },
      ]
}

async function database(): Promise<Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), "conclave-doctor-"))
  try {
    await using file = openDatabase({ file: join(folder, "test.db") })
    file.migrate("doctor", ["CREATE TABLE sample (value INTEGER) STRICT"])
    const sqlite = String(file.read((connection) => connection.get("SELECT sqlite_version() AS version"))?.version)
    const rounds = 20
    const begin = performance.now()
    for (let i = 0; i < rounds; i++) {
      await file.write((connection) => connection.run("INSERT INTO sample VALUES (?)", [i]))
    }
    const milliseconds = ((performance.now() - begin) / rounds).toFixed(1)
    const text = `SQLite ${sqlite} comes with libsql; a durable write takes ${milliseconds} ms in ${tmpdir()}.`
    return [{ verdict: "good", text }]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const GIB = 1024 ** 3

function disk(folder: string): Finding[] {
  const place = nearestExisting(folder)
  try {
    accessSync(place, constants.W_OK)
  } catch {
    return [{ verdict: "bad", text: `${place}, where data is kept, cannot be written to.` }]
  }
  const { bavail, bsize } = statfsSync(place)
  const free = bavail * bsize
  const text = `Data is kept in ${folder}; ${(free / GIB).toFixed(1)} GiB are free there.`
  return [{ verdict: free < GIB / 10 ? "note" : "good", text }]
}

function nearestExisting(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestExisting(dirname(folder))
}

function page(): Finding[] {
  return builtPage() === undefined
    ? [
        {
          verdict: "note",
          text: "The browser page has not been built; the service runs without it.",
          remedy: "npm run build",
        },
      ]
    : [{ verdict: "good", text: "The browser page has been built; the service hands it out." }]
}

function fastOpen(): Finding[] {
  const { client, server, obstacles } = fastOpenSupport()
  const summary = (side: string, works: boolean): Finding => ({
    verdict: works ? "good" : "note",
    text: works
      ? `TCP Fast Open works here for a ${side}, without a cookie that could be tracked.`
      : `TCP Fast Open is not available for a ${side}; connections take one round trip more.`,
  })
  return [
    summary("client", client),
    summary("server", server),
    ...obstacles.map(({ reason, command: remedy }) => ({ verdict: "note" as const, text: `${reason}.`, remedy })),
  ]
}
