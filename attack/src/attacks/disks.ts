import { spawnSync } from "node:child_process"
import { mkdirSync, statfsSync, writeFileSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { createServer } from "node:net"
import { join } from "node:path"
import { openClient } from "@conclave/client/node"
import { decode, encode } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { Offer, SealedServer } from "@conclave/fast-open"
import { type Attack, outcome } from "../attack.js"
import { askDelivery, noAccess, provedBy } from "../contract.js"
import { creator } from "../floods.js"
import { asking } from "../http.js"
import { pause, within } from "../timing.js"

const fullDisk: Attack = {
  id: "L2",
  title: "a full disk keeps the service from starting, even to read",
  who: "accident",
  async run(world) {
    const folder = join(world.folder, "small-disk")
    mkdirSync(folder)
    // A disk of its own, which a system without that right does not give.
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "none", folder], { encoding: "utf8" })
    if (mounted.status !== 0) throw new Error(`Error: a small disk needs the right to mount: ${mounted.stderr.trim()}`)
    try {
      const file = join(folder, "service.db")
      const first = await world.serve({ file })
      const author = await creator(asking(first.url))
      const groupId = author.group!.id
      const body = author.group!.encrypt(new Uint8Array(1_000))
      await author.append({ groupId, kind: "application", epoch: 0n, body })
      await first.stop()
      fill(folder)
      const free = statfsSync(folder).bavail
      const second = await world.serve({ file }).catch((error: Error) => error)
      if (second instanceof Error) {
        const why = second.message.split("\n").find((line) => /^\w*(Error|Unavailable)\b/.test(line.trim()))
        return outcome(true, `${free} blocks free, and the service does not start: ${why ?? "it does not say why"}`)
      }
      const request = { type: "read", groupId, afterSeq: 0n, limit: 10, access: noAccess } as const
      const read = await askDelivery(asking(second.url), provedBy(author.keys!, request))
      await second.stop()
      const isRead = read.type === "entries" && read.entries.length === 1
      return outcome(!isRead, `${free} blocks free: it starts and answers ${read.type}`)
    } finally {
      spawnSync("umount", ["-l", folder])
    }
  },
}

function fill(folder: string): void {
  for (const size of [1_000_000, 100_000, 4_096]) {
    try {
      for (let n = 0; n < 1_000; n++) writeFileSync(join(folder, `fill-${size}-${n}`), new Uint8Array(size))
    } catch {
      // It is full, or nearly.
    }
  }
}

const sendsElsewhere: Attack = {
  id: "L8",
  title: "has clients connect to an address of his choice by answering for the service over http",
  who: "operator",
  quick: true,
  async run(world) {
    let connections = 0
    const trap = createServer((socket) => {
      connections++
      socket.destroy()
    })
    const ELSEWHERE = "127.0.3.3"
    await new Promise<void>((resolve) => trap.listen(0, ELSEWHERE, resolve))
    const { port } = trap.address() as { port: number }
    const provider = nodeProvider()
    const sealed = new SealedServer({ provider, async *handler() {} })
    await sealed.listen({ port: 0, host: "127.0.0.1", policy: "off" })
    // An offer of the real kind, but for where it leads.
    const real = decode(Offer, sealed.offer({ host: "" }))
    const offer = encode(Offer, { ...real, host: ELSEWHERE, port })
    const between = createHttpServer((_, response) => response.end(offer))
    await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve))
    const opening = openClient({
      service: `http://127.0.0.1:${(between.address() as { port: number }).port}/`,
      profile: join(world.folder, "alice.db"),
      name: "alice",
      live: false,
      serverKey: new Uint8Array(32).fill(9),
    })
    await within(2_000, opening)
    await pause(100)
    trap.close()
    between.close()
    await sealed.close()
    return outcome(connections > 0, `${connections} connections to ${ELSEWHERE}, which nobody named but he`)
  },
}

export const disks: readonly Attack[] = [fullDisk, sendsElsewhere]
