import http from "node:http";
import https from "node:https";
import { setTimeout } from "node:timers/promises";

/** Where to send something, and what. */
export interface Message {
  /** A secret: it never appears in what is thrown. */
  readonly url: URL;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How long to go on. */
export interface SendPatience {
  /** Until an attempt is given up, in milliseconds, whatever it has come to. */
  readonly timeoutMs: number;
  readonly attempts: number;
  /** Before the second attempt; twice as long before each further one. */
  readonly pauseMs: number;
}

/** It was not delivered. The message says why, and nothing of where to. */
export class NotSentError extends Error {
  override name = "NotSentError";
  readonly isLasting: boolean;

  /** @param isLasting - whether trying again would be of no use. */
  constructor(message: string, isLasting: boolean) {
    super(message);
    this.isLasting = isLasting;
  }
}

/**
 * Sends a message, again where that may help. A redirect is not followed: it would carry what is
 * secret elsewhere.
 *
 * @throws NotSentError where no attempt was answered with 2xx.
 */
export async function send(message: Message, patience: SendPatience): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await sendOnce(message, patience.timeoutMs);
      return;
    } catch (error) {
      const isLasting = error instanceof NotSentError && error.isLasting;
      if (isLasting || attempt >= patience.attempts) throw error;
    }
    await setTimeout(patience.pauseMs * 2 ** (attempt - 1));
  }
}

async function sendOnce({ url, body, headers }: Message, timeoutMs: number): Promise<void> {
  const { request: begin } = url.protocol === "https:" ? https : http;
  const status = await new Promise<number>((resolve, reject) => {
    const request = begin(url, {
      method: "POST",
      agent: false,
      headers: { ...headers, "content-length": String(Buffer.byteLength(body)) },
      signal: AbortSignal.timeout(timeoutMs),
    });
    request.once("error", (error) => reject(failure(error, timeoutMs)));
    request.once("response", (response) => {
      resolve(response.statusCode ?? 0);
      // The status is all that is asked for, and the body may never end.
      response.once("error", () => undefined);
      request.destroy();
    });
    request.end(body);
  });
  if (status >= 200 && status < 300) return;
  const isRedirect = status >= 300 && status < 400;
  const why = isRedirect ? ", a redirect, which is not followed: give the address it leads to" : "";
  const mayPass = status >= 500 || status === 429 || status === 408;
  throw new NotSentError(`it answered ${status}${why}`, !mayPass);
}

/** Node's own messages name the host; the code says as much. */
function failure(error: Error, timeoutMs: number): NotSentError {
  if (error.name === "AbortError" || error.name === "TimeoutError") {
    return new NotSentError(`no answer within ${timeoutMs / 1000} s`, false);
  }
  const { code } = error as NodeJS.ErrnoException;
  return new NotSentError(code ?? "the connection failed", false);
}
