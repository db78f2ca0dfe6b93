import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import fc from "fast-check"
import { parseArguments } from "../src/arguments.js"
import { commandNames, loadCommand } from "../src/commands.js"
import { UsageError } from "../src/failure.js"
import { assertReadable, conclave, runHere } from "./support.js"

describe("the command line", () => {
  it("answers every wrong argument with one line, a hint, and exit code 2", async () => {
    const cases: readonly [readonly string[], RegExp][] = [
      [["chatt"], /there is no command chatt; did you mean chat\? \(conclave --help\)/],
      [["constructor"], /there is no command constructor/],
      [["--data", "x", "serve"], /there is no option --data without a command/],
      [["help", "sned"], /did you mean send\?/],
      [["serve", "--prot", "1"], /there is no option --prot; did you mean --port\? \(conclave serve --help\)/],
      [["serve", "--port", "65536"], /--port must be a port from 0 \(any that is free\) to 65535, not "65536"/],
      [["serve", "--port", "-1"], /--port must be a port/],
      [["serve", "--port", "1", "--port", "2"], /--port is given twice/],
      [["serve", "--host", ""], /--host must be a host/],
      [["serve", "here"], /"here" is one argument too many/],
      [["send", "--as", "alice"], /--to TITLE is missing/],
      [["chat"], /--as NAME is missing, and CONCLAVE_AS is not set \(conclave chat --help\)/],
      [["inspect", "--json", "x"], /--json goes with --profile alone/],
      [["completions"], /bash\|zsh\|fish is missing/],
      [["completions", "csh"], /completions are for bash, zsh, fish, not for "csh"/],
      [["send", "--as", "--to", "team"], /--as needs a value: --as NAME/],
      [
        ["send", "--as", "al ice", "--to", "team"],
        /--as must be a name, not "al ice": it contains a space; a name has 1/,
      ],
      [["send", "--as", "alice\u3164", "--to", "team"], /--as must be a name, .*U\+3164, which is invisible/],
      [["send", "--as", "\uff41lice", "--to", "team"], /--as must be a name, .*a variant of “a”/],
      [["send", "--as", "a\u0000\u001b[2J", "--to", "team"], /--as must be a name, not "a\?\?\[2J": .*U\+0000/],
      [["chat", "--as", "bob", "--display-name", "Alice (alice)"], /--display-name must be a display name, .*“\(”/],
      [["send", "--as", "alice", "--to", "team", "--server", "team.example"], /--server must be an address like http/],
      [["send", "--as", "alice", "--to", "team", "--server", "http://a:b@c"], /--server must be .* without a password/],
      [
        ["send", "--as", "alice", "--to", "team", "--server", "http://c/delivery"],
        /--server must be an address without the name of a service, like http:\/\/c\/, not/,
      ],
      [["send", "--as", "alice", "--to", "team", "--server", "http://c/a?b"], /--server must be .* without a query/],
      [["send", "--as", "alice", "--to", "team", "--server", "http://c/a#b"], /--server must be .* or fragment/],
      [["receive", "--as", "bob", "--count", "0"], /--count must be a number from 1 on, not "0"/],
      [["receive", "--as", "bob", "--count", "1e3"], /--count must be a number from 1 on/],
      [["receive", "--as", "bob", "--timeout", "forever"], /--timeout must be a number of seconds above 0/],
      [["receive", "--as", "bob", "--timeout", "99999999"], /--timeout must be a number of seconds/],
      [["receive", "--as", "bob", "--follow=yes"], /--follow takes no value/],
      [["receive", "--as", "bob", "--lines", "--json"], /--lines and --json exclude each other/],
      [["trace"], /FILE is missing/],
      [["trace", "a.pcap", "b.pcap"], /"b\.pcap" is one argument too many/],
    ]
    for (const [words, says] of cases) {
      const ran = await runHere(words)
      assert.equal(ran.code, 2, `${words.join(" ")}: ${ran.errors}`)
      assertReadable(ran, says)
    }
    const [words, says] = cases[0]!
    const ran = await conclave(words)
    assert.equal(ran.code, 2)
    assertReadable(ran, says)
  })

  it("takes the name and the service from the environment, and what is typed rather than that", async () => {
    const receive = await loadCommand("receive")
    const given = (words: readonly string[], environment: NodeJS.ProcessEnv) => {
      const { as, server } = parseArguments(receive, words, environment).options as { as: string; server: URL }
      return `${as} ${server.href}`
    }
    const environment = { CONCLAVE_AS: "alice", CONCLAVE_SERVER: "https://chat.example" }
    assert.equal(given([], environment), "alice https://chat.example/")
    assert.equal(given(["--as", "bob", "--server", "http://other:1"], environment), "bob http://other:1/")
    assert.equal(given([], { CONCLAVE_AS: "alice", CONCLAVE_SERVER: "" }), "alice http://127.0.0.1:7080/")
    assert.throws(() => given([], { CONCLAVE_AS: "al ice" }), /^UsageError: CONCLAVE_AS must be a name, not "al ice"/)
    assert.throws(() => given([], { ...environment, CONCLAVE_SERVER: "chat" }), /CONCLAVE_SERVER must be an address/)
    const report = parseArguments(await loadCommand("doctor"), [], environment).options as { as?: string }
    assert.equal(report.as, undefined, "a report on a profile is asked for by the option alone")
    const help = (await runHere(["chat", "--help"])).output.toString()
    assert.match(help, /--as NAME +the name of the profile \(or CONCLAVE_AS\)/)
    assert.match(help, /--server URL +where the service is \(or CONCLAVE_SERVER; default:/)
    const ran = await conclave(["chat"], { environment: { CONCLAVE_AS: "a b" } })
    assertReadable(ran, /CONCLAVE_AS must be a name, not "a b"/)
  })

  it("tells how each command is used, and what version this is", async () => {
    const general = await runHere(["--help"])
    assert.equal(general.code, 0)
    for (const name of commandNames) assert.match(general.output.toString(), new RegExp(`^  ${name} `, "m"))
    for (const name of await allNames()) {
      const help = await runHere([...name.split(" "), "--help"])
      assert.deepEqual(await runHere(["help", ...name.split(" ")]), help)
      assert.equal(help.code, 0)
      assert.match(help.output.toString(), new RegExp(`^conclave ${name}: .*\n\nusage: conclave ${name}`))
      assert.ok(
        help.output
          .toString()
          .split("\n")
          .every((line) => line.length <= 80),
        name,
      )
      const [, usage = ""] = help.output.toString().split("\n\n")
      assert.doesNotMatch(usage, /\[[^\]]*\n|\u00a0/, "an option and its value are on one line")
    }
    const [version, cryptography] = (await conclave(["--version"])).output.toString().split("\n")
    assert.match(version!, /^\d+\.\d+\.\d+$/)
    const { name, fallback } = nodeProvider()
    assert.equal(cryptography, `cryptography: ${name}${fallback === undefined ? "" : ` (${fallback})`}`)
    const nothing = await conclave([])
    assert.equal(nothing.code, 2)
    assert.match(nothing.errors, /usage: conclave COMMAND/)
  })

  it("reads whatever words or refuses them as wrong usage", async () => {
    for (const name of await allNames()) {
      const [first, part] = name.split(" ")
      const whole = await loadCommand(first!)
      const command = part === undefined ? whole : whole.parts![part]!
      const option = fc.constantFrom(...Object.keys(command.options), "help", "x", "__proto__", "")
      const word = fc.oneof(
        fc.string({ unit: "grapheme" }),
        option.map((text) => `--${text}`),
        fc.tuple(option, fc.string()).map(([text, value]) => `--${text}=${value}`),
        fc.constantFrom("-", "--", "-h", "7080", "alice", "http://localhost"),
      )
      fc.assert(
        fc.property(fc.array(word, { maxLength: 8 }), (words) => {
          try {
            parseArguments(command, words)
          } catch (error) {
            assert.ok(error instanceof UsageError, String(error))
            assert.doesNotMatch(error.message, /\p{Cc}/u)
          }
        }),
        { numRuns: 500 },
      )
    }
  })
})

/** With those that a command has for itself. */
async function allNames(): Promise<readonly string[]> {
  const parts = commandNames.map(async (name) => {
    const { parts = {} } = await loadCommand(name)
    return [name, ...Object.keys(parts).map((part) => `${name} ${part}`)]
  })
  return (await Promise.all(parts)).flat()
}
