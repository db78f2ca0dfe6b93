import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { locksThat, noCompiler, noMounts } from "./machine.js"
import { assertReadable, conclave, Folder, Service } from "./support.js"

describe("conclave doctor", () => {
  it("tells in sentences what this machine has, and changes nothing", async () => {
    using folder = new Folder()
    const { code, output, errors } = await conclave(["doctor", "--data", folder.file("not/made")])
    assert.equal(code, 0, `${output}${errors}`)
    const text = output.toString()
    for (const says of [
      new RegExp(`^✓ Node ${process.versions.node.replaceAll(".", "\\.")} on `, "m"),
      /^[✓–] Cryptography comes from node(\+sodium-native|\+native)?; it verifies a signature in \d+ µs/m,
      /^✓ SQLite \d+\.\d+\.\d+ comes with libsql; a durable write takes \d+\.\d ms there\.$/m,
      /^✓ What is written there is on the disk when the system says so \(fsync\)\.$/m,
      /^✓ Locks hold there: a second process is kept out of a profile\.$/m,
      /^✓ Data is kept in .*not\/made; \d+\.\d GiB are free there\.$/m,
      /^[✓–] The browser page has (not )?been built/m,
      /^[✓–] TCP Fast Open .* for a client/m,
      /^[✓–] TCP Fast Open .* for a server/m,
    ]) {
      assert.match(text, says)
    }
    for (const line of text.trimEnd().split("\n")) assert.match(line, /^([✓–✗] .+\.| {4}\S.*)$/u)
    assert.deepEqual(readdirSync(folder.path), [])
  })

  it("needs no more than ASCII where the locale promises no more", async () => {
    using folder = new Folder()
    const { output } = await conclave(["doctor", "--data", folder.path], { environment: { LC_ALL: "C" } })
    assert.match(output.toString(), /^[\x20-\x7e\n]+$/)
  })

  it("marks a data folder that cannot be written to", { skip: noMounts }, async () => {
    using folder = new Folder()
    assert.equal(spawnSync("mount", ["--bind", folder.path, folder.path]).status, 0)
    try {
      assert.equal(spawnSync("mount", ["-o", "remount,ro,bind", folder.path]).status, 0)
      const { code, output } = await conclave(["doctor", "--data", folder.file("made")])
      assert.equal(code, 1)
      assert.match(
        output.toString(),
        /^✗ \S+, where data is kept, cannot be written to \(the file system is read-only\)\.$/m,
      )
    } finally {
      spawnSync("umount", [folder.path])
    }
  })

  it("marks a data folder where locks do not hold", { skip: noCompiler }, async () => {
    using folder = new Folder()
    // Every process gets every lock.
    const library = locksThat(folder, "if (command == F_SETLK || command == F_SETLKW) return 0;")
    const { code, output } = await conclave(["doctor", "--data", folder.path], { environment: { LD_PRELOAD: library } })
    assert.equal(code, 1)
    assert.match(output.toString(), /^✗ Locks do not hold there: two processes could open one profile and ruin it\.$/m)
  })

  it("tells whether a service answers, and whether the port is free for one", async () => {
    using folder = new Folder()
    const found = async (server: string) =>
      (await conclave(["doctor", "--data", folder.path, "--server", server])).output.toString()
    const listener = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1")
    await new Promise((resolve) => listener.once("listening", resolve))
    const address = `http://127.0.0.1:${(listener.address() as { port: number }).port}`
    assert.match(
      await found(address),
      /^– No service answers at \S+, and the port is not free for one \(the address is in use\)\.$/m,
    )
    await new Promise((resolve) => listener.close(resolve))
    assert.match(await found(address), /^✓ No service runs at \S+; the port is free for one\.$/m)
    await using service = await Service.start()
    assert.match(await found(service.address), /^✓ A service answers at http:\S+\.$/m)
  })

  it("writes the same as one JSON value", async () => {
    using folder = new Folder()
    const { code, output } = await conclave(["doctor", "--json", "--data", folder.path])
    assert.equal(code, 0)
    const findings = JSON.parse(output.toString())
    assert.equal(
      findings[0].text,
      `Node ${process.versions.node} on ${process.platform} ${process.arch}; 20.19 is needed.`,
    )
    for (const { verdict, text } of findings) assert.match(`${verdict} ${text}`, /^(good|note) .*\.$/)
    const both = await conclave(["doctor", "--json", "--as", "alice", "--data", folder.path])
    assert.equal(both.code, 2)
    assertReadable(both, /--json does not go with --as/)
  })

  it("prints a report on a profile that names nobody, with and without the service", async () => {
    await using service = await Service.start()
    await service.gather("planning-the-move", "alice-liddell", "bob-dodgson")
    await service.ok(["send", "--as", "alice-liddell", "--to", "planning-the-move"], { input: "down the hole" })
    const { output, errors } = await service.ok(["doctor", "--as", "bob-dodgson"])
    assert.equal(errors, "")
    const text = output.toString()
    assert.match(text, /^Conclave client report, version 1\./)
    assert.match(text, /^c1: status=active .*\bmembers=2\b/m)
    assert.match(text, / debug event event=message conversation=c1$/m)
    assert.doesNotMatch(text, /alice|bob|liddell|dodgson|planning|move|hole|127\.0\.0\.1/)
    const place = service.place
    await service.stop()
    const alone = await conclave(["doctor", "--as", "bob-dodgson", ...place])
    assert.equal(alone.code, 0)
    assert.match(alone.errors, /^note: nothing listens at /)
    assert.match(alone.output.toString(), /ClientError UNAVAILABLE \(the service does not answer\) < TransportError/)
  })

  it("makes no profile in order to report on it", async () => {
    using folder = new Folder()
    const ran = await conclave(["doctor", "--as", "carol", "--data", folder.file("not/made")])
    assert.equal(ran.code, 1)
    assertReadable(ran, /there is no profile of carol for http:\/\/127\.0\.0\.1:7080 in /)
    assert.equal(existsSync(folder.file("not")), false)
  })
})

