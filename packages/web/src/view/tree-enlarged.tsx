import type { TreeNode } from "@conclave/client/browser"
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks"
import { partWords } from "../words/words.js"
import { Dialog } from "./dialog.js"
import { MinusIcon, PlusIcon } from "./icons.js"
import { layoutTree } from "./tree-layout.js"
import { showRenewed } from "./tree-scroll.js"

export interface EnlargedTreeProps {
  readonly title: string
  readonly nodes: readonly TreeNode[]
  readonly onClose: () => void
  readonly children: (scale: number) => preact.ComponentChildren
}

/** Against the natural size, which the card has at most: what is enlarged is never smaller, however small the screen. */
const ENLARGED = { least: 1.5, most: 2.5 }
const SCALE_MAX = 4
const STEP = 1.25
/** Around the drawing, on both sides together. */
const PADDING = 34

export function EnlargedTree({ title, nodes, onClose, children }: EnlargedTreeProps) {
  const { width, height } = useMemo(() => layoutTree(nodes), [nodes])
  const box = useRef<HTMLElement>(null)
  const [scale, setScale] = useState<number>()
  const before = useRef<number | undefined>(undefined)
  const room = () => ({
    width: (box.current?.clientWidth ?? width) - PADDING,
    height: (box.current?.clientHeight ?? height) - PADDING,
  })
  const fitting = () => Math.min(room().width / width, room().height / height)
  useLayoutEffect(() => {
    setScale(Math.min(ENLARGED.most, Math.max(ENLARGED.least, fitting())))
  }, [])
  useLayoutEffect(() => {
    const shown = box.current
    if (scale === undefined || shown === null) return
    if (before.current === undefined) showRenewed(shown)
    else keepMiddle(shown, scale / before.current)
    before.current = scale
  }, [scale])
  const least = Math.min(0.25, fitting())
  const zoom = (by: number) => setScale(Math.min(SCALE_MAX, Math.max(least, (scale ?? 1) * by)))
  return (
    <Dialog title={title} onClose={onClose} wide>
      <div class="zoom" role="toolbar" aria-label={partWords().inspector.size}>
        <button
          type="button"
          class="icon-button"
          aria-label={partWords().inspector.smaller}
          disabled={scale !== undefined && scale <= least}
          onClick={() => zoom(1 / STEP)}
        >
          <MinusIcon />
        </button>
        <output>{Math.round((scale ?? 1) * 100)} %</output>
        <button
          type="button"
          class="icon-button"
          aria-label={partWords().inspector.larger}
          disabled={scale !== undefined && scale >= SCALE_MAX}
          onClick={() => zoom(STEP)}
        >
          <PlusIcon />
        </button>
        <button type="button" class="button button-quiet" onClick={() => setScale(fitting())}>
          {partWords().inspector.fit}
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by the keyboard. */}
      <section class="tree-scroll" tabIndex={0} aria-label={partWords().inspector.drawing} ref={box}>
        {children(scale ?? 1)}
      </section>
    </Dialog>
  )
}

/** What was in the middle stays there. */
function keepMiddle(box: HTMLElement, factor: number): void {
  const { clientWidth, clientHeight } = box
  box.scrollLeft = (box.scrollLeft + clientWidth / 2) * factor - clientWidth / 2
  box.scrollTop = (box.scrollTop + clientHeight / 2) * factor - clientHeight / 2
}
