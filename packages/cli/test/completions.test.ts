import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import { commandNames, loadCommand } from "../src/commands.js"
import { Folder, runHere } from "./support.js"

const without = (shell: string) => (spawnSync(shell, ["--version"]).status === 0 ? false : `${shell} is not installed`)
const scriptFor = async (shell: string) => (await runHere(["completions", shell])).output.toString()

/** Of a command, or of all its parts. */
async function optionsOf(name: string): Promise<string[]> {
  const { options, parts = {} } = await loadCommand(name)
  const all = [options, ...Object.values(parts).map((part) => part.options)].flatMap((it) => Object.keys(it))
  return [...new Set(all)].map((option) => `--${option}`)
}

describe("the completions for bash", { skip: without("bash") }, () => {
  async function complete(folder: Folder, ...words: readonly string[]): Promise<readonly string[]> {
    writeFileSync(folder.file("completions.bash"), await scriptFor("bash"))
    const quoted = words.map((word) => `'${word}'`).join(" ")
    const line = `source completions.bash; COMP_WORDS=(conclave ${quoted}); COMP_CWORD=${words.length}; _conclave; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-c", line], { cwd: folder.path, encoding: "utf8" })
    assert.equal(status, 0, stderr)
    // What is no completion is known outside of a completion only.
    assert.doesNotMatch(stderr.replace(/.*compopt.*\n/g, ""), /./)
    return stdout.split("\n").filter(Boolean)
  }

  it("are all commands, and all options of each", async () => {
    using folder = new Folder()
    assert.deepEqual(await complete(folder, ""), [...commandNames, "help", "--help", "--version"])
    assert.deepEqual(await complete(folder, "se"), ["send", "serve"])
    assert.deepEqual(await complete(folder, "help", "verify"), ["verify-evidence"])
    for (const name of commandNames) {
      assert.deepEqual(await complete(folder, name, "--"), [...(await optionsOf(name)), "--help"])
    }
    assert.deepEqual(await complete(folder, "serve", "--fast-open-p"), ["--fast-open-port", "--fast-open-policy"])
  })

  it("are files and folders where those are expected, and nothing where nobody can know", async () => {
    using folder = new Folder()
    mkdirSync(folder.file("keep"))
    writeFileSync(folder.file("kept.pcap"), "")
    writeFileSync(folder.file("kept too.pcap"), "")
    assert.deepEqual([...(await complete(folder, "trace", "ke"))].sort(), ["keep", "kept too.pcap", "kept.pcap"])
    assert.deepEqual(await complete(folder, "serve", "--data", "ke"), ["keep"])
    assert.deepEqual(await complete(folder, "send", "--to", "ke"), [])
    assert.deepEqual(await complete(folder, "chat", "ke"), [])
    assert.deepEqual(await complete(folder, "completions", ""), ["bash", "zsh", "fish"])
    assert.deepEqual(await complete(folder, "admin", "s"), ["status", "suspend"])
  })
})

describe("the completions for fish", { skip: without("fish") }, () => {
  async function complete(folder: Folder, line: string): Promise<readonly string[]> {
    writeFileSync(folder.file("completions.fish"), await scriptFor("fish"))
    const words = `source completions.fish; complete --do-complete "conclave ${line}"`
    const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", words], { cwd: folder.path, encoding: "utf8" })
    assert.equal(stderr, "")
    return stdout.split("\n").flatMap((one) => (one === "" ? [] : [one.split("\t")[0]!]))
  }

  it("are commands, options and files", async () => {
    using folder = new Folder()
    writeFileSync(folder.file("kept.pcap"), "")
    assert.deepEqual(await complete(folder, ""), commandNames)
    for (const name of commandNames) {
      assert.deepEqual([...(await complete(folder, `${name} --`))].sort(), (await optionsOf(name)).sort(), name)
    }
    assert.deepEqual(await complete(folder, "trace ke"), ["kept.pcap"])
    assert.deepEqual(await complete(folder, "send --to ke"), [])
    assert.deepEqual(await complete(folder, "completions "), ["bash", "fish", "zsh"])
    assert.deepEqual(await complete(folder, "admin s"), ["status", "suspend"])
  })
})

describe("the completions for zsh", { skip: without("zsh") || (without("script") && "needs script(1)") }, () => {
  it("are commands, options and files, at a Tab", async () => {
    using folder = new Folder()
    writeFileSync(folder.file("completions.zsh"), await scriptFor("zsh"))
    writeFileSync(folder.file("kept.pcap"), "")
    const shell = spawn("script", ["-qec", "zsh -f -i", "/dev/null"], {
      cwd: folder.path,
      env: { ...process.env, TERM: "dumb", PS1: "> " },
    })
    const ended = new Promise((resolve) => shell.once("close", resolve))
    let screen = ""
    shell.stdout.on("data", (part) => {
      screen += part
    })
    const until = async (text: string) => {
      const deadline = performance.now() + 20_000
      while (!screen.includes(text)) {
        assert.ok(performance.now() < deadline, `no ${JSON.stringify(text)} in ${JSON.stringify(screen)}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    try {
      shell.stdin.write(
        `bindkey -e; autoload -U compinit; compinit -u -d ${folder.file("dump")}; source completions.zsh; echo rea''dy\r`,
      )
      await until("ready")
      for (const [typed, completed] of [
        ["verify", "verify-evidence"],
        ["inspect --pro", "inspect --profile"],
        ["trace ke", "trace kept.pcap"],
        ["completions f", "completions fish"],
      ]) {
        // What stands there is then printed, not run.
        shell.stdin.write(`conclave ${typed}\t\x01echo \x05\r`)
        await until(`\nconclave ${completed}`)
      }
    } finally {
      shell.stdin.write("\x15exit\r")
      shell.stdin.end()
      await ended
    }
  })
})
