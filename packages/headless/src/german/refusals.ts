import { type RefusalCode, refusalIn } from "@conclave/client"

const refusals: Readonly<Record<RefusalCode, (detail: string) => string>> = {
  suspended: (reason) => `der Betreiber hat diesen Namen gesperrt. Er sagt dazu: „${reason}“`,
  clock: () => "die Uhr dieses Geräts geht vor. Stell sie richtig",
  devices: (number) => `der Name hat schon ${number} Geräte, mehr gehen nicht`,
  devicesToday: () => "der Name hat heute schon viele Geräte bekommen, morgen geht wieder eins",
  outdated: () => "diese Version ist zu alt für den Dienst. Lade eine neue",
}

/** Why a service refuses, where that has a code: to follow a colon, without a full stop. */
export function refusal(text: string): string | undefined {
  const found = refusalIn(text)
  return found && refusals[found.code](found.detail)
}

/** The same as a sentence, without a full stop; none where it has no code. */
export function refusalSentences(text: string): readonly string[] {
  const said = refusal(text)
  return said === undefined ? [] : [capitalized(said)]
}

export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
