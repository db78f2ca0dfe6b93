import type { Conversation } from "@conclave/client/browser"
import { useState } from "preact/hooks"
import { grouped } from "../profile/keys.js"
import type { Profile } from "../profile/profile.js"
import { Dialog } from "./dialog.js"
import { ExpandIcon, MinusIcon, PlusIcon } from "./icons.js"
import { TreeDrawing } from "./tree-drawing.js"
import { DRAWING_WIDTH } from "./tree-layout.js"
import { renewalText, treeLines } from "./tree-words.js"

/** So many bytes of the authenticator are shown: enough to see that two screens agree. */
const AUTHENTICATOR_BYTES = 6
const SCALES = [0.5, 0.75, 1, 1.5, 2, 3]

export function TreeCard({
  profile,
  conversation,
}: {
  readonly profile: Profile
  readonly conversation: Conversation
}) {
  const [enlarged, setEnlarged] = useState(false)
  const { epoch } = conversation
  const nodes = profile.headless.tree(conversation.id)
  if (nodes.length === 0) {
    return (
      <section class="card" aria-labelledby="tree-title">
        <h3 id="tree-title">Ratchet tree</h3>
        <p class="empty">
          {conversation.status === "left"
            ? "There is nothing to draw: this device has destroyed its keys of the group. Once a member has invited you again, the tree is here."
            : "The tree is drawn once this device is in the group."}
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
        <h3 id="tree-title">Ratchet tree</h3>
        <button type="button" class="icon-button" aria-label="Enlarge the tree" onClick={() => setEnlarged(true)}>
          <ExpandIcon />
        </button>
      </div>
      <p class="explanation">
        Each member holds a leaf, each filled node a key that exactly those below it know; a commit makes every key
        between one leaf and the root anew.
      </p>
      <div class="tree-frame">
        <TreeDrawing people={profile} nodes={nodes} renewed={renewed} added={added} epoch={epoch} />
      </div>
      <Legend added={added.size > 0} unmerged={nodes.some(({ unmergedLeaves }) => unmergedLeaves.length > 0)} />
      <p class="renewal">{renewalText(nodes, { renewed, added, epoch, people: profile })}</p>
      <dl class="facts">
        <div>
          <dt>Epoch</dt>
          <dd data-testid="epoch">{epoch.toString()}</dd>
        </div>
        <div>
          <dt>Authenticator, the same for all members</dt>
          <dd data-testid="authenticator">{grouped(firstDigits(conversation.epochAuthenticator))}</dd>
        </div>
      </dl>
      <details class="in-words">
        <summary>The tree in words</summary>
        <ul>
          {treeLines(nodes, renewed, profile).map((line) => (
            <li key={line}>{line}</li>
          ))}
          <li>
            Leaves:{" "}
            {nodes
              .filter(({ kind }) => kind === "leaf")
              .map(({ name, own }) => (name === undefined ? "blank" : `${profile.called(name)}${own ? " (you)" : ""}`))
              .join(", ")}
            .
          </li>
        </ul>
      </details>
      {enlarged && (
        <EnlargedTree onClose={() => setEnlarged(false)} title={`Ratchet tree of epoch ${epoch}`}>
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
        <Swatch kind="is-filled" /> holds a key
      </li>
      <li>
        <Swatch kind="is-filled is-renewed" /> renewed last
      </li>
      <li>
        <Swatch kind="is-blank" /> blank
      </li>
      {added && (
        <li>
          <Swatch kind="is-filled is-added" /> came with it
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
          leaves still without it
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

interface EnlargedTreeProps {
  readonly title: string
  readonly onClose: () => void
  readonly children: (scale: number) => preact.ComponentChildren
}

function EnlargedTree({ title, onClose, children }: EnlargedTreeProps) {
  const [step, setStep] = useState(() => SCALES.indexOf(fittingScale()))
  const scale = SCALES[step] ?? 1
  return (
    <Dialog title={title} onClose={onClose} wide>
      <div class="zoom" role="toolbar" aria-label="Size of the drawing">
        <button
          type="button"
          class="icon-button"
          aria-label="Smaller"
          disabled={step === 0}
          onClick={() => setStep(step - 1)}
        >
          <MinusIcon />
        </button>
        <output>{Math.round(scale * 100)} %</output>
        <button
          type="button"
          class="icon-button"
          aria-label="Larger"
          disabled={step === SCALES.length - 1}
          onClick={() => setStep(step + 1)}
        >
          <PlusIcon />
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by the keyboard. */}
      <section class="tree-scroll" tabIndex={0} aria-label="Drawing of the tree">
        {children(scale)}
      </section>
    </Dialog>
  )
}

/** The largest up to twice the natural size for which the window is wide enough. */
function fittingScale(): number {
  const room = Math.min(innerWidth, 1120) - 2 * 56
  return SCALES.findLast((scale) => scale <= 2 && scale * DRAWING_WIDTH <= room) ?? 1
}

function firstDigits(authenticator: Uint8Array): string {
  return Array.from(authenticator.subarray(0, AUTHENTICATOR_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  )
}
