/** Whom a client of a rest-server trusts over TLS, and what it says of one whom it does not. */
import { connect, type PeerCertificate } from "node:tls";
import { messageOf } from "../errors.ts";
import type { CanaryReport } from "./probe.ts";

/** How a server proves who it is. */
export interface Trust {
  /** In PEM: the one authority whose word counts; that of all the world's when left out. */
  readonly certificate?: string | undefined;
  /** As whom it must show itself, where that is not the URL's host. */
  readonly serverName?: string | undefined;
}

const PATIENCE_MS = 15_000;

/** Caddy renews a certificate when a third of its time is left; with a sixth it should long have. */
const LATE = 1 / 6;

/** Whether a certificate should have been renewed before now. Times in milliseconds. */
export function isLate(start: number, end: number, now: number): boolean {
  return end - now < (end - start) * LATE;
}

/** A connection's options for node:https and node:tls. */
export function tlsOptions({ certificate, serverName }: Trust): {
  ca?: string;
  servername?: string;
} {
  return {
    ...(certificate !== undefined && { ca: certificate }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}

const UNTRUSTED = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_SIGNATURE_FAILURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/** What to do about a certificate that is not to be trusted; empty for any other error. */
export function remedyOf(error: unknown, trust: Trust): string {
  const codes = [error, (error as { cause?: unknown } | undefined)?.cause].map(
    (each) => (each as { code?: unknown } | undefined)?.code,
  );
  if (codes.includes("CERT_HAS_EXPIRED")) {
    return ". Nothing was sent. Its certificate should have renewed itself: look at Caddy's log there, and at both clocks";
  }
  if (!codes.some((code) => typeof code === "string" && UNTRUSTED.has(code))) return "";
  const way =
    trust.certificate === undefined
      ? "Find out who answers there"
      : "If `pulumi up` has made it anew, deploy the bundle's new files; otherwise find out who answers there";
  return `. Nothing was sent: somebody else may stand between. ${way}`;
}

/** Looks at the certificate that a server shows: it must be trusted, and be renewed in time. */
export async function tryCertificate(url: URL, trust: Trust): Promise<CanaryReport> {
  const report: CanaryReport = { errors: [], notices: [] };
  if (url.protocol !== "https:") return report;
  try {
    const certificate = await shown(url, trust);
    const { valid_from: from, valid_to: to } = certificate;
    report.certificate = { start: isoOf(from), end: isoOf(to) };
    if (isLate(Date.parse(from), Date.parse(to), Date.now())) {
      report.errors.push(
        `the certificate of ${url.host} ends at ${to} and was not renewed: look at the log of what ends TLS there, or run pulumi up`,
      );
    }
  } catch (error) {
    report.errors.push(`${url.host}: ${messageOf(error)}${remedyOf(error, trust)}`);
  }
  return report;
}

function isoOf(date: string): string {
  return new Date(date).toISOString();
}

async function shown(url: URL, trust: Trust): Promise<PeerCertificate> {
  const host = url.hostname.replaceAll(/[[\]]/g, "");
  const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
  return await new Promise((resolve, reject) => {
    const port = url.port === "" ? 443 : Number(url.port);
    const socket = connect({ host, port, ...name, ...tlsOptions(trust) });
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("it gave no answer")));
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      const certificate = socket.getPeerCertificate();
      socket.destroy();
      resolve(certificate);
    });
  });
}
