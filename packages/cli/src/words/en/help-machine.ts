/** Help of the commands that show and check something. */
export const machineHelp = {
  completions: {
    summary: "print a script that completes words in a shell",
    description: [
      "bash, in ~/.bashrc: source <(conclave completions bash)",
      "zsh, in ~/.zshrc after compinit: source <(conclave completions zsh)",
      "fish: conclave completions fish > ~/.config/fish/completions/conclave.fish",
    ],
    operand: "the shell",
  },
  demo: {
    summary: "watch three members talk, renew keys, remove and rejoin",
    description: [
      "A service on a free port of this machine, three profiles in temporary files, and a relay between them that counts bytes (inside TCP, in both directions, of all members together). A step's time ends when all members agree on the epoch, its authenticator, the list of members and every text, and when a removed member has read nothing.",
      "With --fast-open, the members ask by sealed requests, beside the relay: the bytes of both ways are counted, those of padding among them.",
      "Exit code 1 if anything disagrees.",
    ],
    options: {
      "fast-open": "ask by sealed requests",
    },
  },
  doctor: {
    summary: "tell what this machine has and what it lacks",
    description: [
      "It changes nothing; in the data folder it makes a file to try it, and removes it. A cross marks what Conclave cannot do without, and makes the exit code 1; a dash marks what it works without.",
      "With --as, it prints a report on that profile instead, to send with a report of a fault: versions, states and what the client did last, and nothing that identifies people. For that, it asks the service once for what has arrived, and sends what waits, as receive and send do.",
    ],
    options: {
      as: "print a report on the profile of this name",
      json: "write the findings as one JSON value",
    },
  },
  inspect: {
    summary: "print any MLS message, tree or stored record, field by field",
    description: [
      "Reads bytes, hexadecimal digits or base64, finds out what they are by strict decoding, and prints the value in the presentation syntax of RFC 9420: fields with their types, vectors with their bytes. Comments say what can be computed without secrets: references, tree hashes, whether signatures are valid, when a leaf expires. An input that fits several types is printed as the most likely one, and the others are listed.",
      "Known are MLSMessage in all wire formats, KeyPackage, GroupInfo, ratchet_tree, the other structs of RFC 9420 with --as, and the records of a profile, unsealed. Private keys and secrets are never shown.",
      "With --profile, it lists the records of a profile with their sizes in bytes; with the key of a record, it prints that record. The profile is unsealed as by other commands, with CONCLAVE_KEY or the key file beside it, and is not changed. A program that has the profile open has to end first.",
    ],
    operand: "what to print; - is standard input; with --profile, the key of a record",
    options: {
      profile: "list the records of the profile in this file, or in this folder if it is the only one there",
      as: "take it for this type; help lists all",
      full: "show byte strings whole",
      json: "with --profile alone: list the records as one JSON value",
    },
  },
  trace: {
    summary: "find in a packet capture what links connections to one client",
    description: [
      "Reads pcap and pcapng, as tcpdump and Wireshark write them, and shows what an observer of the same packets learns: TCP Fast Open cookies and their chains, reused TLS tickets, ports, timestamps, addresses.",
      "It names what it could not read. Exit codes: 0 when something links connections, or when the whole capture was read and nothing does; 4 when no link was found but a part of the capture was not read; 1 when nothing could be read.",
    ],
    operand: "the capture",
    options: {
      html: "write a page with the timeline too",
      json: "write what was found as one JSON value",
    },
  },
  "verify-evidence": {
    summary: "check that a service has contradicted itself",
    description: [
      "Reads a file of evidence and checks that one key has signed two different histories of a conversation. It asks nobody. When a service shows members different histories, conclave chat and conclave receive write such a file beside the profile, and tell its name.",
      "Compare the key that it shows with the one that your own profile knows, and with that of others: whoever has made up a key can sign anything with it. To see it: conclave inspect service --profile FILE --full",
    ],
    operand: "the evidence",
  },
}
