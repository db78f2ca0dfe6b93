export interface ServiceAddresses {
  readonly delivery: URL
  readonly auth: URL
  /** Where the service offers sealed requests, if it does. */
  readonly fastOpen: URL
}

const VALUE_LENGTH_SHOWN = 60

/**
 * Where both services are, below one address: `http://host:port/` or with a path of its own. Throws `TypeError` for
 * anything else.
 */
export function serviceAddresses(service: string | URL): ServiceAddresses {
  const base = URL.canParse(service) ? new URL(service) : undefined
  if (base === undefined || !["http:", "https:"].includes(base.protocol)) {
    const value = JSON.stringify(String(service).slice(0, VALUE_LENGTH_SHOWN))
    throw new TypeError(`the option service must be an http:// or https:// address, not ${value}`)
  }
  if (!base.pathname.endsWith("/")) base.pathname += "/"
  return { delivery: new URL("delivery", base), auth: new URL("auth", base), fastOpen: new URL("fast-open", base) }
}
