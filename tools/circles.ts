import { importsOf, resolveRelative } from "./imports.js"

/** Modules that import each other, types included, as a list of the modules' names in order. */
export type Circle = readonly string[]

/** What each module imports of the others; `sources` are texts by path from the root. */
export function importGraph(sources: ReadonlyMap<string, string>): Map<string, readonly string[]> {
  const graph = new Map<string, readonly string[]>()
  for (const [file, source] of sources) {
    const targets = importsOf(source)
      .filter(({ specifier }) => specifier.startsWith("."))
      .map(({ specifier }) => resolveRelative(file, specifier))
      .flatMap((target) => [target, target.replace(/\.ts$/, ".tsx")])
      .filter((target) => sources.has(target))
    graph.set(file, [...new Set(targets)].sort())
  }
  return graph
}

/**
 * The strongly connected components of more than one module, and the modules that import themselves. Tarjan's algorithm:
 * https://doi.org/10.1137/0201010.
 */
export function circles(graph: ReadonlyMap<string, readonly string[]>): Circle[] {
  const found: Circle[] = []
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const onStack = new Set<string>()
  const visit = (module: string) => {
    order.set(module, order.size)
    low.set(module, order.get(module)!)
    stack.push(module)
    onStack.add(module)
    for (const next of graph.get(module) ?? []) {
      if (!order.has(next)) visit(next)
      else if (!onStack.has(next)) continue
      low.set(module, Math.min(low.get(module)!, low.get(next)!))
    }
    if (low.get(module) !== order.get(module)) return
    const component = stack.splice(stack.indexOf(module))
    for (const one of component) onStack.delete(one)
    if (component.length > 1 || graph.get(module)!.includes(module)) found.push(component.sort())
  }
  for (const module of [...graph.keys()].sort()) if (!order.has(module)) visit(module)
  return found.sort((a, b) => (a[0]! < b[0]! ? -1 : 1))
}

/** A shortest path from a circle's first module back to it: `a → b → a`. */
export function wayRound(circle: Circle, graph: ReadonlyMap<string, readonly string[]>): string {
  const first = circle[0]!
  const reachedFrom = new Map<string, string>()
  const queue = [first]
  for (const module of queue) {
    for (const next of graph.get(module)!.filter((it) => circle.includes(it))) {
      if (next === first) {
        const way = [first]
        for (let at = module; at !== first; at = reachedFrom.get(at)!) way.unshift(at)
        return [first, ...way].join(" → ")
      }
      if (reachedFrom.has(next)) continue
      reachedFrom.set(next, module)
      queue.push(next)
    }
  }
  throw new Error(`${first} is in no circle`)
}
