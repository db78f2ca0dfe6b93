import { paragraphs } from "./help-shared.js"

/** Help of the commands of people. */
export const peopleHelp = {
  chat: {
    summary: "talk in conversations, in this terminal",
    description: [
      "The first start registers the name, which belongs to this profile from then on; every later one works without the service, too: what is written is kept, and sent when it answers. /help lists what can be typed.",
      "It begins in the conversation that needs a decision, or else in the one used last. What is pasted is a message, with all its lines; commands are typed.",
      "An invitation is a request: /list shows those that wait, /accept and /decline answer them.",
      'Lines may be piped in: each is carried out before the next, and the exit code tells whether all went well and was sent: echo "/new team bob" | conclave chat --as alice',
      paragraphs.fastOpen,
      paragraphs.key,
    ],
  },
  send: {
    summary: "send standard input to a conversation",
    description: [
      "Input above 64 KiB becomes several messages, which conclave receive writes as one again (its --help says how a program joins the lines of --json); more than 16 MiB is refused.",
      "It succeeds when the service has all of it. After an interruption, even kill -9, the same command with the same input goes on where it was: nothing arrives twice.",
      paragraphs.accept,
      paragraphs.fastOpen,
      paragraphs.key,
    ],
    options: {
      to: "the conversation's title or id",
      timeout: "give up waiting for the service after so many seconds",
    },
  },
  receive: {
    summary: "write the messages that arrive to standard output",
    description: [
      "Writes what is waiting and ends; if nothing is, waits for the first message. Each message is written once, its content byte for byte; in a terminal, with time and sender. A message counts as received when it has been written.",
      "The first start registers the name, so that others can invite it.",
      "With --json, a message has conversation, title, from, messageId, seq, sentAt, and text, or base64 where it is not UTF-8. conclave send makes several messages of an input above 64 KiB: to have it again, join what is in the messages of one conversation and one from in the order of seq, with each base64 decoded first. Messages of others may lie between, and nothing marks the last part: a reader that has to know it needs a sign in the input.",
      "Exit code 3: nothing arrived in time, or fewer messages than --count.",
      paragraphs.accept,
      paragraphs.fastOpen,
      paragraphs.key,
    ],
    options: {
      from: "only this conversation, by title or id; the others wait",
      follow: "go on until Ctrl-C",
      count: "end after N messages",
      timeout: "end after S seconds without a message (default: 30; with --follow: never)",
      lines: "end each message with a newline if it has none",
      json: "write each message as one line of JSON",
    },
  },
  devices: {
    summary: "list the devices of your name, and revoke a lost one",
    description: [
      "Each profile and each installation of an application is a device. A device is revoked by one that was registered before it, or by itself. The oldest device of a name is revoked by no other, only with the recovery key: keep it safe, and make one (conclave recovery make).",
    ],
  },
  "devices list": {
    summary: "list the devices of your name, the oldest first",
    description: [
      "Which devices the directory lists for your name, which one signed for which, and which were revoked. One that none of your devices has signed for is marked as unknown.",
    ],
    options: {
      json: "as one JSON array",
    },
  },
  "devices revoke": {
    summary: "revoke a device of your name, for good",
    description: [
      "Nobody invites it any more, and it is taken out of every conversation: of those that this profile is in, at once. What the device has signed for is revoked with it, but for what --keep names.",
      "ID is as conclave devices list shows it. A device that was registered before this one cannot be revoked by it.",
    ],
    operand: "the device, by 8 digits or more",
    options: {
      keep: "devices that it signed for and that stay, with commas",
    },
  },
  recovery: {
    summary: "make the recovery key of your name, and return with it",
    description: [
      "A recovery key is kept on paper, apart from all devices. It revokes any of them, the oldest too, and brings a new one where all are lost. Whoever has it has the name; whoever loses it cannot make another one.",
      "It is read from the input, and never given as an argument: others see those.",
    ],
  },
  "recovery make": {
    summary: "show a new recovery key, and set it",
    description: [
      "The key is shown once, and nothing keeps it. It holds when you have typed it from what you wrote down. Only the oldest device of a name can do this, and only while the name has none; --replace asks for the one that it has.",
    ],
    options: {
      replace: "in the place of the recovery key that you have",
    },
  },
  "recovery use": {
    summary: "return to your name, and revoke lost devices",
    description: [
      "The key comes from the input. Where this profile is new, it becomes a device of the name. Then --revoke names devices that are lost or stolen, or --revoke-others all but this one and those of --keep. What is revoked is so for good.",
    ],
    options: {
      revoke: "devices to revoke, with commas",
      "revoke-others": "revoke all devices but this one and those to keep",
      keep: "devices that stay, with commas",
    },
  },
}
