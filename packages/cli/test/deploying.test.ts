import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Command, parseArguments } from "../src/arguments.js"
import { serve } from "../src/commands/serve.js"
import { documented } from "./proxies/document.js"

/** What `conclave serve` gets of these words; throws for those that it does not take. */
const read = ([name, ...words]: readonly string[]) => {
  assert.equal(name, "serve")
  return parseArguments(serve as Command, words).options as Readonly<Record<string, unknown>>
}

// The files for proxies are run by `npm run test:proxies`.
describe("docs/deploying.md", () => {
  it("has a unit whose command can be run, and which lets it end in peace", () => {
    const unit = documented("conclave.service")
    const options = read(/^ExecStart=\S+ \S+\/conclave\.js (.+)$/m.exec(unit)![1]!.split(" "))
    assert.equal(String(options["public-url"]), "https://chat.example.org/")
    assert.deepEqual(options["trust-proxy"], ["127.0.0.1"])
    const files = Number(/^LimitNOFILE=(\d+)$/m.exec(unit)![1])
    assert.ok(files > Number(options.connections) + 256, "enough files for its connections")
    // Node compiles what it runs.
    assert.doesNotMatch(unit, /MemoryDenyWriteExecute/)
  })

  it("has containers whose commands can be run, and which trust the network that they are in", () => {
    const image = documented("Dockerfile")
    const own = read(JSON.parse(/^CMD (.+)$/m.exec(image)![1]!))
    const compose = documented("compose.yaml")
    const options = read(/command: >-\n((?: {6}.+\n)+)/.exec(compose)![1]!.trim().split(/\s+/))
    for (const { host, data } of [own, options]) {
      assert.equal(host, "0.0.0.0")
      assert.ok(image.includes(`VOLUME ${data}\n`))
    }
    assert.ok(compose.includes(`data:${options.data}\n`))
    assert.deepEqual(options["trust-proxy"], [/subnet: (\S+)/.exec(compose)![1]])
    assert.ok(compose.includes(`--from ${(options["public-url"] as URL).host} --to conclave:${options.port}\n`))
  })
})
