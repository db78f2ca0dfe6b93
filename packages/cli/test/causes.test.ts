import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer as createHttps } from "node:https"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { describe, it } from "node:test"
import { ClientError } from "@conclave/client/node"
import { readable } from "../src/profile.js"
import { assertReadable, conclave, Folder, type Ran, type RunOptions, runHere, Service } from "./support.js"

interface Listening extends AsyncDisposable {
  readonly port: number
}

async function listening(server: Server): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close }
}

const quiet = (socket: Socket) => socket.on("error", () => {})
/** Answers whatever comes first with these bytes, and ends the connection. */
const answering = (answer: string) =>
  listening(createServer((socket) => quiet(socket).once("data", () => socket.end(answer))))
const http = (status: string, body = "") =>
  answering(`HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`)

/** A certificate that its own key signs. `days`: before and after today, for openssl. */
function certificate(folder: Folder, names: string, { from = "-1 day", to = "+1 day" } = {}) {
  const files = { key: folder.file("key.pem"), cert: folder.file("cert.pem") }
  const stamp = (offset: string) =>
    spawnSync("date", ["-u", "-d", offset, "+%y%m%d%H%M%SZ"], { encoding: "utf8" }).stdout.trim()
  const run = (...words: readonly string[]) => {
    const { status, stderr } = spawnSync("openssl", words, { cwd: folder.path, encoding: "utf8" })
    assert.equal(status, 0, stderr)
  }
  writeFileSync(folder.file("index"), "")
  const database =
    "[ca]\ndefault_ca=it\n[it]\ndatabase=index\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n"
  writeFileSync(
    folder.file("ca.cnf"),
    `${database}[names]\nsubjectAltName=${names}\nbasicConstraints=CA:TRUE\n[req]\ndistinguished_name=dn\n[dn]\n`,
  )
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem"]
  run("req", "-new", "-config", "ca.cnf", ...key, "-subj", "/CN=service", "-out", "request.pem")
  const dates = ["-startdate", stamp(from), "-enddate", stamp(to)]
  run(
    ...["ca", "-batch", "-selfsign", "-config", "ca.cnf", "-keyfile", "key.pem", "-in", "request.pem"],
    ...["-out", "cert.pem", "-extensions", "names", "-rand_serial", "-notext", ...dates],
  )
  return { files, key: readFileSync(files.key), cert: readFileSync(files.cert) }
}

const noOpenssl = spawnSync("openssl", ["version"]).status === 0 ? false : "needs the command openssl"
const trusting = (file: string) => ({ NODE_EXTRA_CA_CERTS: file })

interface Provoked extends AsyncDisposable {
  readonly server: string
  readonly words?: readonly string[]
  readonly options?: RunOptions
}

interface Case {
  readonly cause: string
  readonly provoke: () => Promise<Provoked>
  readonly says: RegExp
  readonly skip?: string | false
}

const at = async (made: Promise<Listening>, scheme = "http"): Promise<Provoked> => {
  const listens = await made
  const close = () => listens[Symbol.asyncDispose]()
  return { server: `${scheme}://127.0.0.1:${listens.port}`, [Symbol.asyncDispose]: close }
}

const withCertificate =
  (names: string, { trusted = false, ...dates }: { trusted?: boolean; from?: string; to?: string } = {}) =>
  async (): Promise<Provoked> => {
    const folder = new Folder()
    const { files, key, cert } = certificate(folder, names, dates)
    const listens = await listening(createHttps({ key, cert }, (_, response) => response.end()))
    return {
      server: `https://127.0.0.1:${listens.port}`,
      ...(trusted && { options: { environment: trusting(files.cert) } }),
      async [Symbol.asyncDispose]() {
        await listens[Symbol.asyncDispose]()
        folder[Symbol.dispose]()
      },
    }
  }

