import type { Handler } from "@conclave/transport"
import { type Listener, type ListenOptions, listen } from "../src/index.js"

export * from "@conclave/testing/transport"

export function serve(
  services: Readonly<Record<string, Handler>>,
  options: Partial<ListenOptions> = {},
): Promise<Listener> {
  return listen({ services, ...options })
}
