import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { documented, NAME, replaced, unitWords, upstream } from "./document.js"
import { type Certificate, type Program, programPath, Running, type TemporaryFolder } from "./resources.js"

/** What a configuration has come to. */
export interface Row {
  readonly name: string
  readonly page: string
  readonly sdk: string
  readonly log: string
}

/** Where a configuration is run. */
export interface Ground {
  readonly folder: TemporaryFolder
  readonly certificate: Certificate
  /** Of the service. */
  readonly service: number
  /** Which browsers open. */
  readonly port: number
  /** For a proxy behind the first. */
  readonly innerPort: number
}

export interface Configuration {
  readonly name: string
  readonly programs: readonly Program[]
  readonly scheme: "http" | "https"
  /** Of the address, beginning and ending with a slash. */
  readonly path?: string
  /** Options of `conclave serve`. */
  readonly words?: (publicUrl: string) => readonly string[]
  start(ground: Ground): readonly Running[]
  /** The certificate's authority, where it is not the test's own. */
  readonly authority?: (ground: Ground) => string
  /** Whether WebSockets get through: without them, clients have to ask again and again. */
  readonly sockets: boolean
  /** What the service says of it, if anything. */
  readonly log?: RegExp
  /** Whether the service tells clients by their addresses; `forged` where they can say any. */
  readonly requesters: "each" | "one" | "forged"
  /** The proxy cuts what is quiet for so long; then something is said again. */
  readonly quietMilliseconds?: number
}

const program = (name: Program) => programPath(name)!

/** nginx with what its main file has around `http`. */
function nginx({ folder }: Ground, http: string): Running {
  const place = join(folder.path, "nginx")
  mkdirSync(place)
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((of) => `${of}_temp_path ${place}/${of};`)
  // The certificate's key is the test's own.
  const user = process.getuid?.() === 0 ? "user root;" : ""
  const main = `daemon off; worker_processes 1; pid ${place}/pid; error_log stderr warn; ${user}
events { worker_connections 256; }
http {
access_log off; ${temporary.join(" ")}
${http}
}
`
  return new Running([program("nginx"), "-p", place, "-e", "stderr", "-c", folder.write("nginx.conf", main)])
}

/** A server of nginx without TLS, with these lines for the one place there is. */
const plainServer = (ground: Ground, lines: string, beside = "") =>
  nginx(
    ground,
    `${beside} server { listen 127.0.0.1:${ground.port};
     location / { proxy_pass http://127.0.0.1:${ground.service}; ${lines} } }`,
  )

const UPGRADE = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'

const nginxCertificate = ({ certificate }: Ground) => ({
  [`/etc/letsencrypt/live/${NAME}/fullchain.pem`]: certificate.certificate,
  [`/etc/letsencrypt/live/${NAME}/privkey.pem`]: certificate.key,
})

/** The document's server of nginx, at IPv4 alone. */
const documentedNginx = (ground: Ground) =>
  replaced(documented("conclave.conf"), {
    "    listen [::]:443 ssl http2;\n": "",
    "listen 443": `listen 127.0.0.1:${ground.port}`,
    ...nginxCertificate(ground),
    ...upstream(ground.service),
    [NAME]: "localhost",
  })

const haproxy = ({ folder }: Ground, content: string, name = "haproxy.cfg") =>
  new Running([program("haproxy"), "-db", "-f", folder.write(name, content)])

const documentedHaproxy = (name: string, { port, service, certificate }: Ground) =>
  replaced(documented(name), {
    "bind :443": `bind 127.0.0.1:${port}`,
    [`/etc/haproxy/certs/${NAME}.pem`]: certificate.both,
    ...upstream(service),
  })

const caddyFolder = ({ folder }: Ground) => join(folder.path, "caddy")

function caddy(ground: Ground): Running {
  const { folder, port, service } = ground
  const place = caddyFolder(ground)
  mkdirSync(place)
  const site = { [`${NAME} {`]: `https://localhost:${port} {\n\ttls internal`, ...upstream(service) }
  const global = `{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n\tstorage file_system ${place}\n}\n`
  const file = folder.write("Caddyfile", global + replaced(documented("Caddyfile"), site))
  const environment = { HOME: place, XDG_DATA_HOME: place, XDG_CONFIG_HOME: place }
  return new Running([program("caddy"), "run", "--adapter", "caddyfile", "--config", file], environment)
}

const named = (publicUrl: string) => ["--public-url", publicUrl]

