import type { HelpWords } from "../form.js"

export const serviceHelp: HelpWords["service"] = {
  serve: {
    summary: "den Dienst und die Seite anbieten, in einem Prozess auf einer Datei",
    description: [
      "Der Dienst ordnet Nachrichten und bewahrt sie auf, ohne sie lesen zu können. Strg-C oder SIGTERM beendet ihn, wenn er die laufenden Anfragen beantwortet hat.",
      "Er spricht HTTP. Für andere Rechner stell einen Proxy mit TLS davor, sag mit --public-url, was Browser öffnen, und nenne den Proxy mit --trust-proxy: docs/deploying.md hat Dateien für Caddy, nginx und HAProxy.",
      "Für eine Aufsicht antwortet /healthz, solange er läuft, und /readyz, solange sich seine Datei lesen lässt. Mit einer Datenbank übergibt SIGTERM die Programme zuerst an andere solche Prozesse: /readyz sagt sofort 503, und WebSockets werden nacheinander geschlossen (--drain).",
      "Mit DATABASE_URL bewahrt er alles in PostgreSQL auf statt in einer Datei, und beliebig viele solche Prozesse bedienen dieselben Gruppen: docs/operating.md. Was neu ist, sagen sie sich über die Datenbank, oder mit NATS_URL über NATS; ohne beides sieht man in Sekunden, was andere schreiben.",
      "Mit --fast-open beantwortet er auch versiegelte Anfragen, an einem eigenen Port, vor dem kein Proxy sein darf: ein halber Hin- und Rückweg zum Dienst, wo beide Systeme Daten im ersten Paket erlauben, und nichts, was sich verfolgen ließe. Er bietet sie über HTTP an, unter /fast-open. Über einfaches HTTP ist dieser erste Kontakt nicht gesichert: Jemand dazwischen könnte einen anderen Schlüssel anbieten. HTTPS verhindert das, und ebenso der Schlüssel des Dienstes, der beim Start gezeigt wird und den man Programmen mit --server-key geben kann.",
      "Die Schlüssel dafür sind in fast-open.keys, nur für den Besitzer. Die des Tages werden täglich ersetzt und nach zwei Tagen vernichtet; der Schlüssel des Dienstes bleibt. Ein Datenordner ist für einen Dienst zur selben Zeit.",
      "Mehrere solche Prozesse unter einer Adresse teilen sich diese Schlüssel mit --fast-open-keys shared: Sie sind dann in der Datenbank, versiegelt mit einem Geheimnis, das jeder Prozess bekommt, mit --fast-open-secret oder als CONCLAVE_FAST_OPEN_SECRET (64 hexadezimale Ziffern, wie openssl rand -hex 32 sie macht). Mit eigenen Schlüsseln verliert ein Programm, das einen anderen Prozess trifft als vorher, einen Hin- und Rückweg, und der Schlüssel des Dienstes ist überall ein anderer.",
    ],
    options: {
      port: "wo er Verbindungen annimmt; 0: irgendein freier",
      host: "die Adresse, an der er Verbindungen annimmt",
      nats: "Server von NATS, über die solche Prozesse sich Hinweise geben",
      connections: "Verbindungen zur selben Zeit: 1/8 für eine Adresse, 1/4 für ein Netz",
      "trust-proxy": "Proxys davor (oder Netze davon), deren X-Forwarded-For geglaubt wird",
      "public-url": "was Browser öffnen, wie https://chat.example.org/ (ein Pfad kann folgen)",
      "allow-origin": "andere Herkünfte, deren Seiten ihn benutzen dürfen, wie https://app.example.org",
      "allow-host": "Namen, auf die er hört, außer denen dieses Rechners und dem öffentlichen",
      quota: "wie viel er auf der Festplatte belegt; dann wird nur noch gelesen (Datei: 10G)",
      "no-blobs": "keine Anhänge aufbewahren: Sie werden abgelehnt",
      retention: "wie lange Nachrichten bleiben; Commits sechsmal so lang",
      metrics: "Zahlen für Prometheus, unter http://127.0.0.1:PORT/metrics (oder HOST:PORT)",
      drain: "am Ende so lange Programme an andere übergeben (Datenbank: 10; Datei: 0)",
      "fast-open": "auch versiegelte Anfragen beantworten",
      "fast-open-port": "wo sie ankommen (sonst: der nächste Port; 0: irgendein freier)",
      "fast-open-policy": "private: Daten im ersten Paket, kein Cookie; off: dort keine",
      "fast-open-keys": "own (üblich), oder shared mit allen Prozessen auf der Datenbank",
      "fast-open-secret": "womit geteilte Schlüssel dort versiegelt sind: 64 hexadezimale Ziffern",
    },
  },
  backup: {
    summary: "einen Dienst, der laufen darf, in eine Datei kopieren",
    description: [
      "Die Datei enthält alles, was der Dienst in einem Augenblick hat, seinen Signaturschlüssel, sein Geheimnis für Ausweise und seinen Schlüssel für versiegelte Anfragen, wenn er einen hat. Wer die Datei hat, kann sich als der Dienst ausgeben. Nur ihr Besitzer kann sie lesen; bewahre sie auf wie den Datenordner.",
      "Die Schlüssel des Tages für versiegelte Anfragen fehlen darin, weil sie nach zwei Tagen vernichtet werden sollen: Programme bekommen neue.",
      "Anhänge sind in einer eigenen Datei neben der des Dienstes und nicht in der Sicherung: Beende den Dienst und kopiere auch diese Datei, um sie zu behalten.",
      "Profile von Leuten gehören nicht dem Dienst und sind nicht darin. Spiel nie ein Profil aus einer Kopie zurück.",
    ],
    operand: "die Sicherung, die geschrieben wird",
    options: {
      force: "DATEI ersetzen, wenn es sie gibt",
      json: "als einen Wert in JSON schreiben, was sie enthält",
    },
  },
  restore: {
    summary: "einen Dienst aus einer Sicherung wiederherstellen",
    description: [
      "Auf dem Datenordner darf kein Dienst laufen. Der Dienst, der zurückkommt, kündigt eine neue Inkarnation an, signiert mit seinem Schlüssel. Programme bemerken das und geben Commits und das Entfernen zurück, die der Sicherung fehlen. Nachrichten, die nach der Sicherung kamen, bleiben bei denen, die sie haben, und sind für andere verloren.",
      "Mit --replace sind Namen, die nach der Sicherung gesperrt, und Gruppen, die danach geschlossen wurden, es wieder.",
      "Die Inkarnation muss höher sein als jede, die Programme gesehen haben, sonst bemerken sie nichts. Sie ist die Zeit in Sekunden, oder eins über der der Sicherung und der Datei, die --replace ersetzt, wo das höher ist. Wenn eine frühere Wiederherstellung nach einer Uhr gemacht wurde, die vorging, und ihre Datei verloren ist, gib --incarnation N an: mit N über der Zahl, die sie gezeigt hat.",
    ],
    operand: "eine Datei, die conclave backup geschrieben hat",
    options: {
      replace: "die Datei des Dienstes, die da ist, unter einem Namen mit Datum behalten",
    },
  },
  migrate: {
    summary: "einen Dienst aus seiner Datei nach PostgreSQL umziehen",
    description: [
      "Alles, was der Dienst hat, kommt mit, auch sein Signaturschlüssel und seine Inkarnation: Programme merken nichts als die Pause. Anhänge und Anmeldungen für Push kommen nicht mit. Auf der Datei darf kein Dienst laufen, und die Datenbank muss leer sein.",
      "Am Ende wird beides verglichen und die Datei gekennzeichnet, und dann können Prozesse auf der Datenbank starten. Auf einer gekennzeichneten Datei startet kein Dienst: Er würde dort mit eigenen Protokollen weitermachen, und Programme hielten ihn für einen Lügner. Bis zum Ende ist nichts gekennzeichnet, und nichts wird aus der Datenbank bedient.",
      "Was abgebrochen wurde, macht derselbe Befehl: Er beginnt von vorn. docs/operating.md sagt, was vorzubereiten ist und wie es zurückgeht.",
    ],
    options: {
      from: "die service.db, oder ihr Datenordner",
      to: "PostgreSQL, wie postgres://user:password@host:5432/database",
    },
  },
  admin: {
    summary: "sehen, was ein Dienst hat, Namen sperren, Gruppen schließen",
    description: [
      "Für den Besitzer der Datei des Dienstes, oder wer in seine Datenbank schreiben darf (DATABASE_URL), ob der Dienst läuft oder nicht. Was getan wird, gilt ab seiner nächsten Anfrage und bleibt dort stehen, mit Zeit, Benutzer des Systems und Grund: conclave admin log zeigt es.",
      "Ein Dienst kennt keine Mitglieder und keine Inhalte: docs/operating.md sagt, was es zu sehen gibt, und was Schließen und Sperren können und nicht können.",
    ],
  },
  "admin status": {
    summary: "Größen, Alter, und was gesperrt oder geschlossen ist",
    description: [
      "Es liest die ganze Datei, in einer Transaktion: Neben einem Dienst mit viel Betrieb wächst währenddessen dessen Schreibprotokoll.",
    ],
  },
  "admin groups": {
    summary: "IDs, Größen und Zeiten von Gruppen: Mehr ist nicht bekannt",
  },
  "admin names": {
    summary: "registrierte Namen, und wie viele Geräte jeder hat",
    options: {
      like: "nur die, in denen TEXT vorkommt",
    },
  },
  "admin suspend": {
    summary: "einen Namen sperren",
    description: [
      "Das Verzeichnis antwortet zu dem Namen wie zu einem, den niemand hat, seine Schlüsselpakete werden nicht ausgegeben, keine Einladung kommt in seine Eingangsfächer, und was seine Geräte signieren, wird abgelehnt: Die Person sieht den Grund. Der Name bleibt vergeben.",
      "Der Dienst kann niemanden aus einer Unterhaltung entfernen: Was von einer Gruppe verlangt wird, nennt keinen Namen. Ein gesperrtes Mitglied liest und schreibt dort, bis ein anderes es entfernt.",
    ],
    operand: "der Name, der gesperrt wird",
  },
  "admin resume": {
    summary: "einen gesperrten Namen wieder zulassen",
    description: ["Er ist wie vorher. Einladungen, die warteten, als er gesperrt wurde, und noch da sind, kommen an."],
    operand: "der Name",
  },
  "admin close-group": {
    summary: "alles von einer Gruppe löschen, für immer",
    description: [
      "Ihre ID wird nie wieder benutzt. Mitglieder behalten ihre Verläufe, erfahren, dass der Dienst die Unterhaltung nicht hat, und können in einer neuen Gruppe weitermachen. Frühere Sicherungen haben sie noch.",
    ],
    operand: "die ID, wie conclave admin groups sie zeigt",
  },
  "admin announce-restore": {
    summary: "Programmen sagen, dass die Datenbank wiederhergestellt wurde",
    description: [
      "Einmal zu tun, nachdem ein Abzug oder eine Sicherung der Datenbank eingespielt wurde, oder eine Replik übernommen hat, die zurücklag, und bevor der erste Prozess startet: Es wird abgelehnt, solange einer verbunden ist. Der Dienst kündigt eine neue Inkarnation an, signiert mit seinem Schlüssel. Programme bemerken das und geben Commits und das Entfernen zurück, die fehlen.",
      "Die Inkarnation muss höher sein als jede, die Programme gesehen haben, sonst bemerken sie nichts. Sie ist die Zeit in Sekunden, oder eins über der der Sicherung, wo das höher ist. Wenn eine frühere nach einer Uhr angekündigt wurde, die vorging, gib --incarnation N an.",
      "Ein Dienst in einer Datei braucht das nicht: conclave restore kündigt an, was es wiederherstellt.",
    ],
  },
  "admin log": {
    summary: "was gesperrt, geschlossen und gelöscht wurde: wann, von wem, warum",
    description: [
      "Nichts wird daraus entfernt. Es ist in Sicherungen, und eine Wiederherstellung mit --replace behält, was danach kam.",
    ],
  },
  account: {
    summary: "einer Person zeigen, was ein Dienst zu einem Namen hat, oder ihn löschen",
    description: [
      "Für den Besitzer der Datei des Dienstes, oder wer in seine Datenbank schreiben darf (DATABASE_URL), ob der Dienst läuft oder nicht, wie conclave admin. Eine Person tut dasselbe ohne Betreiber, in einer App: client.exportAccount() und client.eraseAccount().",
      "Was ein Dienst zu einem Namen nicht sagen und nicht löschen kann: in welchen Unterhaltungen er ist, was er gesagt hat. docs/operating.md sagt, warum, und was bleibt.",
    ],
  },
  "account export": {
    summary: "alles ausgeben, was zu einem Namen da ist, als JSON",
    description: [
      "Geräte, Schlüsselpakete, und Größen und Zeiten dessen, was in Eingangsfächern wartet. notKnown sagt in einfachen Worten, auf Englisch, was der Dienst zu dem Namen nicht wissen kann.",
    ],
    operand: "der Name",
  },
  "account erase": {
    summary: "einen Namen für immer löschen: Niemand bekommt ihn wieder",
    description: [
      "Geräte, Schlüsselpakete, Eingangsfächer und Anzeigename werden in einer Transaktion gelöscht, und Name und Geräte werden nie wieder registriert: Von jedem bleibt eine Prüfsumme. Es gibt keinen Weg zurück.",
      "Der Dienst kann die Person nicht aus Unterhaltungen entfernen: Das tun Mitglieder. Er kann auch nicht finden, was sie gesagt hat.",
    ],
    operand: "der Name",
    options: {
      reason: "warum: steht im Protokoll, ohne den Namen",
    },
  },
}
