/**
 * A port of this machine that leads, through the operator's SSH, into the network of a server's
 * container: that of a tunnel, which is on no address of the peer.
 */
import { spawn } from "node:child_process";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { ListenAddress } from "../config/rules.ts";
import { localAddress } from "./compose.ts";
import { forward, type Forward } from "./forward.ts";
import {
  runOnPeer,
  sshArguments,
  UnreachableError,
  withPrivateFolder,
  type PrivateFolder,
  type SshConnection,
} from "./ssh.ts";

/** A server, and how the operator reaches its machine. */
export interface ServerPlace {
  readonly connection: SshConnection;
  /** The compose project's name. */
  readonly project: string;
  readonly listen: ListenAddress;
  /** Whether it listens in a tunnel's network, and not in the peer's own. */
  readonly inTunnel: boolean;
}

/**
 * Opens a port of the loopback address that leads to where a server listens.
 *
 * @throws UnreachableError, with the reason on one line, when there is no way to it.
 */
export async function forwardToServer(
  place: ServerPlace,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Forward> {
  const { connection, listen, inTunnel } = place;
  const address = localAddress(listen);
  if (!inTunnel) return await forward(connection, address, listen.port, options);
  const probe = await runOnPeer(connection, inServer(place, "sh -c :"), options);
  if (probe.exitCode !== 0) {
    throw new UnreachableError(`the server does not run at ${connection.host}`);
  }
  return await openInto(connection, inServer(place, `nc ${address} ${listen.port}`), options);
}

/** What runs a command inside the server's container. None of the values needs quoting. */
function inServer({ connection, project }: ServerPlace, command: string): string {
  const labels = [`project=${project}`, "service=rest-server"]
    .map((label) => `--filter label=com.docker.compose.${label}`)
    .join(" ");
  const path = 'PATH="$PATH:/usr/local/bin:/usr/bin:/bin:/snap/bin"';
  const script = `${path}; id=$(docker ps --quiet ${labels} | head -n 1); [ -n "$id" ] || exit 1; exec docker exec -i "$id" ${command}`;
  const { user = "root" } = connection;
  return `${user === "root" ? "" : "sudo -n "}sh -c '${script}'`;
}

/** Each connection is a session of SSH of its own, which ends with it. */
async function openInto(
  connection: SshConnection,
  command: string,
  { signal }: { readonly signal?: AbortSignal },
): Promise<Forward> {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const open = new Set<Socket>();
  let opened: (port: number) => void = () => undefined;
  let failed: (reason: unknown) => void = () => undefined;
  const listening = new Promise<number>((resolve, reject) => {
    opened = resolve;
    failed = reject;
  });
  const done = withPrivateFolder(connection, [], async (folder) => {
    const server = createServer((client) => {
      open.add(client);
      client.once("close", () => open.delete(client));
      join(client, folder, command);
    });
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => opened((server.address() as AddressInfo).port));
    await ended;
    for (const each of open) each.destroy();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  done.catch(failed);
  const stop = async () => {
    end();
    await done;
  };
  signal?.addEventListener("abort", () => void stop().catch(() => undefined), { once: true });
  return { port: await listening, failure: () => undefined, close: stop };
}

function join(client: Socket, folder: PrivateFolder, command: string): void {
  // In a group of its own: Ctrl-C at the terminal is for this process to heed.
  const ssh = spawn("ssh", sshArguments(folder, command), {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  const close = () => {
    client.destroy();
    ssh.kill();
  };
  ssh.stdin.on("error", close);
  ssh.once("error", close);
  ssh.once("close", close);
  client.on("error", close);
  client.once("close", close);
  client.pipe(ssh.stdin);
  ssh.stdout.pipe(client);
}
