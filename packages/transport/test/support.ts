import { type Listener, type ListenOptions, listen } from "@conclave/server"
import type { Handler } from "../src/index.js"

export * from "@conclave/testing/transport"

export function serve(
  services: Readonly<Record<string, Handler>>,
  options: Partial<ListenOptions> = {},
): Promise<Listener> {
  return listen({ services, ...options })
}
