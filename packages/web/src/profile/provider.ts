import { ClientError } from "@conclave/client/browser"
import { browserProvider } from "@conclave/crypto/web"

type Provider = Awaited<ReturnType<typeof browserProvider>>

/** The files of the cryptography did not come. */
export class NoCryptography extends ClientError {
  constructor(cause: unknown) {
    super("UNAVAILABLE", "the cryptography of this page cannot be loaded", cause)
  }
}

let loading: Promise<Provider> | undefined

/**
 * The cryptography of the page, whose conversations are all of suite 1: loaded once, from files of their own that nothing
 * needs before somebody has a name. Rejects with `UNAVAILABLE` where they do not come; the next call asks for them again.
 */
export function pageProvider(): Promise<Provider> {
  loading ??= browserProvider({ curves: "25519" }).catch((error: unknown) => {
    loading = undefined
    throw new NoCryptography(error)
  })
  return loading
}
