import { get } from "node:http"
import { type Attack, outcome } from "../attack.js"
import { askAuth } from "../contract.js"
import { create } from "../floods.js"
import { hostileMls } from "../hostile.js"
import { openSocket, socketUrl } from "../http.js"
import { describe, Mallory } from "../mallory.js"
import { Service } from "../service.js"
import { pause, until, within } from "../timing.js"
import { eventsOf, inWords, tries } from "../world.js"

const twoServices: Attack = {
  id: "M14",
  title: "two services run on one folder",
  who: "accident",
  quick: true,
  async run(world) {
    const { file } = await world.service()
    try {
      const second = await Service.start({ file, host: "127.0.0.1", port: 0 })
      await second.stop()
      return outcome(true, "the second one started")
    } catch (error) {
      return outcome(false, (error as Error).message.slice(0, 200))
    }
  },
}

const rebinding: Attack = {
  id: "L5",
  title: "a web page reaches the service on this machine under a name of its own",
  who: "web page",
  quick: true,
  async run(world) {
    const { url } = await world.service()
    const host = `rebound.example:${url.port}`
    const socket = openSocket(socketUrl(url), undefined, { host, origin: `http://${host}` })
    const opened = await new Promise<boolean>((resolve) => {
      socket.on("open", () => resolve(true))
      socket.on("error", () => resolve(false))
    })
    socket.terminate()
    const status = await new Promise<number>((resolve, reject) => {
      const sent = get(url, { headers: { host } }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      sent.on("error", reject)
    })
    return outcome(
      opened || (status !== 421 && status !== 403 && status !== 400),
      `WebSocket ${opened ? "opened" : "refused"}, GET / ${status}`,
    )
  },
}

const otherOrigin: Attack = {
  id: "D3",
  title: "a page of another origin opens a WebSocket to the service",
  who: "web page",
  async run(world) {
    const { url } = await world.service()
    const socket = openSocket(socketUrl(url), undefined, { origin: "https://elsewhere.example" })
    const opened = await new Promise<boolean>((resolve) => {
      socket.on("open", () => resolve(true))
      socket.on("error", () => resolve(false))
    })
    socket.terminate()
    return outcome(opened, `the WebSocket is ${opened ? "opened" : "refused"}`)
  },
}

const emptyCredentials: Attack = {
  id: "L6",
  title: "brings an x509 credential without certificates, or a group id of no bytes",
  who: "member",
  async run(world) {
    const mls = await hostileMls({ withoutRules: ["credential-chain", "group-id-length"] })
    const honest = await world.mallory("honest", { registered: false })
    const mallory = await Mallory.come("mallory", honest.ask, { registered: false, mls })
    const taken: string[] = []
    const credential = { type: "x509", certificates: [] } as const
    const withoutCertificates = { ...mallory.signer, credential }
    honest.found(crypto.getRandomValues(new Uint8Array(32)))
    const x509 = mallory.keyPackage({
      signer: withoutCertificates,
      capabilities: { credentials: [1, 2] },
    })
    if (takes(() => honest.group!.commit({ add: [x509.keyPackage] }))) taken.push("a credential without certificates")
    const invited = honest.keyPackage()
    const group = mallory.found(new Uint8Array())
    const { welcome } = group.commit({ add: [invited.keyPackage] })
    const join = () => honest.mls.Group.stageJoin({ ...honest.groupOptions, welcome: welcome!, keyPackages: [invited] })
    if (takes(join)) taken.push("a group without an id")
    return outcome(taken.length > 0, `mls takes: ${taken.join(", ") || "neither"}`)
  },
}

function takes(action: () => unknown): boolean {
  try {
    action()
    return true
  } catch {
    return false
  }
}

const LEAVES = 2 ** 20
/** A Welcome of 2 MB has to be decoded before it is refused; measured beside an honest one, as machines are more and less busy. */
const TIMES_MAX = 10

const blankTree: Attack = {
  id: "M8",
  title: "sends an unasked Welcome with a tree of a million blank leaves",
  who: "stranger",
  secondsMax: 200,
  async run(world) {
    // Her library puts the second member at the far end.
    const mls = await hostileMls({
      patches: [
        {
          file: "tree/ratchet-tree.js",
          find: "let index = this.#firstBlankFrom;",
          replace: `if (this.#nodes.has(0)) return leafIndex(${LEAVES - 1});\n        let index = this.#firstBlankFrom;`,
        },
      ],
    })
    const bob = await world.open("bob")
    // What the first invitation of all costs a device is no harm of this one's.
    const carol = await world.open("carol")
    let usual = 0
    for (const title of ["one", "two"]) {
      await carol.createConversation({ title, members: ["bob"] })
      usual = await cpuOf(() => bob.sync())
    }
    const mallory = await world.mallory("mallory", { mls })
    const devices = await askAuth(mallory.ask, { type: "lookup", name: "bob" })
    if (devices.type !== "devices") throw new Error(`lookup: ${devices.type}`)
    const { deviceId } = devices.devices[0]!
    const claimed = await mallory.delivery({ type: "claimKeyPackage", deviceId, cipherSuite: 1 })
    if (claimed.type !== "keyPackage") throw new Error(`claim: ${claimed.type}`)
    await create(mallory)
    const answer = await mallory.commit({ add: [claimed.keyPackage] }, [deviceId])
    if (answer.type !== "accepted") throw new Error(`the service: ${describe(answer)}`)
    // What she has left in the memory that both share is swept after the collection, by other threads.
    globalThis.gc?.()
    await pause(2_000)
    const before = process.memoryUsage().rss
    const blocked = await cpuOf(() => within(60_000, bob.sync()))
    const grown = (process.memoryUsage().rss - before) / 1e6
    return outcome(
      blocked > TIMES_MAX * usual,
      `bob: ${Math.round(blocked)} ms of CPU, ${Math.round(blocked / usual)} times as much as for an honest one, +${Math.round(grown)} MB, ${bob.conversations.size} conversations`,
    )
  },
}

/** In milliseconds. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const CONVERSATIONS = 1_001

const manyConversations: Attack = {
  id: "H11a",
  title: "puts a person into 1,001 conversations, and they hear nobody any more",
  who: "stranger",
  secondsMax: 300,
  async run(world) {
    const bob = await world.open("bob", { live: true, policy: { keyPackages: 4 } })
    const carol = await world.open("carol")
    const { id } = await carol.createConversation({ title: "us", members: ["bob"] })
    await until(() => bob.conversations.has(id), 5_000)
    const mallory = await world.mallory()
    const devices = await askAuth(mallory.ask, { type: "lookup", name: "bob" })
    if (devices.type !== "devices") throw new Error(`lookup: ${devices.type}`)
    const { deviceId } = devices.devices[0]!
    let keyPackage: Uint8Array | undefined
    while (keyPackage === undefined) {
      const claimed = await mallory.delivery({ type: "claimKeyPackage", deviceId, cipherSuite: 1 })
      if (claimed.type !== "keyPackage") throw new Error(`claim: ${claimed.type}`)
      if (claimed.lastResort) keyPackage = claimed.keyPackage
    }
    let made = 0
    let refusal = ""
    const started = performance.now()
    while (made < CONVERSATIONS && refusal === "" && performance.now() - started < 200_000) {
      try {
        await create(mallory)
        mallory.lastCommit = 0n
        const answer = await mallory.commit({ add: [keyPackage] }, [deviceId])
        if (answer.type === "accepted") made++
        else refusal = describe(answer)
      } catch (error) {
        refusal = (error as Error).message
      }
    }
    await until(() => bob.conversations.size > made || refusal !== "", 30_000)
    await tries(carol.conversations.get(id)!, "can you hear me?")
    const hears = async () => (await eventsOf(bob)).some((event) => inWords(event).includes("can you hear me?"))
    const heard = await until(hears, 5_000)
    return outcome(
      !heard,
      `bob is in ${bob.conversations.size} conversations (${made} made${refusal && `, then ${refusal}`}), online ${bob.online}; ` +
        `carol's message ${heard ? "came" : "did not come in 5 s"}`,
    )
  },
}

export const doors: readonly Attack[] = [
  twoServices,
  rebinding,
  otherOrigin,
  emptyCredentials,
  blankTree,
  manyConversations,
]
