import { Command, InvalidArgumentError } from "commander";

import { startB2Emulator } from "./index.ts";

const command = new Command("b2-emulator")
  .description(
    "Runs an emulator of Backblaze B2's native API until it is interrupted. Prints one line of JSON: its URL and a master key.",
  )
  .requiredOption("--data <directory>", "where buckets, keys and files are kept")
  .option("--port <number>", "the port to listen on; 0 takes a free one", parsePort, 0)
  .option("--host <address>", "the address to listen on", "127.0.0.1")
  .parse();

const options = command.opts<{ data: string; port: number; host: string }>();
try {
  const emulator = await startB2Emulator({
    dataDirectory: options.data,
    port: options.port,
    host: options.host,
  });
  const { url, accountId, applicationKeyId, applicationKey } = emulator;
  process.stdout.write(`${JSON.stringify({ url, accountId, applicationKeyId, applicationKey })}\n`);
  const stop = (): void => void emulator.stop();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
} catch (error) {
  command.error(`b2-emulator: ${error instanceof Error ? error.message : String(error)}`);
}

function parsePort(value: string): number {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new InvalidArgumentError("must be a number from 0 to 65535");
  }
  return port;
}
