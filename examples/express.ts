// Conclave inside an Express application, at /conclave: beside a route and a WebSocket of the application's own.
import { createServer as createHttpServer } from "node:http"
import { createServer } from "@conclave/server"
import express from "express"
import { WebSocketServer } from "ws"

const conclave = await createServer({ file: process.env.CONCLAVE_FILE ?? "conclave.db", mount: "/conclave" })

const app = express()
app.use("/conclave", conclave.handler) // before express.json(): Conclave reads the bodies of its requests itself
app.use(express.json())
app.post("/hello", (request, response) => void response.send(`hello, ${request.body.name}`))

const port = Number(process.env.PORT ?? 3000)
const server = createHttpServer(app).listen(port, "127.0.0.1", () => console.log(server.address()))
const own = new WebSocketServer({ noServer: true }).on("connection", (socket) => socket.send("hello"))
server.on("upgrade", (request, socket, head) => {
  if (conclave.upgrade(request, socket, head)) return
  own.handleUpgrade(request, socket, head, (webSocket) => own.emit("connection", webSocket))
})
process.once("SIGTERM", async () => {
  server.close()
  await conclave.close() // answers what is under way, ends streams, then closes the file
})
