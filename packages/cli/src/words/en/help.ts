import { machineHelp } from "./help-machine.js"
import { peopleHelp } from "./help-people.js"
import { serviceHelp } from "./help-service.js"
import { frame, options } from "./help-shared.js"

/** English: the help of all commands, which is loaded where it is asked for. */
export const help = { frame, options, people: peopleHelp, service: serviceHelp, machine: machineHelp }
