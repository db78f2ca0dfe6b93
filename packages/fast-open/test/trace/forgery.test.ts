import assert from "node:assert/strict"
import { measureForgery } from "../../lab/forgery.js"
import { type Laboratory, SERVER_ADDRESS } from "../../lab/laboratory.js"
import { record } from "../../lab/recorded.js"
import { laboratoryTest } from "../../lab/test-support.js"

const tracked = new URL("../../lab/roles/tracked.js", import.meta.url)
const REPLY_BYTES = 5000
const quick = { roundTripMilliseconds: 2 }

async function forgeryAgainst(laboratory: Laboratory, policy: "private" | "cookie") {
  const target = { host: SERVER_ADDRESS, port: 7000, policy }
  await laboratory.server.call(tracked, "serve", { port: 7000, policy }, { replyBytes: REPLY_BYTES })
  const ask = () => laboratory.client.call(tracked, "request", target)
  // With a cookie, the first request fetches it and carries no data in its SYN.
  await ask()
  const [flight] = await record(laboratory, async () => void (await ask()))
  assert.ok(flight)
  return measureForgery(laboratory, flight)
}

laboratoryTest("a server that asks for no cookie sends its answer to a forged address", quick, async (laboratory) => {
  const { returnedDataBytes } = await forgeryAgainst(laboratory, "private")
  assert.ok(returnedDataBytes >= REPLY_BYTES, `${returnedDataBytes}`)
})

laboratoryTest("a cookie does not serve another address", quick, async (laboratory) => {
  const { returnedBytes, returnedDataBytes } = await forgeryAgainst(laboratory, "cookie")
  assert.ok(returnedBytes > 0, "a SYN-ACK comes back")
  assert.equal(returnedDataBytes, 0)
})
