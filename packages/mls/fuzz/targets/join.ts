import assert from "node:assert/strict"
import { dangerouslyAcceptAll, Group } from "@conclave/mls"
import { inputSizeMax } from "../bytes.js"
import { Choices } from "../choices.js"
import type { Target } from "../engine.js"
import { refusal, requireSound } from "../expectations.js"
import { InvitationForger } from "../invitation-forger.js"
import { fingerprint } from "../random.js"
import type { Invitation, World } from "../world.js"

/** `Group.stageJoin`: Welcomes, what is encrypted in them, and trees. */
export function joinTarget(world: World): Target {
  return target(world, "join", {
    ways: ["octets", "fields", "secrets", "groupInfo", "tree"],
    tryOut(forger, choices) {
      const { message, ratchetTree } = forger.welcome(choices)
      if (message.length > inputSizeMax) return "too long"
      return join(forger.invitation, message, ratchetTree)
    },
    check: ({ invitation }) => assert.equal(join(invitation, invitation.welcome, undefined), "accepted"),
  })
}

/** `Group.stageExternalJoin`: GroupInfos and trees. */
export function externalJoinTarget(world: World): Target {
  const enter = (message: Uint8Array, ratchetTree: Uint8Array | undefined): string => {
    let staged: ReturnType<typeof Group.stageExternalJoin>
    const { options } = world.frank
    try {
      staged = Group.stageExternalJoin({ ...options, groupInfo: message, ...(ratchetTree ? { ratchetTree } : {}) })
    } catch (error) {
      return refusal(error)
    }
    requireSound(staged.accept(dangerouslyAcceptAll(staged.claims)), options)
    return "accepted"
  }
  return target(world, "external join", {
    ways: ["octets", "fields", "groupInfo", "tree"],
    tryOut(forger, choices) {
      const { message, ratchetTree } = forger.groupInfo(choices)
      if (message.length > inputSizeMax) return "too long"
      return enter(message, ratchetTree)
    },
    check: ({ invitation }) => assert.equal(enter(invitation.groupInfo, undefined), "accepted"),
  })
}

function target(
  world: World,
  title: string,
  how: {
    readonly ways: readonly InvitationForger["way"][]
    readonly tryOut: (forger: InvitationForger, choices: Choices) => string
    readonly check: (forger: InvitationForger) => void
  },
): Target {
  const forgers = world.invitations.map((invitation) => new InvitationForger(world, invitation))
  const seeds: Uint8Array[] = []
  for (let who = 0; who < forgers.length; who++) {
    for (let way = 0; way < how.ways.length; way++) {
      seeds.push(Uint8Array.of(who, way), Uint8Array.of(who, way, 1, 2, 3, 4, 5, 6, 7, 8))
    }
  }
  return {
    name: title,
    seeds,
    batch: 4,
    share: 100,
    run(input) {
      const choices = new Choices(input)
      const name = fingerprint(input)
      world.reseed(name)
      const forger = choices.one(forgers)
      forger.way = choices.one(how.ways)
      const outcome = how.tryOut(forger, choices)
      // What was refused leaves nothing behind that would keep out who comes with the right invitation.
      if (outcome.startsWith("refused") && name % 16 === 0) how.check(forger)
      return outcome
    },
  }
}

function join({ guest, bundle }: Invitation, welcome: Uint8Array, ratchetTree: Uint8Array | undefined): string {
  let staged: ReturnType<typeof Group.stageJoin>
  try {
    staged = Group.stageJoin({
      ...guest.options,
      welcome,
      keyPackages: [bundle],
      ...(ratchetTree === undefined ? {} : { ratchetTree }),
    })
  } catch (error) {
    return refusal(error)
  }
  requireSound(staged.accept(dangerouslyAcceptAll(staged.claims)), guest.options)
  return "accepted"
}
