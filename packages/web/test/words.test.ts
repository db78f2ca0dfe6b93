import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type ClientEvent, personLabel } from "@conclave/client/browser"
import type { Alert, Notice } from "@conclave/headless"
import { followAlerts, fromText, inOrder, migration, noticeOf, shownAlert, withNotice } from "@conclave/headless/parts"
import { type AlertStep, alertWords, stepOf } from "../src/profile/alert-words.js"
import { announcementOf, isNoticeLong, noticeText } from "../src/profile/notice-words.js"
import { dayName, shortTime } from "../src/profile/time.js"
import { failureText, type People } from "../src/profile/words.js"

const people: People = { name: "alice", called: (name) => name, label: (name) => personLabel(name, undefined) }
const conversation = { id: "ab", title: "team", members: ["alice", "bob"], status: "active", invitedBy: undefined }

/** Of MLS and of the service: in the inspector only. */
const terms = /\b(epoch|commit|leaf|leaves|ratchet|welcome|proposal|handshake|entry|log|incarnation|hash)\b/i

type Body = { readonly type: ClientEvent["type"] } & Readonly<Record<string, unknown>>

let number = 0
const eventOf = (body: Body) => ({ conversation, number: ++number, ...body }) as unknown as ClientEvent
type Told = Exclude<ClientEvent, { type: "message" | "sent" }>

/** What the page tells of some events, each as the sentence that stands between the messages. */
function told(...bodies: readonly Body[]): readonly string[] {
  let notices: readonly Notice[] = []
  for (const body of bodies) {
    const place = { at: 0, after: undefined, notices, alerted: new Set<string>() }
    const notice = noticeOf(eventOf(body) as Told, place)
    if (notice !== undefined) notices = withNotice(notices, notice)
  }
  return notices.map((notice) => noticeText(notice, people))
}

const members = (more: object): Body => ({
  type: "members",
  by: "bob",
  added: [],
  removed: [],
  left: [],
  rejoined: [],
  ...more,
})

