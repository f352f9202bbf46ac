/** Runs one command and keeps what it writes. */
import { spawn } from "node:child_process";
import { StringDecoder } from "node:string_decoder";

/** What to run. */
export interface Invocation {
  file: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** Given on standard input, which is empty without it. */
  stdin?: string | undefined;
  /** Told of each line of a stream as it is written. */
  onLine?: ((stream: "stdout" | "stderr", line: string) => void) | undefined;
  signal: AbortSignal;
}

/** How it ended. */
export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Both streams, in the order in which they came. */
  both: string;
}

/**
 * Runs a command to its end.
 *
 * @throws What the system says when it cannot be started.
 */
export async function runProcess(invocation: Invocation): Promise<Outcome> {
  const { file, args, env, cwd, stdin, signal } = invocation;
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env,
      ...(cwd === undefined ? {} : { cwd }),
      stdio: [stdin === undefined || stdin === "" ? "ignore" : "pipe", "pipe", "pipe"],
    });
    const kill = () => child.kill("SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    const streams = { stdout: "", stderr: "" };
    let both = "";
    const pending = { stdout: "", stderr: "" };
    const keep = (stream: "stdout" | "stderr") => {
      const decoder = new StringDecoder("utf8");
      const take = (text: string) => {
        streams[stream] += text;
        both += text;
        const lines = (pending[stream] + text).split("\n");
        pending[stream] = lines.pop() ?? "";
        for (const line of lines) invocation.onLine?.(stream, line);
      };
      child[stream]?.on("data", (chunk: Buffer) => {
        take(decoder.write(chunk));
      });
      child[stream]?.on("end", () => {
        take(decoder.end());
        if (pending[stream] !== "") invocation.onLine?.(stream, pending[stream]);
      });
    };
    keep("stdout");
    keep("stderr");
    // A command may end without having read all of its input.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(stdin);
    child.once("error", (error) => {
      signal.removeEventListener("abort", kill);
      reject(error);
    });
    child.once("close", (code, killedBy) => {
      signal.removeEventListener("abort", kill);
      resolve({ code, signal: killedBy, ...streams, both });
    });
  });
}