const wrongKey = "ab".repeat(32)
const withService =
  (...words: readonly string[]) =>
  async (): Promise<Provoked> => {
    const service = await Service.start(undefined, 0, { words })
    return {
      server: service.address,
      words: ["--server-key", wrongKey],
      [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    }
  }

/** A network namespace in which nothing is up. */
const NAMESPACE = `conclave-causes-${process.pid}`
const noNamespaces =
  process.platform === "linux" && process.getuid?.() === 0 && spawnSync("ip", ["netns", "list"]).status === 0
    ? false
    : "needs root and ip(8), for a network namespace"

const offline = (server: string) => async (): Promise<Provoked> => {
  assert.equal(spawnSync("ip", ["netns", "add", NAMESPACE]).status, 0)
  return {
    server,
    options: { within: NAMESPACE },
    [Symbol.asyncDispose]: async () => void spawnSync("ip", ["netns", "del", NAMESPACE]),
  }
}

const local = "http://127\\.0\\.0\\.1:\\d+"

const cases: readonly Case[] = [
  {
    cause: "nothing listens there",
    async provoke() {
      const { server, ...closing } = await at(answering(""))
      await closing[Symbol.asyncDispose]()
      return { server, [Symbol.asyncDispose]: async () => {} }
    },
    says: new RegExp(`nothing listens at ${local}; conclave serve starts a service, --server gives another address$`),
  },
  {
    cause: "something answers that is no Conclave",
    provoke: () => at(http("404 Not Found")),
    says: new RegExp(`something answers at ${local} that is not a Conclave service \\(HTTP 404\\); check --server$`),
  },
  {
    cause: "something answers 200, in no format of ours",
    provoke: () => at(http("200 OK", "hello, world")),
    says: /that is not a Conclave service \(not its format\); check --server$/,
  },
  {
    cause: "something answers that does not speak HTTP",
    provoke: () => at(answering("220 mail.example ESMTP\r\n")),
    says: /that is not a Conclave service \(not HTTP\); check --server$/,
  },
  {
    cause: "something closes connections without an answer",
    provoke: () => at(answering("")),
    says: /takes connections and closes them without an answer; check --server$/,
  },
  {
    cause: "something redirects",
    provoke: () => at(answering("HTTP/1.1 301 Moved\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n")),
    says: /redirects elsewhere; give --server the address that it leads to$/,
  },
  {
    cause: "a proxy stands in front of nothing",
    provoke: () => at(http("502 Bad Gateway")),
    says: /a proxy answers at \S+, and reaches no service behind it \(HTTP 502\); start it there$/,
  },
  {
    cause: "the service does not answer to the name",
    provoke: () => at(http("421 Misdirected Request")),
    says: /does not answer to the name 127\.0\.0\.1: allow it there with --allow-host$/,
  },
  {
    cause: "the service asks for patience",
    provoke: () => at(http("429 Too Many Requests")),
    says: /asks for patience; try again in a minute$/,
  },
  {
    cause: "its certificate is not trusted",
    provoke: withCertificate("IP:127.0.0.1"),
    says: /the certificate of https:\S+ is not trusted here; if its issuer is your own, name it in NODE_EXTRA_CA_CERTS$/,
    skip: noOpenssl,
  },
  {
    cause: "its certificate is for another name",
    provoke: withCertificate("DNS:chat.example", { trusted: true }),
    says: /the certificate of https:\S+ is for another name than 127\.0\.0\.1; use the name that it is for$/,
    skip: noOpenssl,
  },
  {
    cause: "its certificate has expired",
    provoke: withCertificate("IP:127.0.0.1", { trusted: true, from: "-3 days", to: "-1 day" }),
    says: /the certificate of https:\S+ has expired; renew it there, and check this machine's clock$/,
    skip: noOpenssl,
  },
  {
    cause: "its certificate is not valid yet",
    provoke: withCertificate("IP:127.0.0.1", { trusted: true, from: "+1 day", to: "+3 days" }),
    says: /the certificate of https:\S+ is not valid yet; check this machine's clock$/,
    skip: noOpenssl,
  },
  {
    cause: "it speaks TLS, and http:// was given",
    async provoke() {
      const { server, ...rest } = await withCertificate("IP:127.0.0.1")()
      return { ...rest, server: server.replace("https:", "http:") }
    },
    says: /http:\S+ speaks TLS: use https:\/\/127\.0\.0\.1:\d+$/,
    skip: noOpenssl,
  },
  {
    cause: "it does not speak TLS, and https:// was given",
    provoke: () => at(http("200 OK"), "https"),
    says: /https:\S+ does not speak TLS; if that is meant, use http:\/\/127\.0\.0\.1:\d+$/,
  },
  {
    cause: "the port is one that no HTTP client asks",
    provoke: async () => ({ server: "http://127.0.0.1:25", [Symbol.asyncDispose]: async () => {} }),
    says: /port 25 is reserved for another protocol; run the service at another port$/,
  },
  {
    cause: "the network is down",
    provoke: offline("http://192.0.2.1:7080"),
    says: /the network is down, or has no way to 192\.0\.2\.1; check the connection$/,
    skip: noNamespaces,
  },
  {
    cause: "no name server answers",
    provoke: offline("http://chat.example:7080"),
    says: /the name chat\.example cannot be looked up now: no name server answers; check the network$/,
    skip: noNamespaces,
  },
  {
    cause: "the server key is another",
    provoke: withService("--fast-open"),
    says: new RegExp(`nobody who has the server key answers at ${local}; compare it with the one`),
  },
  {
    cause: "a server key is given to a service that has none",
    provoke: withService(),
    says: new RegExp(
      `the service at ${local} answers no sealed requests, which --server-key requires; start it with --fast-open$`,
    ),
  },
]

describe("each reason why the service cannot be used has a sentence of its own, with the next step:", () => {
  for (const { cause, provoke, says, skip = false } of cases) {
    it(cause, { skip }, async () => {
      await using provoked = await provoke()
      using folder = new Folder()
      const place = ["--server", provoked.server, "--data", folder.path, ...(provoked.words ?? [])]
      const receive = ["receive", "--as", "alice", "--timeout", "1", ...place]
      const { options } = provoked
      const ran: Ran = await (options === undefined ? runHere(receive) : conclave(receive, options))
      assert.equal(ran.code, 1, ran.errors)
      const lines = ran.errors.split("\n").filter((line) => !line.startsWith("note: no data in the first packet"))
      assertReadable({ ...ran, errors: lines.join("\n") }, new RegExp(`^conclave receive: .*${says.source}`, "m"))
    })
  }

  // Whether a resolver answers that there is no such name, or not at all, is not this machine's choice.
  it("a name does not resolve, the service is busy, nothing comes in time", async () => {
    const server = new URL("http://host:7080/")
    const choice = { as: "alice", server, data: undefined, "fast-open": false, "server-key": undefined }
    const said = async (cause: unknown, retryAt?: Date) =>
      String(await readable(new ClientError("UNAVAILABLE", "the service does not answer", cause, retryAt), choice))
    const failed = (code: string) => Object.assign(new Error(code), { code })
    assert.match(
      await said(failed("ENOTFOUND")),
      /the name host does not resolve; check how it is written in --server$/,
    )
    assert.match(
      await said(failed("UND_ERR_CONNECT_TIMEOUT")),
      /http:\/\/host:7080 does not answer in time; check the address, and whether a firewall is in between$/,
    )
    assert.match(
      await said(undefined, new Date(2026, 0, 1, 0, 16)),
      /the service at http:\/\/host:7080 asks for patience until 00:16; try again then$/,
    )
  })
})
