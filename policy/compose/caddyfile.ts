/** Whether a Caddyfile passes anything on without TLS. */

/** A site of a Caddyfile: its addresses, and what is in its block. */
interface Site {
  readonly addresses: readonly string[];
  readonly body: string;
}

/**
 * What a Caddyfile serves in clear text beyond a redirection, in sentences without subject.
 */
export function clearTextOf(text: string): string[] {
  const clean = text.replaceAll(/(^|\s)#.*$/gm, "$1");
  const problems: string[] = [];
  const off = /\bauto_https\s+(off|disable_certs)\b/.exec(clean)?.[1];
  if (off !== undefined) problems.push(`it turns TLS off (auto_https ${off})`);
  for (const { addresses, body } of sitesOf(clean)) {
    if (!/\b(?:reverse_proxy|handle|route|file_server|import|invoke)\b/.test(body)) continue;
    const hasTls = /(^|\s)tls\s/.test(body);
    const plain = addresses.filter((address) => isClearText(address, hasTls));
    problems.push(...plain.map((address) => `it serves ${address} without TLS`));
  }
  return problems;
}

/** `http://…`, port 80, or no name for which there could be a certificate. */
function isClearText(address: string, hasTls: boolean): boolean {
  if (address.startsWith("http://")) return true;
  if (address.startsWith("https://")) return false;
  const port = /:(\d+)$/.exec(address)?.[1];
  if (port === "80") return true;
  return /^[*]?(?::\d+)?$/.test(address) && !hasTls;
}

/** The blocks at the top. One without an address holds options, one in parentheses is a snippet. */
function sitesOf(text: string): Site[] {
  const sites: Site[] = [];
  let depth = 0;
  let head = "";
  let body = "";
  // A brace that opens or closes a block stands alone; others are placeholders.
  for (const token of text.split(/(\s+)/)) {
    if (token === "{") {
      depth += 1;
      if (depth === 1) continue;
    } else if (token === "}") {
      depth -= 1;
      if (depth === 0) {
        const addresses = head.split(/[\s,]+/).filter((word) => word !== "");
        if (addresses.length > 0 && !/^&?\(/.test(addresses[0] ?? "")) {
          sites.push({ addresses, body });
        }
        head = "";
        body = "";
        continue;
      }
    }
    if (depth === 0) head += token;
    else body += token;
  }
  // One site may do without braces: its first line is its address.
  const [first = "", ...rest] = head.trim().split("\n");
  if (first !== "") sites.push({ addresses: first.split(/[\s,]+/), body: rest.join("\n") });
  return sites;
}
