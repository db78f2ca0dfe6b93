/** What this machine has and lacks. */
export const machine = {
  /** Why the provider of cryptography is not the fastest. */
  fallback: (reason: string) => reason,
}
