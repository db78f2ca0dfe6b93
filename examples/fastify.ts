// Conclave inside a Fastify application, at /conclave, in a scope of its own: the parsers of the application's routes
// must not read the bodies of Conclave's requests.
import { createServer } from "@conclave/server"
import { fastify } from "fastify"

const conclave = await createServer({ file: process.env.CONCLAVE_FILE ?? "conclave.db", mount: "/conclave" })

const app = fastify()
app.register(async (scope) => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser("*", (_request, _body, done) => done(null))
  scope.all("/conclave/*", (request, reply) => {
    if (conclave.handler(request.raw, reply.raw)) reply.hijack()
    else reply.callNotFound()
  })
})
app.post<{ Body: { name: string } }>("/hello", async ({ body }) => `hello, ${body.name}`)

// Upgrades do not pass through routes.
app.server.on("upgrade", (request, socket, head) => {
  if (!conclave.upgrade(request, socket, head)) socket.destroy()
})
// Before Fastify waits for its connections: those of streams end here.
app.addHook("preClose", () => conclave.close())

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT ?? 3000) })
console.log(app.server.address())
process.once("SIGTERM", () => app.close())
