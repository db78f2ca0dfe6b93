/** The leaf whose keys are new is in the middle of what is shown, where not all of the tree has room. */
export function showRenewed(frame: HTMLElement | null): void {
  const leaf = frame?.querySelector(".tree-node.is-leaf.is-renewed") ?? frame?.querySelector(".tree-node.is-own")
  if (frame === null || leaf === null || leaf === undefined) return
  const [outer, inner] = [frame.getBoundingClientRect(), leaf.getBoundingClientRect()]
  frame.scrollTop += inner.top + inner.height / 2 - (outer.top + outer.height / 2)
  frame.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2)
}
