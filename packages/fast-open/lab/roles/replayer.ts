import { connect } from "node:net"

const TOGETHER = 50

/**
 * Sends recorded bytes over connections of its own, which all finish their handshakes, `times` times from `address`.
 * Returns how many were answered with anything.
 */
export async function replay(options: {
  host: string
  port: number
  address: string
  data: Uint8Array
  times: number
}): Promise<number> {
  let answered = 0
  for (let done = 0; done < options.times; done += TOGETHER) {
    const batch = Array.from({ length: Math.min(TOGETHER, options.times - done) }, () => replayOnce(options))
    answered += (await Promise.all(batch)).filter(Boolean).length
  }
  return answered
}

function replayOnce(options: { host: string; port: number; address: string; data: Uint8Array }): Promise<boolean> {
  return new Promise((resolve) => {
    const { host, port, address } = options
    const socket = connect({ host, port, localAddress: address })
    let heard = false
    socket.setTimeout(3000, () => socket.destroy())
    socket.on("data", () => {
      heard = true
      socket.destroy()
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve(heard))
    socket.write(options.data)
  })
}
