import { parseArgs } from "node:util"
import { libraries, libraryNamed } from "./libraries.js"
import { given } from "./options.js"
import { serve } from "./service/grpc.js"
import { InteropService } from "./service/service.js"

/*
 * npm run interop -- --port N [--host 127.0.0.1] [--library conclave]
 *
 * The MLSClient interface of the MLS working group's interoperability runner, answered by Conclave or by a neighbour.
 */

const usage = `interop --port 0…65535 --host 127.0.0.1 --library ${libraries.map(({ name }) => name).join("|")}`
const options = given(
  () =>
    parseArgs({
      options: {
        port: { type: "string", default: "50051" },
        host: { type: "string", default: "127.0.0.1" },
        library: { type: "string", default: "conclave" },
      },
    }).values,
  usage,
)
const library = libraryNamed(options.library)
const port = Number(options.port)
if (library === undefined || !Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`usage: ${usage}`)
  process.exit(2)
}
const server = await serve(new InteropService(library), port, options.host)
console.log(`${library.name} ${library.version} answers at ${options.host}:${server.port}`)
