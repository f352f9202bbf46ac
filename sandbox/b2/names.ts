import { badRequest } from "./errors.ts";

/**
 * Checks a file name against the rules of Backblaze's page "Files": 1 to 1,024 bytes of UTF-8, no
 * control characters or DEL, no leading, trailing or doubled slash, no part over 250 bytes.
 *
 * @throws B2Error 400 `bad_request`
 */
export function checkFileName(name: string): void {
  const problem = fileNameProblem(name);
  if (problem !== null) throw badRequest(problem);
}

/** @returns what is wrong with a file name, or null */
export function fileNameProblem(name: string): string | null {
  const bytes = Buffer.byteLength(name, "utf8");
  if (bytes < 1) return "File names must be at least one byte long.";
  if (bytes > 1024) return "File names must be at most 1024 bytes long.";
  if (/\p{Surrogate}/u.test(name)) return "File names must be valid UTF-8.";
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) {
    return "File names must not contain control characters or DEL.";
  }
  if (name.startsWith("/")) return "File names must not start with '/'.";
  if (name.endsWith("/")) return "File names must not end with '/'.";
  if (name.includes("//")) return "File names must not contain '//'.";
  if (name.split("/").some((part) => Buffer.byteLength(part, "utf8") > 250)) {
    return "File name segments must be at most 250 bytes long.";
  }
  return null;
}

/**
 * Percent-encodes a string for a B2 header or URL, leaving the characters that Backblaze's page
 * "String encoding" leaves.
 */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replace(/%(2F|24|3B|3D|3A|40)/g, (escape) =>
    decodeURIComponent(escape),
  );
}

/**
 * Decodes a percent-encoded string; `+` is a space, as Backblaze's page "String encoding" says.
 *
 * @throws B2Error 400 `bad_request` when it is not the encoding of UTF-8 text
 */
export function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll("+", "%20"));
  } catch {
    throw badRequest(`Bad percent-encoding: ${encoded}`);
  }
}

/** Orders names by their UTF-8 bytes, as B2 lists them (JavaScript orders by UTF-16 units). */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA !== unitB) return codePointOrder(unitA) - codePointOrder(unitB);
  }
  return a.length - b.length;
}

// Surrogates stand for code points above every other UTF-16 unit, so they are moved to the end.
function codePointOrder(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  if (unit >= 0xd800) return unit + 0x2000;
  return unit;
}
