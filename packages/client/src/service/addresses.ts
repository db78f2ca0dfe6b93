/** Where both services are, below one address: `http://host:port/` or with a path of its own. */
export function serviceAddresses(service: string | URL): { readonly delivery: URL; readonly auth: URL } {
  const base = new URL(service)
  if (!base.pathname.endsWith("/")) base.pathname += "/"
  return { delivery: new URL("delivery", base), auth: new URL("auth", base) }
}