describe("the command, before anything else is loaded", () => {
  const binary = fileURLToPath(new URL("../../bin/conclave.js", import.meta.url))

  /** The binary as a Node of another version sees it. */
  function under(version: string, words: readonly string[], file = binary, environment: NodeJS.ProcessEnv = {}) {
    using folder = new Folder()
    const pretence = folder.file("pretend.cjs")
    writeFileSync(pretence, `Object.defineProperty(process.versions, "node", { value: ${JSON.stringify(version)} })`)
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--require", pretence, file, ...words], {
      encoding: "utf8",
      env: { ...process.env, ...environment },
    })
    return { code: status, output: stdout, errors: stderr }
  }

  it("says in one sentence which Node is needed; doctor says what there is", () => {
    for (const version of ["12.22.12", "16.20.2", "18.20.8", "20.18.9"]) {
      const chat = under(version, ["chat", "--as", "alice"])
      assert.equal(chat.code, 1)
      assert.equal(
        chat.errors,
        `conclave: this is Node ${version}, and Node 20.19 or later is needed; conclave doctor tells more\n`,
      )
      const doctor = under(version, ["doctor"])
      assert.equal(doctor.code, 1)
      assert.match(doctor.output, new RegExp(`^✗ Node ${version} on \\S+ \\S+ is too old: 20\\.19 is needed\\.$`, "m"))
      assert.match(doctor.output, /^✓ The package libsql is installed\.$/m)
      assert.equal(doctor.errors, "")
      assert.match(under(version, ["doctor"], binary, { LC_ALL: "C" }).output, /^[\x20-\x7e\n]*$/)
    }
    for (const version of ["20.19.0", "22.0.0", "100.1.0"]) assert.equal(under(version, ["--version"]).code, 0)
  })

  it("is in the words of old versions", () => {
    using folder = new Folder()
    const built = folder.file("built.js")
    const esbuild = fileURLToPath(new URL("../../../../node_modules/.bin/esbuild", import.meta.url))
    const { status, stderr } = spawnSync(esbuild, [binary, "--target=es2018", `--outfile=${built}`], {
      encoding: "utf8",
    })
    assert.equal(status, 0, stderr)
    assert.doesNotMatch(stderr, /warning/)
  })

  it("names the package that is missing", () => {
    using folder = new Folder()
    for (const path of ["bin", "dist/src"]) mkdirSync(folder.file(path), { recursive: true })
    copyFileSync(binary, folder.file("bin/conclave.js"))
    writeFileSync(folder.file("package.json"), JSON.stringify({ engines: { node: ">=20.19" } }))
    const { code, output } = under(process.versions.node, ["doctor"], folder.file("bin/conclave.js"))
    assert.equal(code, 1)
    assert.match(output, /^✓ Node .*; 20\.19 is needed\.\n✗ The package libsql cannot be loaded\.\n {4}npm install$/m)
    assert.match(output, /^– The other checks need libsql\.$/m)
  })

  it("starts the bundle, but not one that was made before something was compiled", () => {
    using folder = new Folder()
    const [built, compiled] = ["cli/dist/bundle/conclave.js", "codec/dist/tsconfig.tsbuildinfo"]
    for (const path of ["cli/bin", "cli/dist/bundle", "cli/dist/src", "codec/dist"]) {
      mkdirSync(folder.file(path), { recursive: true })
    }
    copyFileSync(binary, folder.file("cli/bin/conclave.cjs"))
    writeFileSync(folder.file("cli/package.json"), JSON.stringify({ engines: { node: ">=20.19" }, type: "module" }))
    writeFileSync(folder.file("cli/dist/src/main.js"), 'console.log("modules")')
    const started = () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [folder.file("cli/bin/conclave.cjs")])
      assert.equal(status, 0, `${stderr}`)
      return `${stdout}`.trim()
    }
    assert.equal(started(), "modules", "there is no bundle")
    writeFileSync(folder.file(built), 'console.log("bundle")')
    writeFileSync(folder.file(compiled), "")
    utimesSync(folder.file(built), 1_000, 1_000)
    assert.equal(started(), "bundle", "as it is installed")
    writeFileSync(folder.file("cli/tsconfig.json"), "{}")
    assert.equal(started(), "modules", "in the repository, after the compiler")
    utimesSync(folder.file(compiled), 1_000, 1_000)
    assert.equal(started(), "bundle", "in the repository, after the bundle")
  })

  it("ends with the shell that npx starts it in", { skip: process.platform === "win32" && "needs sh" }, async () => {
    using folder = new Folder()
    // Two commands: no shell becomes the first one.
    const line = '"$0" "$@"; exit'
    const words = [process.execPath, binary, "serve", "--port", "0", "--data", folder.path]
    for (const [event, isToEnd] of [
      ["npx", true],
      ["a-script", false],
    ] as const) {
      const shell = spawn("sh", ["-c", line, ...words], { env: { ...process.env, npm_lifecycle_event: event } })
      let said = ""
      for (const stream of [shell.stdout, shell.stderr]) stream.on("data", (part) => (said += part))
      while (!said.includes("Ctrl-C")) await new Promise((resolve) => setTimeout(resolve, 20))
      const { stdout } = spawnSync("pgrep", ["-P", String(shell.pid)], { encoding: "utf8" })
      const pid = Number(stdout)
      const ended = new Promise((resolve) => shell.once("exit", resolve))
      shell.kill("SIGTERM")
      await ended
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      const runs = !said.includes("SIGTERM: answering")
      if (runs) process.kill(pid)
      assert.equal(runs, !isToEnd, said)
    }
  })
})
