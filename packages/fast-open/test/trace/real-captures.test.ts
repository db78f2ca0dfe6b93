import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"
import { findRepeats, formatTrace, type Link, type TraceReport, trace } from "@conclave/trace"
import type { LaboratoryPolicy } from "../../lab/cookies.js"
import { type Laboratory, SERVER_ADDRESS } from "../../lab/laboratory.js"
import { laboratoryTest } from "../../lab/test-support.js"

const sockets = new URL("../sockets/roles.js", import.meta.url)
const roles = new URL("./roles.js", import.meta.url)
const quick = { roundTripMilliseconds: 2 }

/** Runs `experiment` under the eyes of an observer, and returns the capture's path. */
async function observe(laboratory: Laboratory, context: TestContext, experiment: () => Promise<void>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "trace-"))
  context.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, "observed.pcap")
  await laboratory.startCapture(file)
  await experiment()
  await laboratory.endCapture()
  return file
}

const ofKind = ({ links }: TraceReport, kind: Link["kind"]) => links.filter((link) => link.kind === kind)

async function talk(laboratory: Laboratory, policy: LaboratoryPolicy): Promise<void> {
  await laboratory.client.call(sockets, "talk", "net", { host: SERVER_ADDRESS, port: 7000, policy })
}

laboratoryTest(
  "a client with a cookie is followed through changes of address and of the server's key",
  quick,
  async (laboratory, context) => {
    const key = (octet: number) => new Uint8Array(16).fill(octet)
    const serving = { port: 7000, policy: "cookie", cookieKeys: { primary: key(1) } }
    await laboratory.server.call(sockets, "serve", "net", serving)

    const file = await observe(laboratory, context, async () => {
      for (const [n, translatedAddress] of ["203.0.113.5", "203.0.113.99", "198.51.100.7"].entries()) {
        await laboratory.change({ translatedAddress })
        for (let turn = 0; turn < 3; turn++) await talk(laboratory, "cookie")
        await laboratory.server.call(sockets, "rotate", 7000, { primary: key(n + 2), backup: key(n + 1) })
      }
    })

    const report = await trace(file)
    const [chain, ...others] = ofKind(report, "cookie")
    assert.equal(others.length, 0)
    assert.equal(chain?.connections.length, 9)
    assert.deepEqual(chain.addresses, ["203.0.113.5", "203.0.113.99", "198.51.100.7"])
    assert.ok(chain.values.length >= 3, `a chain of ${chain.values.length}`)
    const text = formatTrace(report).replaceAll("\n", " ")
    assert.match(text, /one client over 9 of 9 connections, through changes of address/)
    assert.ok((await findRepeats(file)).length > 0, "the same cookie occurs in two connections")
  },
)

laboratoryTest(
  "without a cookie nothing but the address is left, and ports do not count",
  quick,
  async (laboratory, context) => {
    await laboratory.server.call(sockets, "serve", "net", { port: 7000 })

    const file = await observe(laboratory, context, async () => {
      for (let turn = 0; turn < 12; turn++) await talk(laboratory, "private")
    })

    const report = await trace(file)
    assert.equal(report.connections.length, 12)
    assert.ok(report.connections.every(({ synDataBytes }) => synDataBytes > 0))
    assert.equal(report.carriers.cookies, 0)
    assert.deepEqual(ofKind(report, "ports"), [])
    assert.deepEqual(ofKind(report, "cookie"), [])
    assert.match(formatTrace(report), /address/i)
  },
)

laboratoryTest("an ordinary client's ports count upwards", quick, async (laboratory, context) => {
  await laboratory.server.call(sockets, "serve", "net", { port: 7000 })

  const file = await observe(laboratory, context, async () => {
    for (let turn = 0; turn < 12; turn++) await talk(laboratory, "off")
  })

  const [run] = ofKind(await trace(file), "ports")
  assert.ok(run && run.connections.length >= 6, JSON.stringify(run))
})

for (const [version, kind] of [
  ["TLSv1.3", "psk"],
  ["TLSv1.2", "ticket"],
] as const) {
  laboratoryTest(
    `a ticket of ${version} that is offered again links connections across addresses`,
    quick,
    async (laboratory, context) => {
      await laboratory.server.call(roles, "serveTls", 7000)
      const resume = (times: number) =>
        laboratory.client.call<number>(roles, "resume", { host: SERVER_ADDRESS, port: 7000, version, times })

      const file = await observe(laboratory, context, async () => {
        assert.equal(await resume(4), 3)
        await resume(1)
      })

      const [link, ...others] = ofKind(await trace(file), kind)
      assert.equal(others.length, 0)
      // TLS 1.3 hands its tickets out under encryption: only their use shows.
      assert.equal(link?.connections.length, kind === "psk" ? 3 : 4)
    },
  )
}