describe("what has happened, in a sentence", () => {
  it("says who really did it: removed by a member, left, or came back", () => {
    assert.deepEqual(told(members({ removed: ["carol"] })), ["bob removed carol."])
    assert.deepEqual(told(members({ by: "alice", removed: ["carol"] })), ["You removed carol."])
    assert.deepEqual(told(members({ left: ["carol"] })), ["carol left."])
    assert.deepEqual(told(members({ by: "carol", rejoined: ["dave"] })), [
      "carol let dave back in, who had lost their place.",
    ])
    assert.deepEqual(told(members({ by: "alice", added: ["erin"], removed: ["dave"], left: ["carol"] })), [
      "You added erin and removed dave. carol left.",
    ])
    assert.deepEqual(told(members({ by: "", added: ["alice"] })), ["Somebody added you."])
    const revoked = { type: "deviceRevoked", conversation, name: "bob", signatureKey: new Uint8Array(32) } as const
    assert.deepEqual(told({ ...revoked, by: "carol" }), [
      "carol took a revoked device of bob out of this conversation.",
    ])
    assert.deepEqual(told({ ...revoked, by: "alice" }), [
      "Your device automatically took a revoked device of bob out of this conversation.",
    ])
  })

  it("does not say that somebody left who never came in, and says so of one who came later", () => {
    const declined = { type: "declined", name: "carol", reason: "declined" } as const
    const left = members({ left: ["carol"] })
    const said = "carol declined the invitation."
    assert.deepEqual(told(declined, left), [said])
    const again = members({ added: ["carol"] })
    assert.deepEqual(told(declined, left, again, left), [said, "bob added carol.", "carol left."])
    assert.match(told({ ...declined, reason: "limit" })[0]!, /^carol did not see the invitation/)
    assert.match(told({ ...declined, reason: "unverified" })[0]!, /Compare safety codes\.$/)
  })

  it("keeps what earlier versions have known, and no more: whether the others left or were removed", () => {
    const old = { number: 1, at: 0, after: undefined }
    const stored = (...notices: readonly object[]) => {
      const memory = JSON.stringify({ conversations: [["ab", { notices }]] })
      return fromText(migration(new Map([["memory", memory]])).get("notices/ab") ?? "[]") as readonly Notice[]
    }
    const told = (notice: object) => stored({ ...old, ...notice }).map((it) => noticeText(it, people))
    const members = { type: "members", by: "alice", removed: ["bob", "carol"] }
    assert.deepEqual(told({ ...members, asked: ["bob"] }), ["You removed bob. carol is no longer a member."])
    assert.deepEqual(told(members), ["You removed bob and carol."])
    assert.deepEqual(told({ ...members, by: "dave", asked: ["bob"] }), ["bob and carol are no longer members."])
    assert.deepEqual(told({ type: "displayName", names: ["bob"], text: "Bob", code: "" }), [
      "bob is now called Bob (bob).",
    ])
    assert.deepEqual(told({ type: "failed", text: "invite", names: ["bob"], code: "UNKNOWN_NAME" }), [
      "bob could not be added: nobody has that name.",
    ])
    assert.deepEqual(told({ type: "throttled", text: "14:03" }), [])
    const kept = stored({ ...old, type: "deferred", text: "no", wishes: ["title"], until: 60_000 })
    assert.deepEqual(
      kept.map(({ event }) => event),
      [{ type: "deferred", reason: "no", wishes: ["title"], retryAt: new Date(60_000) }],
    )
  })

  it("says that nothing is lost where nothing is, and what is to be done where something is", () => {
    const reason = "the service said no"
    assert.match(
      told({ type: "missing", reason })[0]!,
      /does not show this conversation as it should\. Nothing is lost/,
    )
    assert.match(told({ type: "unavailable", reason })[0]!, /Nothing is given up: this device asks again\.$/)
    assert.match(told({ type: "lost", reason })[0]!, /Ask a member to remove you and invite you again\.$/)
    assert.match(told({ type: "recovered", reason })[0]!, /Messages sent in between are missing here/)
    const retryAt = new Date(2026, 0, 1, 14, 3)
    assert.match(
      told({ type: "deferred", reason, wishes: ["invite", "invite", "title"], retryAt })[0]!,
      /^The service did not take your invitation and the new title\. Reason: the service said no\. This device tries again at /,
    )
    assert.match(told({ type: "deferred", reason, wishes: [], retryAt })[0]!, /did not take a change\./)
  })

  it("says why something that was wished did not work", () => {
    const failed = (more: object) => told({ type: "failed", wish: "invite", names: ["bob"], ...more })[0]
    assert.equal(failed({ code: "UNKNOWN_NAME", reason: "x" }), "bob could not be added: nobody has that name.")
    assert.equal(
      failed({ names: ["bob", "x"], code: "UNKNOWN_NAME", reason: "nobody is called x" }),
      "bob and x could not be added: nobody is called x.",
    )
    assert.equal(
      failed({ code: "REFUSED", reason: "their inbox is full" }),
      "bob could not be added: their inbox is full.",
    )
  })

  it("counts what is refused again and again, and keeps other things apart", () => {
    const unreadable = (count: number): Body => ({
      type: "rejected",
      code: "UNREADABLE",
      reason: "it is damaged",
      count,
    })
    assert.deepEqual(told(unreadable(1)), [
      "Something was refused and skipped in this conversation. Reason: it is damaged.",
    ])
    const many = "12 messages were refused and skipped in this conversation. First reason: it is damaged."
    assert.deepEqual(told(unreadable(1), unreadable(11)), [many])
    const between = members({ left: ["carol"] })
    assert.equal(told(unreadable(1), between, unreadable(1)).length, 3)
    const other: Body = { type: "rejected", code: "PROPOSALS_DROPPED", reason: "no", count: 1 }
    assert.equal(told(unreadable(1), other, unreadable(1)).length, 3)
  })

  it("tells devices of one’s own from those of others", () => {
    const key = { type: "keyChanged", signatureKey: new Uint8Array(32), endorsed: false } as const
    assert.match(
      told({ ...key, name: "alice", accepted: false })[0]!,
      /^An unknown device uses your name\. None of your devices/,
    )
    assert.match(told({ ...key, name: "alice", endorsed: true, accepted: true })[0]!, /^You added a device\./)
    assert.match(told({ ...key, name: "bob", accepted: false })[0]!, /^bob uses a new key\. None of their devices/)
  })

  it("cleans and cuts what others have written", () => {
    const reason = `\u202e\u0007${"x".repeat(10_000)}`
    for (const type of ["missing", "unavailable", "lost", "recovered", "halted"] as const) {
      const [text = ""] = told({ type, reason, names: ["bob"] })
      assert.ok(text.length < 700, type)
      assert.doesNotMatch(text, /[\p{Cc}\u202a-\u202e]/u, type)
    }
    const names = Array.from({ length: 500 }, (_, at) => `guest-${at}`)
    assert.match(told(members({ added: names }))[0]!, /^bob added .*$/)
    assert.match(told(members({ left: names }))[0]!, /guest-7 and 492 others left\.$/)
  })

  it("is in words that people know", () => {
    const reason = "commit 7 of epoch 3 is signed by a leaf that is not in the ratchet tree"
    for (const type of ["stuck", "recovered", "stopped", "copied", "contradicted"] as const) {
      const more = { by: "bob", canKnock: true, accused: "member", evidence: new Uint8Array() }
      const [text = ""] = told({ type, reason, ...more })
      assert.notEqual(text, "")
      assert.doesNotMatch(text, terms, type)
    }
  })

  it("names few of many people, until all are asked for", () => {
    const added = Array.from({ length: 99 }, (_, at) => `guest-${at}`)
    const event = eventOf(members({ by: "alice", added })) as Told
    const notice = noticeOf(event, { at: 0, after: undefined, notices: [], alerted: new Set() })!
    assert.match(noticeText(notice, people), /^You added guest-0, .*guest-7 and 91 others\.$/)
    assert.match(noticeText(notice, people, true), /guest-97 and guest-98\.$/)
    assert.equal(isNoticeLong(notice), true)
    const few = noticeOf(eventOf(members({ added: added.slice(0, 9) })) as Told, {
      ...{ at: 0, after: undefined, notices: [], alerted: new Set<string>() },
    })!
    assert.equal(isNoticeLong(few), false)
    assert.doesNotMatch(noticeText(few, people), /others/)
  })

  it("is said aloud in the same words, with the conversation where it is not in front", () => {
    const said = (body: Body, visible: boolean) => {
      const event = eventOf(body)
      const place = { at: 0, after: undefined, notices: [], alerted: new Set<string>() }
      return announcementOf(event, { notice: noticeOf(event as Told, place), visible, people })
    }
    const removed = members({ removed: ["carol"] })
    assert.equal(said(removed, true), "bob removed carol.")
    assert.equal(said(removed, false), "team: bob removed carol.")
    assert.equal(said({ type: "declined", name: "bob", reason: "declined" }, true), "bob declined the invitation.")
    assert.equal(said({ type: "refreshed", by: "bob" }, true), undefined)
    const renamed = {
      type: "displayName",
      conversation: undefined,
      name: "bob",
      before: undefined,
      after: "Bob",
    } as const
    assert.equal(said(renamed, false), "Attention: bob is now called Bob (bob).")
  })
})

