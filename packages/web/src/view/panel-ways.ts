/** `isAlone`: the user is, so there is somebody to invite, and nothing else to see. */
export function focusPanel(isAlone: boolean): void {
  document.querySelector<HTMLElement>(isAlone ? ".invitation input" : ".group-head h2")?.focus()
}

/** Unfolds somebody, with the button to compare codes. */
export function openMember(): void {
  document.querySelector<HTMLElement>(".member-row[aria-expanded=false]")?.click()
}