export const configurations: readonly Configuration[] = [
  {
    name: "nginx, proxy_pass only",
    programs: ["nginx"],
    scheme: "http",
    start: (ground) => [plainServer(ground, "")],
    sockets: false,
    log: /a WebSocket for 127\.0\.0\.1:\d+ came without its Upgrade header/,
    requesters: "one",
  },
  {
    name: "nginx, Upgrade and Connection",
    programs: ["nginx"],
    scheme: "http",
    start: (ground) => [plainServer(ground, UPGRADE)],
    sockets: false,
    log: /a page at http:\/\/localhost:\d+ was refused: start with --public-url http:\/\/localhost:\d+\//,
    requesters: "one",
  },
  {
    name: "nginx, the same with --public-url",
    programs: ["nginx"],
    scheme: "http",
    words: named,
    start: (ground) => [plainServer(ground, UPGRADE)],
    sockets: true,
    requesters: "one",
  },
  {
    name: "nginx, Host $host at another port",
    programs: ["nginx"],
    scheme: "http",
    words: named,
    start: (ground) => [plainServer(ground, `${UPGRADE} proxy_set_header Host $host;`)],
    sockets: true,
    requesters: "one",
  },
  {
    name: "nginx, no Host at all",
    programs: ["nginx"],
    scheme: "http",
    words: named,
    start: (ground) => [plainServer(ground, `${UPGRADE} proxy_set_header Host "";`)],
    sockets: true,
    requesters: "one",
  },
  {
    name: "nginx, as documented",
    programs: ["nginx"],
    scheme: "https",
    words: unitWords,
    start: (ground) => [nginx(ground, documentedNginx(ground))],
    sockets: true,
    requesters: "each",
  },
  {
    name: "nginx beneath a path, taken off",
    programs: ["nginx"],
    scheme: "https",
    path: "/conclave/",
    words: unitWords,
    start: (ground) => [nginx(ground, beneath(ground, `http://127.0.0.1:${ground.service}/`))],
    sockets: true,
    requesters: "each",
  },
  {
    name: "nginx beneath a path, passed on",
    programs: ["nginx"],
    scheme: "https",
    path: "/conclave/",
    words: unitWords,
    start: (ground) => [nginx(ground, beneath(ground, `http://127.0.0.1:${ground.service}`))],
    sockets: true,
    requesters: "each",
  },
  {
    name: "nginx, gzip, buffers, 3 s of quiet",
    programs: ["nginx"],
    scheme: "http",
    words: named,
    start: (ground) => [
      plainServer(
        ground,
        `${UPGRADE} proxy_buffering on; proxy_read_timeout 3s; proxy_send_timeout 3s; client_body_buffer_size 8k;`,
        "gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;",
      ),
    ],
    sockets: true,
    requesters: "one",
    quietMilliseconds: 8_000,
  },
  {
    name: "HAProxy, mode http",
    programs: ["haproxy"],
    scheme: "https",
    words: unitWords,
    start: (ground) => [haproxy(ground, documentedHaproxy("haproxy.cfg", ground))],
    sockets: true,
    requesters: "each",
  },
  {
    name: "HAProxy, TCP after TLS",
    programs: ["haproxy"],
    scheme: "https",
    words: named,
    start: (ground) => [haproxy(ground, documentedHaproxy("haproxy-tcp.cfg", ground))],
    sockets: true,
    requesters: "one",
  },
  {
    name: "the same, wrongly trusted",
    programs: ["haproxy"],
    scheme: "https",
    words: unitWords,
    start: (ground) => [haproxy(ground, documentedHaproxy("haproxy-tcp.cfg", ground))],
    sockets: true,
    requesters: "forged",
  },
  {
    name: "Caddy, its own certificate",
    programs: ["caddy"],
    scheme: "https",
    words: unitWords,
    start: (ground) => [caddy(ground)],
    authority: (ground) => join(caddyFolder(ground), "pki/authorities/local/root.crt"),
    sockets: true,
    requesters: "each",
  },
  {
    name: "nginx before HAProxy, both trusted",
    programs: ["nginx", "haproxy"],
    scheme: "https",
    words: (publicUrl) => [...named(publicUrl), "--trust-proxy", "127.0.0.2,127.0.0.3"],
    // As two containers are: each with an address of its own.
    start: (ground) => [
      nginx(
        ground,
        replaced(documentedNginx({ ...ground, service: ground.innerPort }), {
          "proxy_http_version 1.1;": "proxy_http_version 1.1; proxy_bind 127.0.0.3;",
        }),
      ),
      haproxy(
        ground,
        replaced(documentedHaproxy("haproxy.cfg", { ...ground, port: ground.innerPort }), {
          [` ssl crt ${ground.certificate.both} alpn h2,http/1.1`]: "",
          [`127.0.0.1:${ground.service} check`]: `127.0.0.1:${ground.service} source 127.0.0.2 check`,
        }),
      ),
    ],
    sockets: true,
    requesters: "each",
  },
]

/** The document's place beneath a path, in a server that is there. */
function beneath(ground: Ground, target: string): string {
  const location = replaced(documented("beneath.conf"), { "http://127.0.0.1:7080/": target })
  return `map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
server {
  listen 127.0.0.1:${ground.port} ssl http2; server_name localhost;
  ssl_certificate ${ground.certificate.certificate}; ssl_certificate_key ${ground.certificate.key};
  location / { return 404; }
  ${location}
}`
}
