import assert from "node:assert/strict"
import type { LaboratoryConnectOptions } from "../../lab/cookies.js"
import { type Laboratory, SERVER_ADDRESS, SERVER_ADDRESS_6 } from "../../lab/laboratory.js"
import { laboratoryTest } from "../../lab/test-support.js"
import type { FastOpenSupport, TcpInfo } from "../../src/sockets/index.js"
import type { Exchange, Protocol } from "./roles.js"

const roles = new URL("./roles.js", import.meta.url)

async function exchange(
  laboratory: Laboratory,
  protocol: Protocol,
  options: LaboratoryConnectOptions,
): Promise<Exchange> {
  const spoken = await laboratory.client.call<Exchange>(roles, "talk", protocol, options)
  const [server] = await laboratory.server.call<TcpInfo[]>(roles, "takeAccepted")
  return { ...spoken, server }
}

laboratoryTest(
  "the first write of each protocol is in the server's hands before the handshake ends",
  { roundTripMilliseconds: 20 },
  async (laboratory, context) => {
    for (const [n, protocol] of (["net", "tls", "http", "http2"] as const).entries()) {
      const port = 7000 + n
      await laboratory.server.call(roles, "serve", protocol, { port })
      for (const host of [SERVER_ADDRESS, SERVER_ADDRESS_6]) {
        await context.test(`${protocol} to ${host}`, async () => {
          const { reply, client, server } = await exchange(laboratory, protocol, { host, port })

          assert.equal(reply, `over ${protocol}`)
          assert.equal(server?.state, "syn-received")
          assert.equal(server?.synDataAccepted, true)
          assert.equal(client?.synDataAccepted, true)
          assert.ok(client.roundTripMilliseconds > 19, `${client.roundTripMilliseconds} ms`)
        })
      }
    }
  },
)

laboratoryTest("the policy off sends an ordinary SYN", { roundTripMilliseconds: 10 }, async (laboratory) => {
  await laboratory.server.call(roles, "serve", "net", { port: 7000 })

  const { reply, client, server } = await exchange(laboratory, "net", {
    host: SERVER_ADDRESS,
    port: 7000,
    policy: "off",
  })

  assert.equal(reply, "over net")
  assert.equal(server?.state, "established")
  assert.equal(client?.synDataAccepted, false)
})

laboratoryTest(
  "a server that speaks first is heard although nothing was written",
  { roundTripMilliseconds: 10 },
  async (laboratory) => {
    await laboratory.server.call(roles, "serve", "greeting", { port: 7000 })

    const { reply } = await exchange(laboratory, "greeting", { host: SERVER_ADDRESS, port: 7000 })

    assert.equal(reply, "the server speaks first")
  },
)

laboratoryTest("a name is resolved before the SYN leaves", { roundTripMilliseconds: 0 }, async (laboratory) => {
  await laboratory.server.call(roles, "serve", "net", { port: 7000, host: "127.0.0.1" })

  const spoken = await laboratory.server.call<Exchange>(roles, "talk", "net", {
    host: "localhost",
    family: 4,
    port: 7000,
  })

  assert.equal(spoken.reply, "over net")
  assert.equal(spoken.client?.synDataAccepted, true)
})

laboratoryTest(
  "a refused connection is an error, as it is without fast open",
  { roundTripMilliseconds: 10 },
  async (laboratory) => {
    assert.equal(await laboratory.client.call(roles, "failure", { host: SERVER_ADDRESS, port: 7999 }), "ECONNREFUSED")
  },
)

laboratoryTest(
  "a machine with the sysctl off says once what would enable it, and connects as usual",
  { roundTripMilliseconds: 10 },
  async (laboratory) => {
    laboratory.setSysctl("server", "net.ipv4.tcp_fastopen", "1")
    laboratory.setSysctl("client", "net.ipv4.tcp_fastopen", "0")
    await laboratory.server.call(roles, "serve", "net", { port: 7000 })

    for (let n = 0; n < 2; n++) {
      const { reply, server } = await exchange(laboratory, "net", { host: SERVER_ADDRESS, port: 7000 })
      assert.equal(reply, "over net")
      assert.equal(server?.state, "established")
    }

    for (const [host, command] of [
      [laboratory.client, "sysctl -w net.ipv4.tcp_fastopen=3"],
      [laboratory.server, "sysctl -w net.ipv4.tcp_fastopen=3"],
    ] as const) {
      const warnings = await host.call<string[]>(roles, "takeWarnings")
      assert.equal(warnings.length, 1)
      assert.ok(warnings[0]!.includes(command), warnings[0])
    }
    const support = await laboratory.server.call<FastOpenSupport>(roles, "support")
    assert.deepEqual([support.client, support.server], [true, false])
  },
)

laboratoryTest(
  "data in the SYN arrives once, whatever a middlebox does to it",
  { roundTripMilliseconds: 10 },
  async (laboratory, context) => {
    await laboratory.server.call(roles, "serve", "net", { port: 7000 })
    for (const middlebox of ["drop", "strip", "duplicate", "delay"] as const) {
      await context.test(middlebox, async () => {
        await laboratory.change({ middlebox })
        const { reply } = await exchange(laboratory, "net", { host: SERVER_ADDRESS, port: 7000 })
        assert.equal(reply, "over net")
      })
    }
  },
)

laboratoryTest(
  "cookies of the former key live on for one rotation, and can be flushed",
  { roundTripMilliseconds: 10 },
  async (laboratory) => {
    const key = (octet: number) => new Uint8Array(16).fill(octet)
    const target = { host: SERVER_ADDRESS, port: 7000, policy: "cookie" as const }
    await laboratory.server.call(roles, "serve", "net", {
      port: 7000,
      policy: "cookie",
      cookieKeys: { primary: key(1) },
    })
    const early = async () => (await exchange(laboratory, "net", target)).server?.state === "syn-received"

    assert.equal(await early(), false, "the first connection fetches the cookie")
    assert.equal(await early(), true)
    await laboratory.server.call(roles, "rotate", 7000, { primary: key(2), backup: key(1) })
    assert.equal(await early(), true, "the backup key takes it, and a new cookie comes back")
    await laboratory.server.call(roles, "rotate", 7000, { primary: key(3), backup: key(2) })
    assert.equal(await early(), true)
    await laboratory.server.call(roles, "rotate", 7000, { primary: key(5), backup: key(4) })
    assert.equal(await early(), false, "neither key knows it")
    assert.equal(await early(), true)
    assert.equal(await laboratory.client.call(roles, "flush"), true)
    assert.equal(await early(), false, "nothing is left to send")
  },
)

laboratoryTest(
  "a cookie older than its lifetime is flushed and not used",
  { roundTripMilliseconds: 10 },
  async (laboratory) => {
    const target = { host: SERVER_ADDRESS, port: 7000, policy: "cookie" as const, cookieLifetimeSeconds: 0.3 }
    await laboratory.server.call(roles, "serve", "net", { port: 7000, policy: "cookie" })
    const early = async () => (await exchange(laboratory, "net", target)).server?.state === "syn-received"

    assert.equal(await early(), false)
    assert.equal(await early(), true)
    await new Promise((resolve) => setTimeout(resolve, 400))
    assert.equal(await early(), false, "too old")
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(await early(), false, "flushed: a new one is fetched")
    assert.equal(await early(), true)
  },
)
