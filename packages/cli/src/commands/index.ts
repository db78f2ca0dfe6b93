import type { Command } from "../arguments.js"

/** All commands. Each is loaded when it is called: a service starts without what a chat needs. */
export const commands: Readonly<Record<string, { readonly summary: string; load(): Promise<Command> }>> = {
  serve: {
    summary: "run the service and the page, in one process on one file",
    load: async () => (await import("./serve.js")).serve,
  },
  chat: {
    summary: "talk in conversations, in this terminal",
    load: async () => (await import("./chat.js")).chat,
  },
  send: {
    summary: "send standard input to a conversation",
    load: async () => (await import("./send.js")).send,
  },
  receive: {
    summary: "write the messages that arrive to standard output",
    load: async () => (await import("./receive.js")).receive,
  },
  demo: {
    summary: "watch three members create, talk, renew, remove and rejoin, over real sockets",
    load: async () => (await import("./demo.js")).demo,
  },
  doctor: {
    summary: "tell what this machine has and what it lacks",
    load: async () => (await import("./doctor.js")).doctor,
  },
  trace: {
    summary: "find in a packet capture what links connections to one client",
    load: async () => (await import("./trace.js")).trace,
  },
  inspect: {
    summary: "print an MLS message, key package, tree or stored record, field by field",
    load: async () => (await import("./inspect.js")).inspect,
  },
}
