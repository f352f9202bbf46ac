import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Reads a secret of one line.
 *
 * @param file - a path; without a slash at its beginning a credential of the systemd unit.
 * @throws Error where there is none. Its message says nothing of the content.
 */
export function readSecret(file: string): string {
  const folder = process.env.CREDENTIALS_DIRECTORY;
  if (!file.startsWith("/") && folder === undefined) {
    throw new Error(`"${file}" is no absolute path, and there is no $CREDENTIALS_DIRECTORY`);
  }
  const path = file.startsWith("/") ? file : join(folder ?? "", file);
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`cannot read "${path}": ${code ?? "it failed"}`, { cause: error });
  }
  if (text === "" || /[\s\p{C}]/u.test(text)) {
    throw new Error(`"${path}" must hold one line of text without a space`);
  }
  return text;
}

/**
 * Reads a URL that is a secret.
 *
 * @param fill - replaces what stands in braces.
 * @throws Error as {@link readSecret}, and where it is no URL.
 */
export function readUrl(file: string, fill: (text: string) => string = (text) => text): URL {
  const text = fill(readSecret(file));
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new Error(`"${file}" must hold a URL that begins with https:// or http://`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new Error(`the URL in "${file}" must have no user and password`);
  }
  return url;
}
