import { once } from "node:events"
import { connect, createServer, type SecureVersion } from "node:tls"
import { makeCertificate } from "../../lab/certificate.js"

export async function serveTls(port: number): Promise<void> {
  const server = createServer(await makeCertificate(), (socket) => socket.on("error", () => {}).pipe(socket))
  server.listen(port)
  await once(server, "listening")
}

/** Connects `times` times; each connection after the first offers the session that the first one was given. */
export async function resume(target: {
  host: string
  port: number
  version: SecureVersion
  times: number
}): Promise<number> {
  let session: Buffer | undefined
  let resumed = 0
  for (let n = 0; n < target.times; n++) {
    const { host, port, version } = target
    const offered = session === undefined ? {} : { session }
    const socket = connect({
      host,
      port,
      minVersion: version,
      maxVersion: version,
      rejectUnauthorized: false,
      ...offered,
    })
    const given = session === undefined ? once(socket, "session") : undefined
    socket.write("hello")
    await once(socket, "data")
    if (given) session = (await given)[0] as Buffer
    if (socket.isSessionReused()) resumed++
    socket.destroy()
  }
  return resumed
}
