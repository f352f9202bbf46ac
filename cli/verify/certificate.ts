/** A server's TLS certificate: whether it is to be trusted, and for how long. */
import { checkServerIdentity, connect, type PeerCertificate } from "node:tls";
import { connect as connectPlain } from "node:net";
import { excerpt } from "../../hub/format.ts";
import { isLate, tlsOptions, type Trust } from "../../hub/targets/rest-trust.ts";
import { interruption } from "../interruption.ts";
import type { Check } from "./checks.ts";
import type { TlsRoute } from "./rest-route.ts";

const PATIENCE_MS = 10_000;
const DAY_MS = 24 * 3600 * 1000;

/** Days before its end from which a certificate is a finding: it should have been renewed. */
const END_DAYS = 14;

/**
 * Looks at the certificate that a server shows.
 *
 * @param byCaddy - whether our own Caddy renews it, however short its time is.
 * @returns what was seen, in a few words.
 * @throws Error where it shows none.
 */
export async function judgeCertificate(
  route: TlsRoute,
  check: Check,
  trust: Trust = {},
  byCaddy = false,
): Promise<string> {
  const { certificate, problem } = await shown(route, trust);
  if (problem !== undefined) {
    check.error(
      `the certificate of ${route.serverName} is not to be trusted (${problem}): the hub cannot connect, or somebody stands between. Renew it where TLS ends, or correct url`,
    );
  }
  const end = Date.parse(certificate.valid_to);
  const left = Math.floor((end - Date.now()) / DAY_MS);
  const late = byCaddy
    ? isLate(Date.parse(certificate.valid_from), end, Date.now())
    : left < END_DAYS;
  if (late && left >= 0) {
    check.error(
      `the certificate of ${route.serverName} ends in ${left} days, and was not renewed. See to its renewal where TLS ends`,
    );
  }
  const until = `valid until ${new Date(end).toISOString().slice(0, 10)} (${left} days)`;
  return trust.certificate === undefined ? until : `${until}, by the pinned authority`;
}

/** Tries whether the server takes a password without TLS. None is sent. */
export async function judgeClearText(route: TlsRoute, check: Check): Promise<void> {
  const answer = await new Promise<string>((resolve) => {
    const socket = connectPlain({ host: route.host, port: route.port, signal: interruption });
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.once("error", () => resolve(""));
    socket.once("close", () => resolve(""));
    socket.once("data", (data) => {
      resolve(data.toString("latin1"));
      socket.destroy();
    });
    socket.write(`HEAD /nobody/config HTTP/1.1\r\nHost: ${route.serverName}\r\n\r\n`);
  });
  const status = /^HTTP\/1\.[01] (\d+)/.exec(answer)?.[1];
  if (status === undefined || status === "400" || status.startsWith("3")) return;
  check.error(
    `${route.serverName} answers without TLS (${status}): passwords can cross the network in clear text. Run pulumi up; if that finds nothing to do, find out who answers there`,
  );
}

async function shown(
  route: TlsRoute,
  trust: Trust,
): Promise<{ certificate: PeerCertificate; problem: string | undefined }> {
  const { host, port, serverName } = route;
  return await new Promise((resolve, reject) => {
    const isName = !/^[\d.]+$|:/.test(serverName);
    const socket = connect({
      ...{ host, port, signal: interruption },
      // It is judged here, and nothing is sent.
      rejectUnauthorized: false,
      ...tlsOptions(trust),
      ...(isName ? { servername: serverName } : {}),
      checkServerIdentity: () => undefined,
    });
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("it gave no answer")));
    socket.once("error", (error: Error) => {
      reject(new Error(`${serverName} shows no certificate: ${error.message}`));
    });
    socket.once("secureConnect", () => {
      const certificate = socket.getPeerCertificate();
      const mismatch = checkServerIdentity(serverName, certificate);
      const reason = socket.authorized ? mismatch?.message : String(socket.authorizationError);
      socket.destroy();
      resolve({ certificate, problem: reason === undefined ? undefined : excerpt(reason) });
    });
  });
}
