import type { IncomingMessage, ServerResponse } from "node:http"

export type Headers = Record<string, string[]>

export interface Decision {
  decision_id: string
  allow: boolean
  kind: "allow" | "deny" | "unauthenticated" | "malformed" | "unavailable" | "misconfigured" | "internal"
  status: number
  reasons: { code: string; message?: string; [member: string]: unknown }[]
  headers: Headers
  upstream_headers: Headers
  context: { obligations?: Obligation[]; [member: string]: unknown }
  policy: { path: string; revision: string; digest: string }
}

export type Obligation = { type?: string; id?: string; [member: string]: unknown }

export interface Asked {
  method: string
  url: string
  headers?: Headers
  source_ip?: string
  client_certificate?: string
  body?: string
}

export interface Call {
  request: Asked
  context?: Record<string, unknown>
  token?: string
}

export interface Options<R, Rest extends unknown[] = []> {
  obligations?: Record<string, (obligation: Obligation, request: R) => unknown>
  target?: (request: R, ...rest: Rest) => string
  question?: (call: Call, request: R, ...rest: Rest) => void
}

export class Refusal extends Error {
  readonly status: number
  readonly decision?: Decision
  readonly body: string
  readonly headers: [string, string][]
}

export class Sidecar {
  constructor(url?: string, options?: {
    timeout?: number
    key?: string
    tls?: import("node:tls").ConnectionOptions
    entrypoint?: string
    log?: { error(text: string): void }
  })
  decide(request: Asked, members?: Omit<Call, "request">): Promise<Decision>
}

export function decisionOf(request: object): Decision | undefined
export function check<R extends IncomingMessage>(req: R, sidecar: Sidecar, options?: Options<R>): Promise<Decision>
export function middleware<R extends IncomingMessage>(sidecar: Sidecar, options?: Options<R>):
  (req: R, res: ServerResponse, next: () => void) => Promise<void>
export function httpHandler<R extends IncomingMessage, S extends ServerResponse>(
  handler: (req: R, res: S) => unknown, sidecar: Sidecar, options?: Options<R>): (req: R, res: S) => Promise<void>
export function fetchHandler<Rest extends unknown[]>(
  handler: (request: Request, ...rest: Rest) => Response | Promise<Response>, sidecar: Sidecar,
  options?: Options<Request, Rest>): (request: Request, ...rest: Rest) => Promise<Response>
