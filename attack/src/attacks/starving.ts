import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { type Attack, outcome } from "../attack.js"
import { Relay } from "../relay.js"
import { pause, percentile, within } from "../timing.js"
import { settle, teamOf } from "../world.js"

const committer = fileURLToPath(new URL("../committer-process.js", import.meta.url))

const DELAY_MILLISECONDS = 50
const REMOVED_WITHIN_SECONDS = 5
const MESSAGE_P99_SECONDS = 2
const PATIENCE_SECONDS = 15

const starves: Attack = {
  id: "H7",
  title: "commits without pause, and can be neither removed nor outspoken",
  who: "member",
  async run(world) {
    const { url } = await world.service()
    await using relay = await Relay.start({
      to: { host: url.hostname, port: Number(url.port) },
      delayMilliseconds: DELAY_MILLISECONDS,
    })
    const mallory = fork(committer, [url.href], { stdio: ["ignore", "ignore", "inherit", "ipc"] })
    try {
      await once(mallory, "message")
      const far = new URL(`http://127.0.0.1:${relay.port}/`)
      const alice = await world.open("alice", { service: far, live: true })
      const bob = await world.open("bob", { service: far, live: true })
      const { id } = await alice.createConversation({ title: "team", members: ["bob", "mallory"] })
      await settle(alice, bob)
      const team = teamOf(id, [alice, bob])
      mallory.send("join")
      await once(mallory, "message")
      await pause(500)

      const started = performance.now()
      const seconds = () => (performance.now() - started) / 1000
      const removal = within(PATIENCE_SECONDS * 1000, team.of("alice").remove("mallory")).then((it) => ({
        state: it.state,
        seconds: seconds(),
      }))
      const times: number[] = []
      for (let n = 0; n < 10 && seconds() < PATIENCE_SECONDS; n++) {
        const before = seconds()
        const left = Math.max(1, PATIENCE_SECONDS - before)
        await within(left * 1000, team.of("bob").send(`message ${n}`))
        times.push(seconds() - before)
      }
      const removed = await removal
      mallory.send("end")
      const [{ accepted }] = (await once(mallory, "message")) as [{ accepted: number }]
      const p99 = percentile(times, 0.99)
      const isRemoved = removed.state === "done" && removed.seconds <= REMOVED_WITHIN_SECONDS
      const words =
        removed.state === "done"
          ? `removed after ${removed.seconds.toFixed(1)} s`
          : `not removed in ${PATIENCE_SECONDS} s`
      return outcome(
        !isRemoved || p99 > MESSAGE_P99_SECONDS,
        `${words}; ${accepted} commits of hers; bob's messages p99 ${p99.toFixed(1)} s of ${times.length}`,
      )
    } finally {
      mallory.kill("SIGKILL")
    }
  },
}

export const starving: readonly Attack[] = [starves]
