import type { Conversation } from "@conclave/client/browser"
import { useLayoutEffect, useRef, useState } from "preact/hooks"
import { grouped } from "../profile/keys.js"
import type { Profile } from "../profile/profile.js"
import { partWords } from "../words/words.js"
import { ExpandIcon } from "./icons.js"
import { TreeDrawing } from "./tree-drawing.js"
import { EnlargedTree } from "./tree-enlarged.js"
import { showRenewed } from "./tree-scroll.js"
import { renewalText, treeLines } from "./tree-words.js"

/** So many bytes of the authenticator are shown: enough to see that two screens agree. */
const AUTHENTICATOR_BYTES = 6

export function TreeCard({
  profile,
  conversation,
}: {
  readonly profile: Profile
  readonly conversation: Conversation
}) {
  const [enlarged, setEnlarged] = useState(false)
  const frame = useRef<HTMLDivElement>(null)
  const { epoch } = conversation
  useLayoutEffect(() => showRenewed(frame.current), [epoch])
  const nodes = profile.headless.tree(conversation.id)
  if (nodes.length === 0) {
    return (
      <section class="card" aria-labelledby="tree-title">
        <h3 id="tree-title">{partWords().inspector.tree}</h3>
        <p class="empty">
          {conversation.status === "left" ? partWords().inspector.treeLeft : partWords().inspector.treeNotYet}
        </p>
      </section>
    )
  }
  const renewal = profile.headless.renewal(conversation.id)
  const present = renewal?.epoch === epoch.toString() ? renewal : undefined
  const renewed = new Set(present?.nodes)
  const added = new Set(present?.added)
  return (
    <section class="card tree-card" aria-labelledby="tree-title">
      <div class="card-head">
        <h3 id="tree-title">{partWords().inspector.tree}</h3>
        <button
          type="button"
          class="icon-button"
          aria-label={partWords().inspector.enlarge}
          onClick={() => setEnlarged(true)}
        >
          <ExpandIcon />
        </button>
      </div>
      <p class="explanation">{partWords().inspector.treeText}</p>
      <div class="tree-frame" ref={frame}>
        <TreeDrawing people={profile} nodes={nodes} renewed={renewed} added={added} epoch={epoch} />
      </div>
      <Legend added={added.size > 0} unmerged={nodes.some(({ unmergedLeaves }) => unmergedLeaves.length > 0)} />
      <p class="renewal">{renewalText(nodes, { renewed, added, epoch, people: profile })}</p>
      <dl class="facts">
        <div>
          <dt>{partWords().inspector.epoch}</dt>
          <dd data-testid="epoch">{epoch.toString()}</dd>
        </div>
        <div>
          <dt>{partWords().inspector.authenticator}</dt>
          <dd data-testid="authenticator">{grouped(firstDigits(conversation.epochAuthenticator))}</dd>
        </div>
      </dl>
      <details class="in-words">
        <summary>{partWords().inspector.inWords}</summary>
        <ul>
          {treeLines(nodes, renewed, profile).map((line) => (
            <li key={line}>{line}</li>
          ))}
          <li>
            {partWords().inspector.leaves(
              nodes
                .filter(({ kind }) => kind === "leaf")
                .map(({ name, own }) => {
                  if (name === undefined) return partWords().inspector.blank
                  return own ? partWords().inspector.youNoted(profile.called(name)) : profile.called(name)
                })
                .join(", "),
            )}
          </li>
        </ul>
      </details>
      {enlarged && (
        <EnlargedTree nodes={nodes} onClose={() => setEnlarged(false)} title={partWords().inspector.enlarged(epoch)}>
          {(scale) => (
            <TreeDrawing people={profile} nodes={nodes} renewed={renewed} added={added} epoch={epoch} scale={scale} />
          )}
        </EnlargedTree>
      )}
    </section>
  )
}

function Legend({ added, unmerged }: { readonly added: boolean; readonly unmerged: boolean }) {
  return (
    <ul class="legend" aria-hidden="true">
      <li>
        <Swatch kind="is-filled" /> {partWords().inspector.legend.filled}
      </li>
      <li>
        <Swatch kind="is-filled is-renewed" /> {partWords().inspector.legend.renewed}
      </li>
      <li>
        <Swatch kind="is-blank" /> {partWords().inspector.legend.blank}
      </li>
      {added && (
        <li>
          <Swatch kind="is-filled is-added" /> {partWords().inspector.legend.added}
        </li>
      )}
      {unmerged && (
        <li>
          <svg class="tree swatch" viewBox="-9 -9 18 18" width="18" height="18" aria-hidden="true" focusable="false">
            <g class="tree-unmerged">
              <circle r="7.5" />
              <text y="3.5">n</text>
            </g>
          </svg>{" "}
          {partWords().inspector.legend.unmerged}
        </li>
      )}
    </ul>
  )
}

function Swatch({ kind }: { readonly kind: string }) {
  return (
    <svg class="tree swatch" viewBox="-9 -9 18 18" width="14" height="14" aria-hidden="true" focusable="false">
      <g class={`tree-node is-parent ${kind}`}>
        <circle class="tree-shape" r="7" />
      </g>
    </svg>
  )
}

function firstDigits(authenticator: Uint8Array): string {
  return Array.from(authenticator.subarray(0, AUTHENTICATOR_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  )
}
