/** A port of this machine that leads, through the operator's SSH, to one that the peer reaches. */
import { existsSync } from "node:fs";
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import {
  HOST,
  reasonOf,
  UnreachableError,
  wasLetIn,
  withPrivateFolder,
  type PrivateFolder,
  type SshConnection,
} from "./ssh.ts";

/** Stands until it is closed, or the connection to the peer breaks. */
export interface Forward {
  /** At 127.0.0.1 of this machine. */
  readonly port: number;
  /** Why it no longer leads anywhere; undefined while it does. */
  readonly failure: () => string | undefined;
  /** Ends it, and the connections through it. May be called again. */
  close(): Promise<void>;
}

const POLL_MS = 50;

/**
 * Opens a port of the loopback address that leads to a port that the peer reaches.
 *
 * ssh ends with this process, however that ends: it runs until its standard input does.
 *
 * @param remoteHost - as the peer sees it, `127.0.0.1` for the peer itself.
 * @throws UnreachableError, with the reason on one line, when the peer does not let us in.
 */
export async function forward(
  connection: SshConnection,
  remoteHost: string,
  remotePort: number,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Forward> {
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, ...(options.signal ? [options.signal] : [])]);
  let ended: string | undefined;
  // Resolves with the private socket once ssh listens on it; the folder stays until ssh has ended.
  const opened = newDeferred<string>();
  const done = withPrivateFolder(connection, [], async (folder) => {
    const socket = path.join(path.dirname(folder.config), "forward");
    const ssh = execa(
      "ssh",
      forwardArguments(folder, `${socket}:${bracketed(remoteHost)}:${remotePort}`),
      {
        stdin: "pipe",
        stdout: "ignore",
        stderr: "ignore",
        // In a group of its own: Ctrl-C at the terminal is for this process to heed.
        detached: true,
        cancelSignal: signal,
        reject: false,
      },
    );
    const wait = new AbortController();
    const result = ssh.finally(() => wait.abort());
    if (await appears(socket, wait.signal)) opened.resolve(socket);
    const { code } = await result;
    ended =
      code === "ENOENT"
        ? "needs the program ssh, which is not on PATH"
        : endOf(await folder.log(), connection);
  })
    .catch((error: unknown) => opened.reject(error))
    .finally(() => opened.reject(new UnreachableError(ended ?? "ssh ended")));
  let socket: string;
  try {
    socket = await opened.promise;
  } catch (error) {
    await done;
    options.signal?.throwIfAborted();
    throw error;
  }
  const listener = await listen(socket);
  // A client is told at once that there is nobody any more.
  void done.then(() => listener.close());
  return {
    port: listener.port,
    failure: () => ended,
    close: async () => {
      ending.abort();
      await Promise.all([listener.close(), done]);
    },
  };
}

// A remote command in place of -N: it ends when our end of its standard input does, a kill included.
function forwardArguments(folder: PrivateFolder, what: string): string[] {
  const log = path.join(path.dirname(folder.config), "log");
  const options = [
    "ClearAllForwardings=no",
    "ExitOnForwardFailure=yes",
    "StreamLocalBindMask=0177",
  ];
  return [
    ...["-F", folder.config, "-E", log],
    ...options.flatMap((option) => ["-o", option]),
    ...["-L", what, "--", HOST, "cat >/dev/null"],
  ];
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function endOf(log: string, connection: SshConnection): string {
  if (!wasLetIn(log)) return reasonOf(log, connection);
  const last = log.trim().split("\n").at(-1) ?? "";
  return `the connection to ${connection.host} has ended: ${last}`;
}

/** A promise that is settled from outside. Node 20 has no `Promise.withResolvers`. */
function newDeferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** Waits for a file; false when the signal came first. */
async function appears(file: string, signal: AbortSignal): Promise<boolean> {
  while (!existsSync(file)) {
    if (signal.aborted) return false;
    await setTimeout(POLL_MS);
  }
  return true;
}

/** Passes the connections to a free port on to a Unix socket. */
async function listen(socket: string): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const remote = connect(socket);
    for (const [from, to] of [
      [client, remote],
      [remote, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const each of sockets) each.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
