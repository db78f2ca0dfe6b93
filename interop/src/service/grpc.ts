import { fileURLToPath } from "node:url"
import * as grpc from "@grpc/grpc-js"
import { loadSync } from "@grpc/proto-loader"
import type { Answering, CallName, Request, Response } from "./calls.js"

const definition = loadSync(fileURLToPath(new URL("../../../proto/mls-client.proto", import.meta.url)), {
  longs: String,
  defaults: true,
})
const { mls_client: loaded } = grpc.loadPackageDefinition(definition) as unknown as {
  readonly mls_client: { readonly MLSClient: grpc.ServiceClientConstructor }
}
const { service } = loaded.MLSClient

/** More than a Welcome to thousands, and far less than memory. */
const MESSAGE_BYTES_MAX = 64 * 2 ** 20
const sizes = {
  "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
  "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
}

export interface RunningServer {
  readonly port: number
  close(): void
}

/** Serves on loopback, or wherever `host` says. Every failure is a status with a reason; the server stays up. */
export async function serve(answering: Answering, port: number, host = "127.0.0.1"): Promise<RunningServer> {
  const server = new grpc.Server(sizes)
  const handlers: grpc.UntypedServiceImplementation = {}
  for (const name of callNames()) handlers[name] = handlerOf(answering, name)
  server.addService(service, handlers)
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, grpc.ServerCredentials.createInsecure(), (error, found) =>
      error ? reject(error) : resolve(found),
    )
  })
  return { port: bound, close: () => server.forceShutdown() }
}

export function callNames(): CallName[] {
  return Object.keys(service) as CallName[]
}

function handlerOf(answering: Answering, name: CallName): grpc.handleUnaryCall<Request<CallName>, object> {
  return async (call, respond) => {
    try {
      respond(null, await answering.call(name, call.request as never))
    } catch (error) {
      const { message } = error as Error
      respond({ code: statusOf(error as Error), details: `${(error as Error).name}: ${message}` })
    }
  }
}

function statusOf(error: Error): grpc.status {
  if (error.name === "Unable" || error.name === "UnsupportedError") return grpc.status.UNIMPLEMENTED
  return error.name === "StateError" ? grpc.status.FAILED_PRECONDITION : grpc.status.INVALID_ARGUMENT
}

/** The other end: somebody's server at `host:port`. */
export class RemoteClient implements Answering {
  readonly #client: grpc.Client

  constructor(address: string) {
    this.#client = new loaded.MLSClient(address, grpc.credentials.createInsecure(), sizes)
  }

  call<N extends CallName>(name: N, request: Request<N>): Promise<Response<N>> {
    const { path, requestSerialize, responseDeserialize } = service[name]!
    return new Promise((resolve, reject) => {
      const deadline = { deadline: Date.now() + CALL_MILLISECONDS_MAX }
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        deadline,
        (error, response) => (error ? reject(failureOf(error)) : resolve(response as Response<N>)),
      )
    })
  }

  close(): void {
    this.#client.close()
  }
}

/** Whoever takes longer hangs. */
const CALL_MILLISECONDS_MAX = 20_000

function failureOf(error: grpc.ServiceError): Error {
  const failure = new Error(error.details)
  if (error.code === grpc.status.UNIMPLEMENTED) failure.name = "Unable"
  if (error.code === grpc.status.DEADLINE_EXCEEDED) failure.name = "Silent"
  return failure
}
