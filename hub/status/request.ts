/**
 * Commands as handlers of capabilities: another machine's request arrives as JSON on standard
 * input, and standard output is the answer. The caller is not trusted: what it names is looked up
 * in the manifest and used for nothing else.
 */
import type { Readable } from "node:stream";
import { z } from "zod";
import { messageOf, UsageError } from "../errors.ts";
import type { Output } from "../output.ts";

/** What a caller may ask for: `{}` or `{"host": "q"}`. */
export const requestSchema = z.strictObject({
  host: z.string().optional().describe("The one host that it is about."),
});

export type Request = z.infer<typeof requestSchema>;

/** What a command answers that cannot do as it was asked, with exit code 1. */
export interface ErrorAnswer {
  /** What is wrong and what is allowed, on one line. */
  readonly error: string;
}

const MOST_BYTES = 65_536;
const PATIENCE_MS = 10_000;
const SHOWN = 60;

/**
 * Answers the request on standard input with what `work` makes of it, or with an
 * {@link ErrorAnswer} and exit code 1.
 *
 * @param source - the value of `--request`: `-` or none.
 */
export async function answerRequest(
  command: string,
  source: string | true,
  output: Output,
  work: (request: Request) => Promise<unknown>,
): Promise<void> {
  try {
    if (source !== true && source !== "-") {
      throw new UsageError(`--request reads standard input: give "-" or nothing after it`);
    }
    const origin = process.env.FORT_ORIGIN;
    output.info(`${command} asked for by ${origin === undefined ? "nobody named" : shown(origin)}`);
    const request = parseRequest(await readAll(process.stdin));
    answer(await work(request));
  } catch (error) {
    const message = messageOf(error);
    answer({ error: message } satisfies ErrorAnswer);
    output.error(`${command}: ${message}`);
    process.exitCode = 1;
  }
}

/**
 * Parses a request; an empty one asks for nothing in particular.
 *
 * @throws UsageError where it is anything else than an object with the properties that are allowed.
 */
export function parseRequest(text: string): Request {
  const allowed = `a request is {} or {"host": "<name>"}`;
  let value: unknown;
  try {
    value = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw new UsageError(`the request is not JSON: ${shown(text)}; ${allowed}`);
  }
  const result = requestSchema.safeParse(value);
  if (result.success) return result.data;
  throw new UsageError(`the request is ${shown(text)}; ${allowed}`);
}

/**
 * Finds the hosts that a request is about: the one that it names, or all.
 *
 * @throws UsageError where the name is none of them.
 */
export function requestedHosts(request: Request, all: readonly string[]): string[] {
  const { host } = request;
  if (host === undefined) return [...all];
  if (all.includes(host)) return [host];
  throw new UsageError(`no such host: ${shown(host)}. Allowed: ${all.join(", ")}`);
}

/** A stranger's text for a message or a log: on one line, printable, not long. */
export function shown(text: string): string {
  const cut = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  return JSON.stringify(cut).replaceAll(/[^\x20-\x7e…]/g, "?");
}

function answer(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Reads a stream to its end, within bounds of size and time. */
async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(() => {
    const seconds = PATIENCE_MS / 1000;
    stream.destroy(new UsageError(`no whole request on standard input within ${seconds} s`));
  }, PATIENCE_MS);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) {
        throw new UsageError(`the request is longer than the ${MOST_BYTES} bytes that are allowed`);
      }
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
