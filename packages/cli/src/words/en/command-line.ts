import type { NameFault } from "@conclave/contracts/names"

/** What is wrong with a command line, and what surrounds an error. */
export const commandLine = {
  /** Before what is worth knowing and no error. */
  note: "note:",
  usage: (name: string) => ` (${name} --help)`,
  debug: " (CONCLAVE_DEBUG=1 tells where)",
  meant: (like: string) => `; did you mean ${like}?`,
  noCommand: (name: string) => `there is no command ${name}`,
  noOptionWithoutCommand: (name: string) => `there is no option ${name} without a command`,
  noOption: (name: string) => `there is no option ${name}`,
  partMissing: (known: string) => `one of its commands is missing: ${known}`,
  noPart: (word: string) => `it has no command ${word}`,
  twice: (name: string) => `${name} is given twice`,
  noValue: (name: string) => `${name} takes no value`,
  valueNeeded: (name: string, placeholder: string) => `${name} needs a value: ${name} ${placeholder}`,
  missing: (name: string, placeholder: string) => `--${name} ${placeholder} is missing`,
  andNotSet: (variable: string) => `, and ${variable} is not set`,
  surplus: (word: string) => `"${word}" is one argument too many`,
  operandMissing: (placeholder: string) => `${placeholder} is missing`,
  notALanguage: (known: string, given: string) => `--language must be ${known}, not "${given}"`,
  cryptography: (name: string) => `cryptography: ${name}`,
  completionsFor: (shells: string, given: string) => `completions are for ${shells}, not for "${given}"`,
}

/** What the value of an option has to be, after the option's name. */
export const values = {
  name: (given: string, fault: string) => `must be a name, not "${given}": ${fault}`,
  displayName: (given: string, fault: string) => `must be a display name, not "${given}": ${fault}`,
  /** Of `nameFault` and `judgeDisplayName`. */
  nameFault: ({ text }: NameFault) => text,
  displayNameFault: ({ text }: NameFault) => text,
  port: (given: string) => `must be a port from 0 (any that is free) to 65535, not "${given}"`,
  hexadecimal: "must be 64 hexadecimal digits (32 bytes)",
  place: (given: string) => `must be a port, or HOST:PORT, not "${given}"`,
  count: (given: string) => `must be a number from 1 on, not "${given}"`,
  incarnation: (given: string) => `must be a number from 2 on, not "${given}"`,
  networks: (given: string) => `must be addresses or networks like 10.0.0.0/8, with commas, not "${given}"`,
  hosts: (given: string) => `must be names of hosts without ports, with commas, not "${given}"`,
  /** Of a public URL or an origin, as the server says it. */
  origin: (fault: string) => fault,
  postgres: "must be like postgres://user:password@host:5432/database",
  nats: "must be like nats://host:4222, without a password",
  size: (given: string) => `must be a size of at least 1M, like 20G, not "${given}"`,
  days: (given: string) => `must be a number of days from 1 to 10000, not "${given}"`,
  seconds: (given: string) => `must be a number of seconds above 0, not "${given}"`,
  needed: (what: "file" | "folder" | "fileOrFolder" | "host" | "id" | "text" | "type") =>
    `must be ${
      {
        file: "a file",
        folder: "a folder",
        fileOrFolder: "a file or a folder",
        host: "a host",
        id: "a title or an id",
        text: "a text",
        type: "a type",
      }[what]
    }`,
  address: (given: string) => `must be an address like http://host:7080, not "${given}"`,
  addressWithPassword: "must be an address without a password",
  addressWithQuery: (like: string, given: string) =>
    `must be an address without a query or fragment, like ${like}, not "${given}"`,
  addressOfService: (like: string, given: string) =>
    `must be an address without the name of a service, like ${like}, not "${given}"`,
  inviterAmongNames: (word: string) => `must be "${word}" alone, or names without it`,
  inviterAsWritten: (word: string) => `must be "${word}", as it is written here`,
  inviters: (max: number) => `must be at most ${max} names`,
  reason: (max: number) => `must be a reason: one line of 1 to ${max} characters`,
  ownOrShared: "must be own or shared",
  connections: (least: number, browser: number) =>
    `must be at least ${least}: an address gets an eighth of them, and a browser alone needs ${browser}`,
  policy: "must be private or off",
  policyWithoutCookie:
    "must be private or off: sealed requests need no cookie, and by one every client could be tracked",
}

/** What the operating system says no to, by its codes (errno(3)). */
export const system = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
  EEXIST: "it exists already",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the path is too long",
  EIO: "the disk does not work",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "there is no host of this name",
  EAI_AGAIN: "the name cannot be looked up at the moment",
  ECONNREFUSED: "the connection was refused",
}

/** Of values in the help, as another language calls them. */
export const placeholders = {
  FILE: "FILE",
  DIR: "DIR",
  PATH: "PATH",
  OUT: "OUT",
  TITLE: "TITLE",
  KEY: "KEY",
  WHO: "WHO",
  WHOSE: "WHOSE",
  TYPE: "TYPE",
  SIZE: "SIZE",
  DAYS: "DAYS",
  SECONDS: "SECONDS",
  POLICY: "POLICY",
  IDS: "IDS",
  COMMAND: "COMMAND",
  "COMMAND [options]": "COMMAND [options]",
  "ADDRESS,…": "ADDRESS,…",
  "ORIGIN,…": "ORIGIN,…",
}
