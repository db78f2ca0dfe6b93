export interface ServiceAddresses {
  readonly delivery: URL
  readonly auth: URL
  /** Where the service offers sealed requests, if it does. */
  readonly fastOpen: URL
}

/** Where both services are, below one address: `http://host:port/` or with a path of its own. */
export function serviceAddresses(service: string | URL): ServiceAddresses {
  const base = new URL(service)
  if (!base.pathname.endsWith("/")) base.pathname += "/"
  return { delivery: new URL("delivery", base), auth: new URL("auth", base), fastOpen: new URL("fast-open", base) }
}
