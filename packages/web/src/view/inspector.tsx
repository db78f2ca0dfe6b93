import type { Conversation, Inspection } from "@conclave/client/browser"
import type { KeptCommit } from "@conclave/headless/browser"
import { hexOf } from "@conclave/headless/parts"
import { useEffect, useRef, useState } from "preact/hooks"
import { grouped } from "../profile/keys.js"
import type { Profile } from "../profile/profile.js"
import { clockTime, shortTime } from "../profile/time.js"
import { listOf, titleOf } from "../profile/words.js"
import { list, partWords } from "../words/words.js"
import { BackIcon } from "./icons.js"
import { goTo } from "./route.js"
import { TreeCard } from "./tree-card.js"
import { useAlone } from "./use-alone.js"

export interface InspectorProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

/** What is inside a conversation, as it changes: for developers, and for people who want to look. */
export function Inspector({ profile, conversation }: InspectorProps) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus(), [])
  const { id, status } = conversation
  const inspection = conversation.inspect()
  const isAlone = useAlone(true)
  const isInside = status !== "left" && status !== "lost"
  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: each of the two roles has a label.
    <div
      class="group-pane inspector"
      role={isAlone ? "main" : "complementary"}
      aria-label={partWords().inspector.title}
    >
      <div class="pane-head group-head">
        <button
          type="button"
          class="icon-button"
          aria-label={partWords().inspector.back}
          onClick={() => goTo({ conversation: id, group: true })}
        >
          <BackIcon />
        </button>
        {isAlone && <h1 class="visually-hidden">{titleOf(conversation, profile)}</h1>}
        <h2 tabIndex={-1} ref={title}>
          {partWords().inspector.title}
        </h2>
      </div>
      <div class="group-cards">
        <TreeCard profile={profile} conversation={conversation} />
        <Timeline profile={profile} commits={profile.headless.commits(id)} />
        <Waiting profile={profile} inspection={inspection} />
        <Log inspection={inspection} />
        {isInside && <Pins profile={profile} conversation={conversation} inspection={inspection} />}
        <Intervals inspection={inspection} />
      </div>
    </div>
  )
}

