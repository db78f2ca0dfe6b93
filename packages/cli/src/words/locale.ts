/** Apart from the catalogue, which a language's own words must not load. */
let spoken = "en"

/** Of times, dates and numbers: a tag of BCP 47. */
export const locale = (): string => spoken

export function setLocale(tag: string): void {
  spoken = tag
}
