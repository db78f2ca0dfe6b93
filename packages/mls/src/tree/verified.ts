/** Whether `verify` says that the object, which is never changed, is valid for the purpose. What holds is remembered. */
export function isVerifiedOnce(object: object, purpose: string, verify: () => boolean): boolean {
  if (isKnownValid(object, purpose)) return true
  const valid = verify()
  if (valid) rememberValid(object, purpose)
  return valid
}

export const isKnownValid = (object: object, purpose: string): boolean => Verified.purposeOf(object) === purpose

/** The object, which is never changed, has been verified for the purpose. */
export function rememberValid(object: object, purpose: string): void {
  Verified.remember(object, purpose)
}

/** Takes {@link rememberValid} back. */
export function forgetValid(object: object): void {
  Verified.forget(object)
}

/** A base class whose constructor returns the object that it is given: fields of a subclass are put on that object. */
function Itself(value: object): object {
  return value
}

/**
 * What was decoded is not copied with this field, so that a changed copy has to be verified. A WeakMap of thousands of leaves costs
 * the collector of garbage more than they are worth: see docs/decisions/005-keeping-received-bytes.md.
 */
class Verified extends (Itself as unknown as new (value: object) => object) {
  #purpose: string | undefined

  private constructor(object: object) {
    super(object)
  }

  static purposeOf(object: object): string | undefined {
    return #purpose in object ? object.#purpose : undefined
  }

  static remember(object: object, purpose: string): void {
    const verified = Verified.#of(object)
    if (verified !== undefined) verified.#purpose = purpose
  }

  static #of(object: object): Verified | undefined {
    if (#purpose in object) return object
    return Object.isExtensible(object) ? new Verified(object) : undefined
  }

  static forget(object: object): void {
    if (#purpose in object) object.#purpose = undefined
  }
}
