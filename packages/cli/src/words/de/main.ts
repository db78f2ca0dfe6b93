import type { Words } from "../form.js"
import { causes, files, profile, service, units } from "./causes.js"
import { chat, conversations, messages, people, typed } from "./chat.js"
import { commandLine, placeholders, system, values } from "./command-line.js"
import { demo, looking, machine } from "./machine.js"
import { admin, backup, migrate, serve } from "./operating.js"
import { devices, receive, recovery, send } from "./person.js"

/** German: what commands say. */
export const main: Words = {
  ...{ admin, backup, causes, chat, commandLine, conversations, demo, devices, files, looking, machine, messages },
  ...{ migrate, people, placeholders, profile, receive, recovery, send, serve, service, system, typed, units, values },
}
