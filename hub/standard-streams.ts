/**
 * What is done where standard output or error can no longer be written. A reader such as `head` that
 * has seen enough, or a terminal that was closed, must not end a command halfway: what it has begun is
 * to be ended. A full disk is told of, where that can be, and the exit code is then not 0.
 */
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (code === "EPIPE" || code === "EIO") return;
    if (Number(process.exitCode ?? 0) === 0) process.exitCode = 1;
    if (stream === process.stdout) console.error(`error: standard output: ${message}`);
  });
}
