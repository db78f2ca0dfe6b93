import { createServer } from "node:net"
import { nodeProvider } from "@conclave/crypto/node"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import { explain } from "../failure.js"
import { builtPage } from "../service.js"
import type { Finding } from "./finding.js"

export function checkRuntime(): Finding[] {
  // An older one does not come so far: bin/conclave.js.
  return [
    { verdict: "good", text: `Node ${process.versions.node} on ${process.platform} ${process.arch}; 20.19 is needed.` },
  ]
}

export function checkCryptography(): Finding[] {
  const provider = nodeProvider()
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
  if (provider.name === "node+native") return [{ verdict: "good", text: `${text}, accelerated by aws-lc.` }]
  const why = provider.fallback === undefined ? "" : ` ${provider.fallback}.`
  return provider.name === "node+sodium-native"
    ? [{ verdict: "good", text: `${text}, accelerated by libsodium.${why}` }]
    : [
        {
          verdict: "note",
          text: `${text}.${why} With sodium-native, signatures and key exchange would be twice as fast or more.`,
          remedy: "npm install sodium-native",
        },
      ]
}

export function checkPage(): Finding[] {
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

export function checkFastOpen(): Finding[] {
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

const loopback = ["127.0.0.1", "localhost", "[::1]"]

/** Whether a service answers, and where none does on this machine, whether its port is free for one. */
export async function checkService(server: URL): Promise<Finding[]> {
  if (await isHealthy(server)) return [{ verdict: "good", text: `A service answers at ${server.origin}.` }]
  if (!loopback.includes(server.hostname)) {
    return [
      {
        verdict: "note",
        text: `No service answers at ${server.origin}.`,
        remedy: `conclave chat --as NAME --server ${server.origin}`,
      },
    ]
  }
  const fault = await listeningFault(server)
  if (fault === undefined) {
    return [
      {
        verdict: "good",
        text: `No service runs at ${server.origin}; the port is free for one.`,
        remedy: server.port === DEFAULT_PORT ? "conclave serve" : `conclave serve --port ${server.port || "80"}`,
      },
    ]
  }
  const text = `No service answers at ${server.origin}, and the port is not free for one (${fault}).`
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

function listeningFault({ hostname, port }: URL): Promise<string | undefined> {
  return new Promise((resolve) => {
    const listener = createServer()
    listener.once("error", (error) => resolve(explain(error).reason))
    const at = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) }
    listener.listen(at, () => listener.close(() => resolve(undefined)))
  })
}
