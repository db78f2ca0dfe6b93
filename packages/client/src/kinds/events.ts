import { conversationEvents } from "./conversation-events.js"
import { conversation, type FindConversation, notContinued, payloadWithoutSeq, place, text, texts } from "./fields.js"
import type { EventReader } from "./reader.js"
import {
  type Attention,
  eventForm,
  eventTable,
  type NewOf,
  type Severity,
  type ShownOf,
  type StoredOf,
  type ToldOf,
} from "./table.js"
import { troubleEvents } from "./trouble-events.js"

/**
 * Every kind of event, each declared once, as a row: number on disk, fields, severity, words. What is stored, what an
 * application sees, and what a command line and a page say follow from the rows. A new kind of event is a new row, and the
 * place that emits it.
 */
export const eventKinds = { ...conversationEvents, ...troubleEvents }

/** How earlier versions stored what they told; read only. */
export const eventForms = {
  messageWithoutSeq: eventForm({
    number: 1,
    fields: { conversation, from: text, payload: payloadWithoutSeq },
    shownAs: "message",
  }),
  sentWithoutSeq: eventForm({
    number: 2,
    fields: { conversation, payload: payloadWithoutSeq },
    shownAs: "sent",
  }),
  invitedWithoutContinues: eventForm({
    number: 16,
    fields: { conversation, by: text, members: texts, continues: notContinued },
    shownAs: "invited",
  }),
}

/** `keptMessage`: the event `message` or `sent` of a message that is kept as a record of its own. */
export const eventReferences = {
  keptMessage: { number: 24, fields: { conversation, seq: place } },
}

const table = eventTable(eventKinds, { forms: eventForms, references: eventReferences })

/** The record of an event. */
export const StoredEvent = table.stored
export type StoredEvent = WholeEvent | StoredOf<typeof eventForms> | EventReference
export type StoredEventOf<K extends StoredEvent["type"]> = Extract<StoredEvent, { readonly type: K }>
/** An event with all its fields, as they are stored. */
export type WholeEvent = StoredOf<typeof eventKinds>
export type EventReference = StoredOf<typeof eventReferences>
/** An event before it is written: the writer counts how often it has happened. */
export type NewEvent = NewOf<typeof eventKinds>
/** An event as the application sees it. */
export type ShownEvent = ShownOf<typeof eventKinds>
/** What words need of an event. */
export type ToldEvent = ToldOf<typeof eventKinds>

/** `undefined` for an event of a conversation that `find` does not know. */
export function showEvent(
  stored: Exclude<StoredEvent, EventReference>,
  find: FindConversation,
): ShownEvent | undefined {
  return table.show(stored, find)
}

/**
 * What happened, from the reader's point of view: sentences without their full stops, the most important one first. No
 * sentence where nothing is worth telling.
 */
export function eventWords(event: ToldEvent, reader: EventReader): readonly string[] {
  return table.words(event, reader)
}

/** How much attention an event needs. */
export function eventSeverity(event: ToldEvent, reader: Attention): Severity {
  return table.severity(event, reader)
}
