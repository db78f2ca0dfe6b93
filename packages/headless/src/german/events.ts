import type { EventReader, ToldEvent } from "@conclave/client"
import { has, have, one, place, several } from "./people.js"
import { refusalSentences } from "./refusals.js"
import { contradicted, deferred, deviceRevoked, failed, keyChanged, rejected } from "./trouble.js"

/**
 * What happened, as `eventWords` of the client says it in English: sentences without full stops, the most important one
 * first. Reasons are not among them, but for those of the service that have a code: client and service give them in English.
 */
export function event(event: ToldEvent, reader: EventReader): readonly string[] {
  return (kinds[event.type] as (event: ToldEvent, reader: EventReader) => readonly string[])(event, reader)
}

type Of<T extends ToldEvent["type"]> = Extract<ToldEvent, { readonly type: T }>

function members({ by, added, removed, left, rejoined }: Of<"members">, reader: EventReader): readonly string[] {
  const changes = [
    ...(added.length > 0 ? [`${several(added, reader)} hinzugefügt`] : []),
    ...(removed.length > 0 ? [`${several(removed, reader)} entfernt`] : []),
  ]
  return [
    ...(changes.length > 0 ? [`${has(by, reader)} ${changes.join(" und ")}`] : []),
    ...(left.length > 0 ? [`${have(left, reader)} die Unterhaltung verlassen`] : []),
    ...(rejoined.length > 0
      ? [`${has(by, reader)} ${several(rejoined, reader)} wieder aufgenommen, nachdem der Anschluss verloren war`]
      : []),
  ]
}

function invited({ by, members, continues }: Of<"invited">, reader: EventReader): readonly string[] {
  if (continues === undefined) {
    const others = members.filter((name) => name !== reader.name && name !== by)
    const whom = others.length === 0 ? "" : ` mit ${several(others, reader)}`
    return [`${one(by, reader)} lädt dich zu einer Unterhaltung${whom} ein`]
  }
  const { conversation, added, removed, known } = continues
  const instead = conversation.title === "" ? "" : `, statt in ${reader.title(conversation.title)}`
  const are = (names: readonly string[]) => {
    const listed = several(names, reader, "du")
    const begun = listed.startsWith("du") && names.includes(reader.name) ? `D${listed.slice(1)}` : listed
    return `${begun} ${names.length > 1 ? "sind" : names[0] === reader.name ? "bist" : "ist"}`
  }
  const differences = [
    ...(added.length > 0 ? [`${are(added)} neu`] : []),
    ...(removed.length > 0 ? [`${are(removed)} nicht mehr dabei`] : []),
  ]
  return [
    `${one(by, reader)} bittet dich, in einer neuen Gruppe weiterzumachen${instead}`,
    ...(differences.length > 0 ? differences : ["Dabei sind die, die dieses Gerät kannte"]),
    ...(known
      ? []
      : [
          `Was ${reader.person(by)} über die alten Mitglieder sagt, ist nicht, was dieses Gerät kannte: Frag nach, bevor du annimmst`,
        ]),
  ]
}

