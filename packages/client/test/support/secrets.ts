/** What must not be found, with a word for what it is. */
export interface Secret {
  readonly what: string
  readonly forms: readonly string[]
}

const encoder = new TextEncoder()
/** Shorter ones turn up by chance. */
const FORM_LENGTH_MIN = 6

/** Looks for secrets in texts: as they are, in hexadecimal, in base64, as lists of numbers. */
export class Secrets {
  readonly #secrets = new Map<string, Secret>()

  get count(): number {
    return this.#secrets.size
  }

  text(...texts: readonly string[]): void {
    for (const text of texts) {
      const escaped = JSON.stringify(text).slice(1, -1)
      const ascii = text.replace(/[^\x20-\x7e]/gu, (it) => [...it].map(unicodeEscape).join(""))
      const forms = [text, escaped, ascii, encodeURIComponent(text), ...formsOf(encoder.encode(text))]
      this.#add(text, forms)
      // Parts of it would be as bad.
      for (const word of text.split(/[\s,:;/]+/)) if (word.length >= 8) this.#add(`${text}: ${word}`, [word])
    }
  }

  bytes(what: string, bytes: Uint8Array): void {
    // Blank and constant parts of records are no secrets.
    if (new Set(bytes).size > 8) this.#add(`${what} ${Buffer.from(bytes).toString("hex")}`, formsOf(bytes))
  }

  #add(what: string, forms: readonly string[]): void {
    this.#secrets.set(what, { what, forms: [...new Set(forms)].filter(({ length }) => length >= FORM_LENGTH_MIN) })
  }

  /** Which secrets are in which text. */
  found(texts: readonly string[]): readonly string[] {
    const all = texts.join("\0")
    const lower = all.toLowerCase()
    const isIn = (form: string) => all.includes(form) || lower.includes(form)
    const hits = [...this.#secrets.values()].filter(({ forms }) => forms.some(isIn))
    return hits.map(({ what, forms }) => {
      const text = texts.find((it) => forms.some((form) => it.includes(form) || it.toLowerCase().includes(form)))
      return `${what} in ${text}`
    })
  }
}

function unicodeEscape(character: string): string {
  return [...Array(character.length).keys()]
    .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`)
    .join("")
}

function formsOf(bytes: Uint8Array): readonly string[] {
  const buffer = Buffer.from(bytes)
  const aligned = [0, 1, 2].flatMap((shift) => {
    // Whatever stands before: whole groups of three bytes of it look the same.
    const whole = buffer.subarray((3 - shift) % 3)
    const text = whole.subarray(0, whole.length - (whole.length % 3))
    return [text.toString("base64"), text.toString("base64url")]
  })
  return [buffer.toString("hex"), buffer.toString("latin1"), [...bytes].join(","), ...aligned]
}
