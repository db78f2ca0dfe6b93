/** Of `@conclave/client`, as in its package.json. */
export const SDK_VERSION = "0.1.0"

/** What runs this program: a name and a version, of a browser the major one only. */
export function runtime(): string {
  const { process, navigator } = globalThis as {
    readonly process?: { readonly versions?: Readonly<Record<string, string>>; platform?: string; arch?: string }
    readonly navigator?: { readonly userAgent?: string }
  }
  const node = process?.versions?.node
  if (node !== undefined) return `Node ${node} ${process?.platform} ${process?.arch}`
  const agent = navigator?.userAgent ?? ""
  const [, name = "unknown", version = ""] =
    /(Edg|Firefox|Chrome)\/(\d+)/.exec(agent) ?? /(Version)\/(\d+)/.exec(agent) ?? []
  return `browser ${name === "Version" ? "Safari" : name} ${version}`.trim()
}