/** One row for each kind of event. */
const kinds: { readonly [T in ToldEvent["type"]]: (event: Of<T>, reader: EventReader) => readonly string[] } = {
  message: ({ from, ...content }, reader) => [
    `${one(from, reader)}${reader.conversation === undefined ? "" : ` in ${reader.conversation}`}: ${reader.content(content)}`,
  ],
  sent: (content, reader) => [
    `Du${reader.conversation === undefined ? "" : ` in ${reader.conversation}`}: ${reader.content(content)}`,
  ],
  joined: ({ members }, reader) => [
    `Du bist jetzt in ${place(reader)}`,
    `Mitglieder: ${several(members, reader, "du")}`,
  ],
  title: ({ from, title }, reader) => [`${has(from, reader)} die Unterhaltung ${reader.title(title)} genannt`],
  members,
  refreshed: ({ by }, reader) => [`${has(by, reader)} Schlüssel erneuert`],
  left: ({ by }, reader) => [
    by === reader.name ? "Du hast die Unterhaltung verlassen" : `${has(by, reader)} dich aus ${place(reader)} entfernt`,
    "Dieses Gerät hat seine Schlüssel vernichtet und kann nicht lesen, was ab jetzt gesendet wird",
  ],
  invited,
  declined: ({ name, reason }, reader) =>
    reason === "declined"
      ? [`${has(name, reader)} die Einladung abgelehnt`]
      : reason === "limit"
        ? [`${has(name, reader)} die Einladung nicht gesehen: Es waren zu viele von derselben Person`]
        : [
            `${has(name, reader)} die Einladung abgelehnt: Das Gerät dort akzeptiert die Identität eines Mitglieds nicht`,
            `Vergleicht eure Sicherheitscodes${reader.how({ type: "compareSafetyCodes" })}`,
          ],
  displayName: ({ name, before, after }, reader) => [
    after === undefined
      ? `${reader.personAs(name, before)} hat keinen Anzeigenamen mehr`
      : `${reader.personAs(name, before)} heißt jetzt ${reader.personAs(name, after)}`,
  ],
  keyChanged,
  recoveryKey: ({ name, change }, reader) => {
    if (change === "refused") {
      const whose = name === reader.name ? "deinem Namen" : reader.person(name)
      return [
        `Das Verzeichnis zeigt zu ${whose} einen anderen Notfallschlüssel`,
        "Dieses Gerät hält sich an den, den es kannte: Den anderen hat jemand sonst gemacht, oder das Verzeichnis",
      ]
    }
    return change === "made"
      ? [
          "Zu deinem Namen wurde ein Notfallschlüssel gemacht",
          "Wer ihn hat, sperrt jedes deiner Geräte und bringt neue dazu",
          "Wenn du ihn nicht gemacht hast, war es ein Dieb deines ältesten Geräts: Sag es denen, mit denen du schreibst, und nimm einen anderen Namen",
        ]
      : [
          "Der Notfallschlüssel deines Namens wurde ersetzt",
          "Wer den neuen hat, sperrt jedes deiner Geräte und bringt neue dazu",
          "Wenn du es nicht warst, hat jemand den alten: Sag es denen, mit denen du schreibst, und nimm einen anderen Namen",
        ]
  },
  returned: ({ name }, reader) =>
    name === reader.name
      ? [
          "Mit dem Notfallschlüssel kam ein Gerät zu deinem Namen",
          "Wenn es nicht deins ist, hat jemand deinen Notfallschlüssel: Ersetze ihn und sperr damit das Gerät",
        ]
      : [
          `${one(name, reader)} ist mit dem Notfallschlüssel zurück`,
          "Der Schlüssel, der getrennt von den Geräten aufbewahrt wird, hat das neue Gerät bestätigt: Es wurde angenommen",
          `Der Sicherheitscode hat sich geändert: Vergleicht ihn noch einmal${reader.how({ type: "compareSafetyCodes" })}`,
        ],
  deviceRevoked,
  failed,
  rejected,
  halted: ({ names }, reader) => [
    `In ${place(reader)} wird nichts gesendet, bis du dich entschieden hast: ${several(names, reader) || "Ein Mitglied"} hat einen neuen Schlüssel`,
  ],
  recovered: ({ by }, reader) => [
    by === ""
      ? `Dieses Gerät hatte in ${place(reader)} den Anschluss verloren und ist wieder dabei`
      : `${has(by, reader)} dieses Gerät wieder in ${place(reader)} aufgenommen, wo es den Anschluss verloren hatte`,
    "Nachrichten aus der Zwischenzeit fehlen hier",
  ],
  stuck: ({ canKnock }, reader) => [
    `Dieses Gerät kommt in ${place(reader)} nicht mehr mit`,
    canKnock
      ? "Es hat die anderen Mitglieder gebeten, es wieder aufzunehmen; eins ihrer Geräte tut das von allein"
      : "Bitte ein Mitglied, dich zu entfernen und wieder einzuladen",
    `Wenn das niemand tut, macht in einer neuen Gruppe weiter${reader.how({ type: "restart", without: "" })}`,
  ],
  copied: (_, reader) => [
    `Jemand anders hat in ${place(reader)} als dieses Gerät gehandelt`,
    "Wenn du eine ältere Kopie dieses Geräts zurückgespielt hast, ist alles gut: Es bittet darum, wieder aufgenommen zu werden",
    "Wenn nicht, hat jemand eine Kopie davon: Bitte ein Mitglied, am Telefon oder persönlich, dich zu entfernen",
  ],
  contradicted,
  service: ({ change }) =>
    change === "restored"
      ? [
          "Der Dienst wurde aus einer Sicherung wiederhergestellt",
          "Was ihm fehlt, gibt dieses Gerät zurück, wo es kann: Zehn Minuten lang warten Einladungen, das Entfernen und Nachrichten, die danach geschrieben werden",
        ]
      : [
          "Der Dienst ist nicht der, den dieses Gerät kennt",
          "Er wurde neu aufgesetzt, oder jemand ist an seiner Stelle: Frag den Betreiber, am Telefon oder persönlich",
        ],
  stopped: ({ by }, reader) => [
    `In ${place(reader)} kann niemand weitermachen`,
    `${has(by, reader)} die anderen ausgesperrt`,
    `Mach mit denen, denen du vertraust, in einer neuen Gruppe weiter${reader.how({ type: "restart", without: by })}`,
  ],
  lost: (_, reader) => [
    `Dieses Gerät hat den Anschluss in ${place(reader)} verloren`,
    "Bitte ein Mitglied, dich zu entfernen und wieder einzuladen",
  ],
  missing: (_, reader) => [
    `Der Dienst zeigt nicht alles, was in ${place(reader)} sein sollte`,
    "Verloren ist nichts: Dieses Gerät behält alles und fragt eine Woche lang nach",
    `Wenn es nicht wiederkommt, macht in einer neuen Gruppe weiter${reader.how({ type: "restart", without: "" })}`,
  ],
  retired: ({ goneAt }, reader) => [
    `Ein Mitglied hat den Dienst gebeten, in ${place(reader)} alles um ${reader.time(goneAt)} zu löschen`,
    "Was du gelesen hast, bleibt auf diesem Gerät. Um die Unterhaltung zu behalten, schreib etwas hinein",
  ],
  erased: ({ name }, reader) => [
    `Der Name ${reader.person(name)} wurde beim Dienst gelöscht, mit allen Geräten`,
    "Niemand kann ihn wieder registrieren. Was auf diesem Gerät ist, bleibt, bis das Profil gelöscht wird",
  ],
  deferred,
  throttled: ({ retryAt }, reader) => [
    `Der Dienst ist bis ${reader.time(retryAt)} ausgelastet`,
    "Was du schreibst, bleibt hier und wird danach gesendet",
  ],
  update: () => ["Du brauchst ein Update"],
  unavailable: ({ reason }, reader) => [
    `Der Dienst lehnt ab, was er bisher angenommen hat${reader.conversation === undefined ? "" : `, in ${reader.conversation}`}`,
    ...refusalSentences(reader.reason(reason)),
    "Aufgegeben wird nichts: Dieses Gerät fragt wieder",
    ...(reader.conversation === undefined ? ["Wenn es anhält, wende dich an den Betreiber des Dienstes"] : []),
  ],
}