/** What stands above everything after some events, one after the other. */
function alertsAfter(...bodies: readonly Body[]): readonly Alert[] {
  return bodies.reduce<readonly Alert[]>((alerts, body) => followAlerts(alerts, eventOf(body), people.name), [])
}

const view = { name: people.name, statusOf: () => "active" as const, isMember: () => true }
const worded = (alert: Alert) => alertWords(shownAlert(alert, view), "team", people)

describe("a message that was not sent", () => {
  it("says why, in the words of an earlier version where it was kept by one", () => {
    assert.equal(failureText({ code: "left" }), "Not sent: you are no longer a member.")
    assert.equal(
      failureText({ code: "error", error: "TOO_LARGE", message: "it has 70000 bytes" }),
      "Not sent: That is too long: a message has at most 64 KiB.",
    )
    assert.equal(failureText({ code: "error", error: undefined, message: "odd" }), "Not sent: Odd.")
    assert.equal(failureText({ code: "told", message: "as it was" }), "as it was")
  })
})

describe("dates", () => {
  it("have a year where it is another one", () => {
    const now = new Date(2026, 5, 15, 12)
    assert.equal(dayName(now, now), "Today")
    assert.equal(dayName(new Date(2026, 5, 14, 23), now), "Yesterday")
    assert.doesNotMatch(dayName(new Date(2026, 0, 2), now), /2026/)
    assert.match(dayName(new Date(2025, 5, 15), now), /2025/)
    assert.match(shortTime(new Date(2025, 5, 15), now), /2025/)
    assert.doesNotMatch(shortTime(new Date(2026, 5, 1), now), /2026/)
  })
})

