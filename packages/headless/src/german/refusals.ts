import { type RefusalCode, refusalIn } from "@conclave/client"

const refusals: Readonly<Record<RefusalCode, (detail: string) => string>> = {
  suspended: (reason) => `Der Betreiber hat diesen Namen gesperrt. Er sagt dazu: „${reason}“`,
  clock: () => "Die Uhr dieses Geräts geht vor. Stell sie richtig",
  devices: (number) => `Der Name hat schon ${number} Geräte, mehr gehen nicht`,
  devicesToday: () => "Der Name hat heute schon viele Geräte bekommen, morgen geht wieder eins",
  outdated: () => "Diese Version ist zu alt für den Dienst. Lade eine neue",
}

/** Why a service refuses, where that has a code: one sentence without a full stop, or none. */
export function refusalSentences(text: string): readonly string[] {
  const refusal = refusalIn(text)
  return refusal === undefined ? [] : [refusals[refusal.code](refusal.detail)]
}
