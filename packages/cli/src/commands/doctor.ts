import { accessSync, constants, existsSync, mkdtempSync, rmSync, statfsSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { nodeProvider } from "@conclave/crypto/node"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import { openDatabase } from "@conclave/sqlite"
import { command } from "../arguments.js"
import { defaultDataFolder } from "../data-folder.js"
import { exitCodes, explain } from "../failure.js"
import { dataOption } from "../options.js"
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
  ],
  options: { data: dataOption },
  async run({ data }, { terminal }) {
    const folder = data === undefined ? defaultDataFolder() : resolve(data)
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
      : `TCP Fast Open is not to be had for a ${side}; connections take one round trip more.`,
  })
  return [
    summary("client", client),
    summary("server", server),
    ...obstacles.map(({ reason, command: remedy }) => ({ verdict: "note" as const, text: `${reason}.`, remedy })),
  ]
}
