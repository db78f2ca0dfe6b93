import { createServer } from "node:net"
import { nodeProvider } from "@conclave/crypto/node"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import { explain } from "../failure.js"
import { builtPage } from "../service.js"
import type { Words } from "../words/form.js"
import type { Finding } from "./finding.js"

export function checkRuntime({ machine }: Words): Finding[] {
  // An older one does not come so far: bin/conclave.js.
  const system = `${process.platform} ${process.arch}`
  return [{ verdict: "good", text: machine.runtime(process.versions.node, system) }]
}

export function checkCryptography({ machine }: Words): Finding[] {
  const provider = nodeProvider()
  const ed25519 = provider.signatures.Ed25519
  if (ed25519 === undefined) return [{ verdict: "bad", text: machine.noEd25519(provider.name) }]
  using key = ed25519.generate(provider.random)
  const message = provider.random(1024)
  const signature = key.sign(message)
  const rounds = 200
  const begin = performance.now()
  for (let i = 0; i < rounds; i++) {
    if (!ed25519.verify(key.publicKey, message, signature)) {
      return [{ verdict: "bad", text: machine.wrongEd25519(provider.name) }]
    }
  }
  const microseconds = Math.round(((performance.now() - begin) / rounds) * 1000)
  const text = machine.verifies(provider.name, microseconds)
  const { fallback } = provider
  if (provider.name === "node+native") return [{ verdict: "good", text: machine.byAwsLc(text) }]
  return provider.name === "node+sodium-native"
    ? [{ verdict: "good", text: machine.bySodium(text, fallback) }]
    : [
        {
          verdict: "note",
          text: machine.byNode(text, fallback),
          remedy: "npm install sodium-native",
        },
      ]
}

export function checkPage({ machine }: Words): Finding[] {
  return builtPage() === undefined
    ? [
        {
          verdict: "note",
          text: machine.noPage,
          remedy: "npm run build",
        },
      ]
    : [{ verdict: "good", text: machine.page }]
}

export function checkFastOpen({ machine }: Words): Finding[] {
  const { client, server, obstacles } = fastOpenSupport()
  const summary = (side: "client" | "server", works: boolean): Finding => ({
    verdict: works ? "good" : "note",
    text: machine.fastOpen(side, works),
  })
  return [
    summary("client", client),
    summary("server", server),
    ...obstacles.map(({ reason, command: remedy }) => ({
      verdict: "note" as const,
      text: machine.obstacle(reason),
      remedy,
    })),
  ]
}

const loopback = ["127.0.0.1", "localhost", "[::1]"]

/** Whether a service answers, and where none does on this machine, whether its port is free for one. */
export async function checkService(server: URL, said: Words): Promise<Finding[]> {
  const { machine } = said
  if (await isHealthy(server)) return [{ verdict: "good", text: machine.answers(server.origin) }]
  if (!loopback.includes(server.hostname)) {
    return [
      {
        verdict: "note",
        text: machine.noAnswer(server.origin),
        remedy: `conclave chat --as NAME --server ${server.origin}`,
      },
    ]
  }
  const fault = await listeningFault(server, said)
  if (fault === undefined) {
    return [
      {
        verdict: "good",
        text: machine.portFree(server.origin),
        remedy: server.port === DEFAULT_PORT ? "conclave serve" : `conclave serve --port ${server.port || "80"}`,
      },
    ]
  }
  const text = machine.portTaken(server.origin, fault)
  return [{ verdict: "note", text, remedy: "conclave serve --port 0" }]
}

/** Of `conclave serve`. */
const DEFAULT_PORT = "7080"
const HEALTH_MILLISECONDS = 3_000

async function isHealthy(server: URL): Promise<boolean> {
  const patience = new AbortController()
  // It holds the process, which AbortSignal.timeout does not: fetch may wait for a connection that is gone already.
  const timer = setTimeout(() => patience.abort(), HEALTH_MILLISECONDS)
  try {
    const response = await fetch(new URL("healthz", server), { signal: patience.signal, redirect: "error" })
    return response.status === 200 && (await response.text()).trim() === "ok"
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}

function listeningFault({ hostname, port }: URL, said: Words): Promise<string | undefined> {
  return new Promise((resolve) => {
    const listener = createServer()
    listener.once("error", (error) => resolve(explain(error, said).reason))
    const at = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) }
    listener.listen(at, () => listener.close(() => resolve(undefined)))
  })
}
