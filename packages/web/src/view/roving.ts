/**
 * One stop of the tab key for a whole list: the arrow keys, Home and End move among the elements of `list` that carry
 * `data-roving`; the caller keeps `tabIndex` 0 on one of them.
 */
export function moveInList(event: KeyboardEvent, list: HTMLElement | null): void {
  const stops = [...(list?.querySelectorAll<HTMLElement>("[data-roving]") ?? [])]
  const at = stops.indexOf(document.activeElement as HTMLElement)
  if (at === -1) return
  const targets: Record<string, number> = {
    ArrowDown: Math.min(at + 1, stops.length - 1),
    ArrowUp: Math.max(at - 1, 0),
    Home: 0,
    End: stops.length - 1,
  }
  const target = targets[event.key]
  if (target === undefined) return
  event.preventDefault()
  stops[target]?.focus()
}
