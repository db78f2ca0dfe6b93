import assert from "node:assert/strict"
import { dangerouslyAcceptAll, type Group } from "@conclave/mls"
import { inputSizeMax } from "../bytes.js"
import { Choices } from "../choices.js"
import type { Target } from "../engine.js"
import { refusal, requireSound, stored } from "../expectations.js"
import { Forger } from "../forger.js"
import { fingerprint } from "../random.js"
import { greetingText, type Scene, type World } from "../world.js"

/** `Group.receive`, with messages that get as far into it as a member's can. */
export function receiveTarget(world: World): Target {
  const forger = new Forger(world)
  const listeners = world.scenes.map((scene) => new Listener(world, scene))
  return {
    name: "receive",
    seeds: forger.seeds(),
    batch: 4,
    share: 400,
    run(input) {
      const choices = new Choices(input)
      const name = fingerprint(input)
      world.reseed(name)
      const listener = choices.one(listeners)
      const message = forger.forge(listener.scene, choices)
      if (message === undefined) return "no message"
      return message.length > inputSizeMax ? "too long" : listener.hear(message, name)
    },
  }
}

/** Alice in one scene, made anew whenever she has taken something in. */
class Listener {
  readonly scene: Scene
  readonly #world: World
  #alice: Group
  readonly #records: ReturnType<typeof stored>

  constructor(world: World, scene: Scene) {
    this.#world = world
    this.scene = scene
    this.#alice = world.restore(scene.alice, scene.records)
    this.#records = stored(this.#alice)
  }

  hear(message: Uint8Array, name: number): string {
    const alice = this.#alice
    let received: ReturnType<Group["receive"]>
    try {
      received = alice.receive(message)
    } catch (error) {
      const outcome = refusal(error)
      assert.deepEqual(stored(alice), this.#records, `${outcome}, and yet the group is another one`)
      if (name % 4 === 0) this.#understands(name)
      return outcome
    }
    if (received.type === "ignored") {
      assert.deepEqual(stored(alice), this.#records, "an ignored message has changed the group")
      return `ignored: ${received.reason}`
    }
    if (received.type === "commit") {
      const claims = dangerouslyAcceptAll(received.staged.claims)
      alice.apply(received.staged, claims)
    }
    requireSound(alice, this.scene.alice.options)
    this.#renew()
    return `accepted: ${received.type}`
  }

  /** The next valid message: one of the application's, and now and then a commit. */
  #understands(name: number): void {
    const alice = this.#alice
    const { greeting, commit, epochAuthenticator } = this.scene
    const received = alice.receive(greeting)
    assert(received.type === "application", `a greeting is ${received.type}`)
    assert.deepEqual(received.plaintext, greetingText)
    if (name % 32 === 0) {
      const next = alice.receive(commit)
      assert(next.type === "commit", `a commit is ${next.type}`)
      alice.apply(next.staged, dangerouslyAcceptAll(next.staged.claims))
      assert.deepEqual(alice.epochAuthenticator, epochAuthenticator, "a commit leads to another epoch")
    }
    this.#renew()
  }

  #renew(): void {
    this.#alice = this.#world.restore(this.scene.alice, this.scene.records)
  }
}
