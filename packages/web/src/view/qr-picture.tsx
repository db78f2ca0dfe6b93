import { useMemo } from "preact/hooks"
import { qrCode } from "../qr/qr-code.js"

/** Modules of light around it, as a reader needs them. */
const QUIET_ZONE = 4

/** Dark on light, whatever the page's colours are: many cameras read nothing else. */
export function QrPicture({ text, label }: { readonly text: string; readonly label: string }) {
  const { path, size } = useMemo(() => drawn(text), [text])
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect class="qr-light" width={size} height={size} />
      <path class="qr-dark" d={path} />
    </svg>
  )
}

function drawn(text: string): { readonly path: string; readonly size: number } {
  const code = qrCode(text)
  const path = code.flatMap((row, y) =>
    row.flatMap((isDark, x) => (isDark ? [`M${x + QUIET_ZONE} ${y + QUIET_ZONE}h1v1h-1z`] : [])),
  )
  return { path: path.join(""), size: code.length + 2 * QUIET_ZONE }
}
