import { reason } from "@conclave/headless/german"
import type { Words } from "../form.js"

export const send: Words["send"] = {
  progress: "Es wird gesendet",
  sending: (number, all) => `Nachricht ${number} von ${all} wird gesendet`,
  abandoned: "Hinweis: Eine frühere Eingabe wurde nicht zu Ende gesendet; was davon fehlt, wird nicht mehr gesendet",
  goingOn: (done, all) => `weiter nach einer Unterbrechung: ${done} von ${all} Nachrichten waren schon gesendet`,
  gaveUp: (at) =>
    `der Dienst unter ${at} hat nicht alles rechtzeitig angenommen; derselbe Befehl mit derselben Eingabe macht weiter`,
  type: "Gib die Nachricht ein; Strg-D am Anfang einer Zeile beendet sie.",
  tooLarge: (mebibytes) => `die Eingabe ist größer als ${mebibytes} MiB`,
  empty: "die Eingabe ist leer: Es gibt nichts zu senden",
}

export const receive: Words["receive"] = {
  exclusive: "--lines und --json schließen sich aus",
  waiting: "Es wird auf eine Nachricht gewartet",
  nothing: "nichts ist",
  only: (received, wanted) => `nur ${received} von ${wanted} Nachrichten sind`,
  inTime: (what, invitations) =>
    `${what} rechtzeitig angekommen${
      invitations === 0
        ? ""
        : invitations === 1
          ? "; 1 Einladung hat keine Antwort"
          : `; ${invitations} Einladungen haben keine Antwort`
    }`,
}

export const devices: Words["devices"] = {
  registered: (time) => `registriert ${time}`,
  byRecoveryKey: "bestätigt mit dem Notfallschlüssel",
  first: "das erste",
  endorsedBy: (id) => `bestätigt von ${id}`,
  thisDevice: "dieses Gerät",
  unknown: "unbekannt",
  revokedWith: "gesperrt mit dem Gerät, das es bestätigt hat",
  revoked: (time, by) => `gesperrt ${time}${by === undefined ? " mit dem Notfallschlüssel" : ` von ${by}`}`,
  thisRevoked: "dieses Profil wurde gesperrt",
  noneBegins: (who, digits) => `kein Gerät von ${who} beginnt mit ${digits}`,
  severalBegin: (who, digits) => `mehr als ein Gerät von ${who} beginnt mit ${digits}`,
  digits: (least, given) => `ein Gerät hat ${least} oder mehr Zeichen von 0-9 und a-f, nicht ${given}`,
}

export const recovery: Words["recovery"] = {
  isSet: (who) => `${who} hat einen Notfallschlüssel: --replace ersetzt ihn`,
  isNotSet: (who) => `${who} hat keinen Notfallschlüssel, der sich ersetzen ließe`,
  typeOld: "Gib den Notfallschlüssel ein, den du hast:",
  writeDown: "Schreib ihn auf und bewahre ihn getrennt von deinen Geräten auf. Er wird nicht noch einmal gezeigt.",
  typeNew: "Gib ihn so ein, wie du ihn aufgeschrieben hast:",
  different: "das ist nicht, was gezeigt wurde: Nichts wurde geändert",
  done: (who) => `das ist jetzt der Notfallschlüssel von ${who}, und deine anderen Geräte erfahren es`,
  noInput: "aus der Eingabe kam kein Notfallschlüssel: Nichts wurde geändert",
  exclusive: "entweder --revoke oder --revoke-others",
  type: (who) => `Gib den Notfallschlüssel von ${who} ein:`,
  notAKey: (fault) => reason(fault) ?? "das ist kein Notfallschlüssel: Prüfe jedes Zeichen",
}
