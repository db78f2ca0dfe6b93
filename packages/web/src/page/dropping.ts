/**
 * A file that is dropped beside its target would take the page away, and show itself in its place. Here it does nothing, and
 * neither does one that is pasted; `onFiles` may say so. Returns how it ends.
 */
export function refuseFiles(onFiles: () => void): () => void {
  const refuse = (event: DragEvent | ClipboardEvent) => {
    const transfer = "dataTransfer" in event ? event.dataTransfer : event.clipboardData
    if (transfer === null || !transfer.types.includes("Files")) return
    // A picture that comes with its text, as of a table, is pasted as text.
    if (event.type === "paste" && transfer.types.includes("text/plain")) return
    event.preventDefault()
    if (event.type === "dragover") transfer.dropEffect = "none"
    else onFiles()
  }
  const events = ["dragover", "drop", "paste"] as const
  for (const event of events) addEventListener(event, refuse)
  return () => {
    for (const event of events) removeEventListener(event, refuse)
  }
}
