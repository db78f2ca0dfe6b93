import { connect } from "node:net"
import { decode, encode } from "@conclave/codec"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { nodeProvider } from "@conclave/crypto/node"
import { Offer, SealedTransport, shareTransport } from "@conclave/fast-open"
import { type Attack, outcome } from "../attack.js"
import { cursorOf, payloadOf } from "../contract.js"
import { creator } from "../floods.js"
import { importPatched } from "../hostile.js"
import { Relay } from "../relay.js"
import { pause, until, within } from "../timing.js"
import { addresses, type World } from "../world.js"

async function serveSealed(world: World) {
  const service = await world.serve({ fastOpen: { port: 0, policy: "off" } })
  const fetchOffer = async () => {
    const answer = await fetch(new URL("fast-open", service.url))
    return decode(Offer, new Uint8Array(await answer.arrayBuffer()))
  }
  return { service, fetchOffer, port: service.sealedPort! }
}

const hearsAlong: Attack = {
  id: "M11",
  title: "records a sealed subscription on the way, and hears along by sending it again",
  who: "thief",
  async run(world) {
    const { fetchOffer, port } = await serveSealed(world)
    await using relay = await Relay.start({ to: { host: "127.0.0.1", port } })
    const author = await creator(await world.ask(addresses.elsewhere))
    const groupId = author.group!.id
    const transport = new SealedTransport({
      provider: nodeProvider(),
      policy: "off",
      service: async () => encode(Offer, { ...(await fetchOffer()), host: "127.0.0.1", port: relay.port }),
    })
    const { delivery: subscriber } = shareTransport(transport, ["delivery"])
    const request = deliveryRequests.encode({
      type: "subscribe",
      cursors: [cursorOf(author.keys!, groupId)],
      inboxAfter: 0n,
      proof: undefined,
    })
    const leaves = new AbortController()
    let heard = 0
    void (async () => {
      for await (const _ of subscriber.subscribe(request, { signal: leaves.signal, replaySafe: true })) heard++
    })().catch(() => {})
    if (!(await until(() => heard > 0, 5_000))) throw new Error("the subscriber hears nothing")

    const thief = connect({ host: "127.0.0.1", port, localAddress: addresses.attacker })
    thief.on("error", () => {})
    const sizes: number[] = []
    let received = 0
    thief.on("data", (bytes) => {
      received += bytes.length
    })
    thief.write(Buffer.concat(relay.recorded.at(-1)!))
    await pause(300)
    const speak = async (words: string) => {
      const before = received
      const body = author.group!.encrypt(payloadOf({ text: words }))
      await author.append({ groupId, kind: "application", epoch: 0n, body })
      await pause(200)
      sizes.push(received - before)
    }
    for (let n = 0; n < 3; n++) await speak("a message whose time is nobody's business")
    leaves.abort()
    await within(500, transport[Symbol.asyncDispose]())
    await pause(2_500)
    await speak("the subscriber has gone")
    thief.destroy()
    const overheard = sizes.filter((size) => size > 0).length
    return outcome(overheard > 0, `the subscriber heard ${heard}; bytes to the thief: ${sizes.join(" ")}`)
  },
}

/** A 32nd of what all together can spend in an hour. */
const TOKENS_MAX = 2 ** 20 / 32
const SECONDS = 45

const hoardsTokens: Attack = {
  id: "M12",
  title: "gets address tokens without limit, and so spends those of all",
  who: "flood",
  async run(world) {
    const { fetchOffer } = await serveSealed(world)
    const started = performance.now()
    let tokens = 0
    const loop = async () => {
      while (tokens <= TOKENS_MAX && performance.now() - started < SECONDS * 1000) {
        try {
          const { length } = (await fetchOffer()).supply.tokens
          if (length === 0) return
          tokens += length
        } catch {
          await pause(20)
        }
      }
    }
    await Promise.all(Array.from({ length: 8 }, loop))
    return outcome(
      tokens > TOKENS_MAX,
      `${tokens} tokens for one address in ${((performance.now() - started) / 1000).toFixed(1)} s`,
    )
  },
}

const marksFrames: Attack = {
  id: "L7",
  title: "sends sealed frames whose padding is not zero, and the client takes them",
  who: "operator",
  quick: true,
  async run() {
    const hostile: typeof import("@conclave/fast-open") = await importPatched("fast-open", "sealed/index.js", [
      {
        file: "sealed/wire.js",
        find: "const padded = new Uint8Array(length);",
        replace: "const padded = new Uint8Array(length).fill(0xff);",
      },
    ])
    const provider = nodeProvider()
    const server = new hostile.SealedServer({
      provider,
      async *handler() {
        yield Uint8Array.of(42)
      },
    })
    await server.listen({ port: 0, host: "127.0.0.1", policy: "off" })
    const service = async () => server.offer({ host: "127.0.0.1" })
    const transport = new SealedTransport({ provider, policy: "off", service, timeoutMilliseconds: 2_000 })
    const answer = await within(3_000, transport.request(Uint8Array.of(1)))
    await transport[Symbol.asyncDispose]()
    await server.close({ timeoutMilliseconds: 100 })
    const words = answer.state === "failed" ? `failed: ${answer.error.message}` : answer.state
    return outcome(answer.state === "done", `a request whose answer is padded with 0xff: ${words}`)
  },
}

export const sealed: readonly Attack[] = [hearsAlong, hoardsTokens, marksFrames]