describe("alerts", () => {
  const rejected = (code: string, more: object = {}): Body => ({
    type: "rejected",
    code,
    reason: "why",
    count: 1,
    ...more,
  })
  const after = (...bodies: readonly Body[]) => {
    return alertsAfter(...bodies).map(({ code, count }) => `${code} ${count}`)
  }

  it("are what asks for something to be done, once for each conversation, and counted", () => {
    assert.deepEqual(after(rejected("UNREADABLE")), [], "a line in the conversation")
    assert.deepEqual(after(rejected("FALSE_ANSWER"), rejected("CANNOT_KNOCK"), rejected("FALSE_ANSWER")), [
      "CANNOT_KNOCK 1",
      "FALSE_ANSWER 2",
    ])
    const outside = { conversation: undefined }
    assert.deepEqual(
      after(
        rejected("TOO_MANY_INVITATIONS", { ...outside, count: 9 }),
        rejected("TOO_MANY_INVITATIONS", { ...outside, count: 3 }),
        { type: "unavailable", reason: "why", ...outside },
        { type: "unavailable", reason: "why" },
      ),
      ["TOO_MANY_INVITATIONS 12", "UNAVAILABLE 1"],
    )
  })

  it("tell of the own name that was erased, and of its devices that were revoked, and not of others'", () => {
    const outside = { conversation: undefined }
    const revoked = (name: string, more: object = outside): Body => {
      return { type: "deviceRevoked", name, signatureKey: new Uint8Array(32), by: "", ...more }
    }
    const alerts = alertsAfter(revoked("somebody"), revoked(people.name), revoked(people.name, {}), {
      type: "erased",
      name: people.name,
      ...outside,
    })
    assert.deepEqual(
      alerts.map(({ code }) => code),
      ["REVOKED", "ERASED"],
    )
    for (const alert of alerts) assert.equal(worded(alert).severity, "danger")
    assert.match(worded(alerts[0]!).headline, /A device of your name was revoked/)
    assert.match(worded(alerts[1]!).headline, /was erased at the service/)
  })

  it("tell of the own name's recovery key and of who came by it, and of a false one of anybody", () => {
    const outside = { conversation: undefined }
    const returned = (name: string): Body => ({ type: "returned", name, signatureKey: new Uint8Array(32) })
    const key = (name: string, change: "made" | "replaced" | "refused"): Body => {
      return { type: "recoveryKey", name, change, ...outside }
    }
    const alerts = alertsAfter(
      ...[returned("somebody"), returned(people.name), key(people.name, "made"), key(people.name, "replaced")],
      key("somebody", "refused"),
    )
    assert.deepEqual(
      alerts.map(({ code }) => code),
      ["RETURNED", "RECOVERY_MADE", "RECOVERY_REPLACED", "RECOVERY_REFUSED"],
    )
    for (const alert of alerts) assert.equal(worded(alert).severity, "danger")
    assert.match(worded(alerts[0]!).headline, /came to your name with the recovery key/)
    assert.match(worded(alerts[1]!).headline, /A recovery key was made for your name/)
    assert.match(worded(alerts[2]!).headline, /A recovery key was replaced for your name/)
    assert.match(worded(alerts[3]!).headline, /The directory shows another recovery key of/)
  })

  it("go when they have been resolved, and only those of that conversation", () => {
    const elsewhere = rejected("FALSE_ANSWER", { conversation: { ...conversation, id: "cd" } })
    for (const type of ["joined", "recovered", "lost", "left"] as const) {
      assert.deepEqual(after(rejected("CANNOT_KNOCK"), elsewhere, { type }), ["FALSE_ANSWER 1"], type)
    }
  })

  it("say one thing to do", () => {
    const words = (code: string, count = 1, conversation = "ab") => {
      const alert = { number: 1, conversation: conversation || undefined, code, reason: "why", count }
      const { severity, headline, text, detail } = worded(alert)
      return `${severity}: ${headline} ${text} [${detail}]`
    }
    assert.match(
      words("FALSE_ANSWER"),
      /^danger: .*come back into team, and not honestly\. .*compare safety codes when you are back\. \[Why\.\]$/,
    )
    assert.match(
      words("CANNOT_KNOCK"),
      /^danger: .*does not take .* back into team\. This device asks again\. \[Why\.\]$/,
    )
    assert.match(
      words("TOO_MANY_INVITATIONS", 12, ""),
      /^quiet: 12 invitations were declined unseen\. To receive more, answer those/,
    )
    assert.match(
      words("UNAVAILABLE", 1, ""),
      /^warning: .*Reason: why\. Nothing is given up.* contact the operator of the service\. \[\]$/,
    )
    assert.match(
      words("REFUSED", 7, ""),
      /^quiet: 7 messages were refused and skipped\. If you expect an invitation, ask for it again\. \[Why\.\]$/,
    )
  })

  it("stand out with one step each, and say what it is in words that people know", () => {
    const reason = "commit 7 of epoch 3 is signed by a leaf that is not in the ratchet tree, at entry 9 of the log"
    const evidence = Uint8Array.of(1)
    const none = new Uint8Array()
    const outside = { conversation: undefined }
    const bodies: readonly (readonly [step: AlertStep, body: Body])[] = [
      ["open", { type: "copied", reason }],
      ["restart", { type: "stopped", by: "mallory", reason }],
      ["evidence", { type: "contradicted", by: "bob", accused: "service", reason, evidence }],
      ["compare", { type: "contradicted", by: "bob", accused: "member", reason, evidence: none }],
      ["report", { type: "contradicted", by: "bob", accused: "service", reason, evidence: none }],
      ["seen", { type: "service", change: "restored", reason, ...outside }],
      ["seen", { type: "service", change: "replaced", reason, ...outside }],
      ["devices", { type: "deviceRevoked", name: "alice", signatureKey: none, by: "", ...outside }],
      ["seen", { type: "erased", name: "alice", ...outside }],
      ["report", { type: "unavailable", reason: "the name is suspended", ...outside }],
      ["compare", rejected("FALSE_ANSWER", { reason })],
      ["compare", rejected("FALSE_HEAD", { reason })],
      ["open", rejected("CANNOT_KNOCK", { reason })],
      ["open", rejected("UNSIGNED", { reason })],
      ["open", rejected("WITHHELD", { reason })],
      ["seen", rejected("UNREADABLE", { reason, ...outside })],
      ["seen", rejected("TOO_MANY_INVITATIONS", { reason, ...outside })],
      ["devices", { type: "recoveryKey", name: "alice", change: "made", ...outside }],
      ["seen", { type: "recoveryKey", name: "bob", change: "refused", ...outside }],
    ]
    for (const [step, body] of bodies) {
      const [alert] = alertsAfter(body)
      const { headline, text, detail } = worded(alert!)
      assert.equal(stepOf(shownAlert(alert!, view)), step, headline)
      assert.doesNotMatch(`${headline} ${text}`, terms, headline)
      assert.notEqual(text, "", `${headline} What does it mean?`)
      assert.equal(detail !== "", "reason" in body && body.type !== "unavailable", "the terms are in the details")
    }
    assert.match(worded(alertsAfter(bodies[9]![1])[0]!).text, /the name is suspended/, "what the service says of why")
  })

  it("tell of a copy of this device, and of who has locked the others out, until the one has been let in again", () => {
    const bodies = [
      { type: "copied", reason: "commit 7 is signed as this device, which did not make it" },
      { type: "stopped", by: "mallory", reason: "commit 8 registers another key" },
    ] as const
    const words = alertsAfter(...bodies)
      .map(worded)
      .map(({ headline, text, detail }) => `${headline} ${text} [${detail}]`)
    assert.match(words[0]!, /Somebody else acted as this device in team\. .*ask a member.* \[Commit 7 /)
    assert.match(words[1]!, /Nobody can go on in team\. mallory has locked the others out\. .* \[Commit 8/)
    assert.deepEqual(alertsAfter(...bodies, { type: "recovered", reason: "", by: "bob" }), [])
  })

  it("tell of two histories and of the service, and keep what proves it whoever else contradicts", () => {
    const evidence = Uint8Array.of(1, 2, 3)
    const alerts = alertsAfter(
      { type: "contradicted", by: "bob", accused: "service", reason: "entry 7", evidence },
      { type: "contradicted", by: "mallory", accused: "member", reason: "entry 8", evidence: new Uint8Array() },
      { type: "service", change: "restored", reason: "", conversation: undefined },
      { type: "service", change: "replaced", reason: "another key", conversation: undefined },
    )
    assert.deepEqual(
      alerts.map((it) => it.evidence),
      [evidence, undefined, undefined],
    )
    const words = alerts.map(worded).map((it) => `${it.severity}: ${it.headline} ${it.text} [${it.detail}]`)
    assert.match(
      words[0]!,
      /^danger: The service shows different members different things in team\. .*evidence.* \[Entry 7\.\]/,
    )
    assert.match(words[1]!, /^warning: The service was restored from a backup\./)
    assert.match(words[2]!, /^danger: The service is not the one that this device knows\. .*\[Another key\.\]/)
  })

  it("are bounded", () => {
    const ids = Array.from({ length: 200 }, (_, at) => `${at}`)
    assert.equal(
      after(...ids.map((id) => rejected("FALSE_ANSWER", { conversation: { ...conversation, id } }))).length,
      50,
    )
  })
})

describe("invitations", () => {
  it("are ordered so that nobody pushes others out of sight", () => {
    const flood = Array.from({ length: 20 }, (_, at) => ({ by: "mallory", known: false, at: 100 + at }))
    const order = inOrder([
      { by: "carol", known: false, at: 1 },
      ...flood,
      { by: "bob", known: true, at: 0 },
      { by: "bob", known: true, at: 2 },
    ])
    assert.deepEqual(
      order.slice(0, 5).map(({ by, at }) => [by, at]),
      [
        ["bob", 2],
        ["bob", 0],
        ["mallory", 119],
        ["carol", 1],
        ["mallory", 118],
      ],
    )
    assert.equal(order.length, 23)
  })
})
