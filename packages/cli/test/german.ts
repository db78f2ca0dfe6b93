/** Words that German has not. */
export const ENGLISH =
  /(?<![\p{L}\p{N}„/-])(the|and|you|your|yours|are|with|not|this|that|from|have|has|it|they|them|who|whom|of|to|be|been|reads?|sent|message|messages|device|key|invited?|cannot|again|somebody|nobody|mixed|is|file|folder|there|which|does|what)(?![\p{L}\p{N}-])/iu

/** Names that are typed, or that others have given: they are in no language. */
const NAMES = [
  /[A-Z]+(?:_[A-Z]+)+/g,
  /--[a-z][\w-]*/g,
  /\/(?:healthz|readyz|fast-open|metrics|\w+)(?= |\b)/g,
  /conclave(?: [a-z-]+)+/g,
  /(?:https?|postgres|nats):\/\/\S+/g,
  /client\.\w+\(\)/g,
  /„[^“]*“/g,
  /\((?:auf )?--?[^)]*\)/g,
  /TCP Fast Open|Fast Open|key package/g,
  /conversation, title, from, messageId, seq, sentAt|einer conversation und eines from/g,
]

/** A text without those. */
export function inGerman(text: string): string {
  return NAMES.reduce((left, name) => left.replace(name, " "), text)
}
