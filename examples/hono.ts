// Conclave inside a Hono application on Node, at /conclave: Hono's adapter gives a handler Node's own request and
// response, and is told that the answer is on its way.
import { createServer } from "@conclave/server"
import { type HttpBindings, serve } from "@hono/node-server"
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response"
import { Hono } from "hono"

const conclave = await createServer({ file: process.env.CONCLAVE_FILE ?? "conclave.db", mount: "/conclave" })

const app = new Hono<{ Bindings: HttpBindings }>()
app.all("/conclave/*", (context) => {
  const { incoming, outgoing } = context.env
  return conclave.handler(incoming, outgoing) ? RESPONSE_ALREADY_SENT : context.notFound()
})
app.post("/hello", async (context) => context.text(`hello, ${(await context.req.json()).name}`))

const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.PORT ?? 3000) }, (address) =>
  console.log(address),
)
// Upgrades do not pass through routes.
server.on("upgrade", (request, socket, head) => {
  if (!conclave.upgrade(request, socket, head)) socket.destroy()
})
process.once("SIGTERM", async () => {
  server.close()
  await conclave.close()
})