function Timeline({ profile, commits }: { readonly profile: Profile; readonly commits: readonly KeptCommit[] }) {
  return (
    <section class="card" aria-labelledby="timeline-title">
      <h3 id="timeline-title">{partWords().inspector.timeline}</h3>
      <p class="explanation">
        {commits.length === 0 ? partWords().inspector.noCommits : partWords().inspector.timelineText}
      </p>
      <ol class="timeline" reversed>
        {[...commits].reverse().map((commit) => (
          <li key={commit.seq}>
            <span class="timeline-epoch">{commit.epoch}</span>
            <span class="timeline-text">
              {partWords().inspector.made(committerOf(commit, profile), changesOf(commit, profile))}
              <span class="timeline-facts">
                {partWords().inspector.place(commit.seq)},{" "}
                {commit.path ? partWords().inspector.withPath : partWords().inspector.withoutPath},{" "}
                <time dateTime={new Date(commit.at).toISOString()}>{shortTime(new Date(commit.at))}</time>
              </span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}

function committerOf({ by, own }: KeptCommit, profile: Profile): string {
  if (own) return partWords().inspector.you
  return by === "" ? partWords().inspector.somebody : profile.called(by)
}

function changesOf({ added, removed, path, own }: KeptCommit, profile: Profile): string {
  const changes = [
    ...(added.length > 0 ? [partWords().inspector.addedPeople(listOf(added, profile))] : []),
    ...(removed.length > 0 ? [partWords().inspector.removedPeople(listOf(removed, profile))] : []),
  ]
  if (changes.length > 0) return list(changes)
  if (!path) return partWords().inspector.changedNothing
  return own ? partWords().inspector.renewedOwn : partWords().inspector.renewedKeys
}

function Waiting({ profile, inspection }: { readonly profile: Profile; readonly inspection: Inspection }) {
  const { wishes, isCommitting, obstacle, isDoubting, knocks } = inspection
  const lines = [
    ...(isCommitting ? [partWords().inspector.committing] : []),
    ...(obstacle === undefined ? [] : [partWords().inspector.obstacle[obstacle.type](clockTime(obstacle.retryAt))]),
    ...(isDoubting ? [partWords().inspector.doubting] : []),
    ...(knocks > 0 ? [partWords().inspector.knocks(knocks)] : []),
  ]
  return (
    <section class="card" aria-labelledby="wishes-title">
      <h3 id="wishes-title">{partWords().inspector.wishes}</h3>
      {wishes.length + lines.length === 0 && <p class="empty">{partWords().inspector.noWishes}</p>}
      <ul class="facts-list">
        {wishes.map(({ wish, names }, at) => (
          <li key={at}>
            {partWords().inspector.wish[wish]} {listOf(names, profile)}
          </li>
        ))}
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </section>
  )
}

function Log({ inspection }: { readonly inspection: Inspection }) {
  const { log, head, service, cipherSuite, firstEpoch } = inspection
  const isSigned = head?.signedBy !== undefined
  return (
    <section class="card" aria-labelledby="log-title">
      <h3 id="log-title">{partWords().inspector.log}</h3>
      <dl class="inspector-facts">
        <Fact term={partWords().inspector.cursor} value={log.cursor.toString()} />
        <Fact term={partWords().inspector.head} value={log.head?.toString() ?? partWords().inspector.unknown} />
        <Fact term={partWords().inspector.waiting} value={log.waiting.toString()} />
        <Fact
          term={partWords().inspector.lastCommit}
          value={log.lastCommit?.toString() ?? partWords().inspector.unknown}
        />
        <Fact term={partWords().inspector.chainHash} value={digits(log.chainHash) || partWords().inspector.unknown} />
        <Fact
          term={partWords().inspector.signed}
          value={
            head === undefined
              ? partWords().inspector.noHead
              : `${partWords().inspector.signedUpTo(head.seq)}, ${isSigned ? partWords().inspector.isSigned : partWords().inspector.isUnsigned}`
          }
          isBad={head !== undefined && !isSigned}
        />
        <Fact
          term={partWords().inspector.service}
          value={
            service === undefined
              ? partWords().inspector.notAsked
              : `${digits(service.key)}${service.olderKeys > 0 ? `, ${partWords().inspector.olderKeys(service.olderKeys)}` : ""}`
          }
        />
        {service !== undefined && (
          <Fact term={partWords().inspector.incarnation} value={service.incarnation.toString()} />
        )}
        <Fact term={partWords().inspector.suite} value={cipherSuite.toString()} />
        <Fact term={partWords().inspector.firstEpoch} value={firstEpoch.toString()} />
      </dl>
    </section>
  )
}

interface FactProps {
  readonly term: string
  readonly value: string
  readonly isBad?: boolean
}

function Fact({ term, value, isBad = false }: FactProps) {
  return (
    <div>
      <dt>{term}</dt>
      <dd class={isBad ? "is-strange" : undefined}>{value}</dd>
    </div>
  )
}

function Pins({ profile, conversation, inspection }: InspectorProps & { readonly inspection: Inspection }) {
  const pinned = usePins(profile, conversation)
  const unapproved = new Set(inspection.unapproved.map(({ signatureKey }) => hexOf(signatureKey)))
  const leaves = [...profile.headless.devices(conversation.id)].flatMap(([name, devices]) =>
    devices.map((device) => ({ name, ...device })),
  )
  return (
    <section class="card" aria-labelledby="pins-title">
      <h3 id="pins-title">{partWords().inspector.pins}</h3>
      <p class="explanation">{partWords().inspector.pinsText}</p>
      <ul class="devices">
        {leaves.map(({ name, signatureKey, own }) => {
          const key = hexOf(signatureKey)
          const state = own
            ? partWords().inspector.own
            : unapproved.has(key)
              ? partWords().inspector.notApproved
              : pinned === undefined
                ? ""
                : pinned.has(key)
                  ? partWords().inspector.pinned
                  : partWords().inspector.notPinned
          return (
            <li key={key}>
              <bdi>{profile.called(name)}</bdi>
              <code>{grouped(key.slice(0, KEY_DIGITS))}</code>
              <span class={unapproved.has(key) ? "device-state is-strange" : "device-state"}>{state}</span>
            </li>
          )
        })}
      </ul>
    </section>
  )
}

const KEY_DIGITS = 16

/** In hexadecimal digits; `undefined` until they have been read. */
function usePins(profile: Profile, { members, epoch }: Conversation): ReadonlySet<string> | undefined {
  const [pinned, setPinned] = useState<ReadonlySet<string>>()
  useEffect(() => {
    let isOver = false
    Promise.all(members.map((name) => profile.client.pinnedKeys(name))).then(
      (keys) => !isOver && setPinned(new Set(keys.flat().map(hexOf))),
      () => {},
    )
    return () => {
      isOver = true
    }
  }, [profile, epoch])
  return pinned
}

function Intervals({ inspection: { intervals } }: { readonly inspection: Inspection }) {
  return (
    <section class="card" aria-labelledby="access-title">
      <h3 id="access-title">{partWords().inspector.access}</h3>
      <p class="explanation">{partWords().inspector.accessText}</p>
      <ul class="devices">
        {[...intervals].reverse().map(({ number, accessKey }, at) => (
          <li key={number}>
            <code>{digits(accessKey)}</code>
            <span class="device-state">
              {number}
              {at === 0 ? `, ${partWords().inspector.newest}` : ""}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

/** So many hexadecimal digits of a hash or key tell it from others on the screen. */
const DIGITS_SHOWN = 16

function digits(bytes: Uint8Array): string {
  return grouped(hexOf(bytes).slice(0, DIGITS_SHOWN))
}
