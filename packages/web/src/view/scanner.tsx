import { useEffect, useRef } from "preact/hooks"
import { partWords } from "../words/words.js"

/** Not in every browser, and not in TypeScript's library: https://wicg.github.io/shape-detection-api/ */
interface BarcodeDetector {
  detect(source: HTMLVideoElement): Promise<readonly { readonly rawValue: string }[]>
}
type BarcodeDetectorClass = new (options: { readonly formats: readonly string[] }) => BarcodeDetector

const LOOK_MILLISECONDS = 200

function detectorClass(): BarcodeDetectorClass | undefined {
  return (globalThis as { BarcodeDetector?: BarcodeDetectorClass }).BarcodeDetector
}

export function canScan(): boolean {
  return detectorClass() !== undefined && navigator.mediaDevices?.getUserMedia !== undefined
}

export interface ScannerProps {
  /** What a QR code in front of the camera says; each time that it is seen. */
  readonly onFound: (text: string) => void
  /** There is no camera, or it may not be used. */
  readonly onFailed: () => void
}

/** The camera's picture, for as long as it is drawn. */
export function Scanner({ onFound, onFailed }: ScannerProps) {
  const video = useRef<HTMLVideoElement>(null)
  useEffect(() => {
    const Detector = detectorClass()
    const shown = video.current
    if (Detector === undefined || shown === null) return onFailed()
    let stream: MediaStream | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    let isOver = false
    const detector = new Detector({ formats: ["qr_code"] })
    const look = async () => {
      const found = await detector.detect(shown).catch(() => [])
      if (isOver) return
      if (found[0] !== undefined) onFound(found[0].rawValue)
      timer = setTimeout(() => void look(), LOOK_MILLISECONDS)
    }
    const start = async () => {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } })
      if (isOver) return end()
      shown.srcObject = stream
      await shown.play()
      await look()
    }
    const end = () => {
      for (const track of stream?.getTracks() ?? []) track.stop()
    }
    start().catch(() => !isOver && onFailed())
    return () => {
      isOver = true
      clearTimeout(timer)
      end()
    }
  }, [])
  return (
    <div class="scanner">
      <video ref={video} playsInline muted />
      <p class="hint" role="status">
        {partWords().compare.scanning}
      </p>
    </div>
  )
}
