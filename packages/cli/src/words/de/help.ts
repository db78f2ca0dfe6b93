import type { HelpWords } from "../form.js"
import { machineHelp } from "./help-machine.js"
import { peopleHelp } from "./help-people.js"
import { serviceHelp } from "./help-service.js"
import { frame, options } from "./help-shared.js"

/** German: the help of all commands. */
export const help: HelpWords = { frame, options, people: peopleHelp, service: serviceHelp, machine: machineHelp }
