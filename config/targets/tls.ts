/**
 * TLS in front of a rest-server: Caddy beside it in the compose file, with a certificate of the
 * peer's own making or one by ACME (docs/adr/0015-tls.md).
 */
import { X509Certificate } from "node:crypto";
import ipaddr from "ipaddr.js";
import { z } from "zod";
import * as rules from "../rules.ts";

/**
 * Caddy 2.11.2, one of Docker's official images: the digest of its manifest list for all platforms,
 * as Renovate pins it in public repositories.
 */
export const CADDY_IMAGE =
  "caddy:2.11.2@sha256:25cdc846626b62d05f6b633b9b40c2c9f6ef89b515dc76133cefd920f7dbe562";

const string = (rule: string, accepts: (value: string) => boolean) =>
  z.string({ error: rule }).refine(accepts, { error: rule });

/** Certificates of authorities in PEM, without anything else. */
function areCertificates(value: string): boolean {
  const blocks = value.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  const rest = blocks.reduce((text, block) => text.replace(block, ""), value);
  if (blocks.length === 0 || rest.trim() !== "") return false;
  try {
    return blocks.every((block) => new X509Certificate(block).ca);
  } catch {
    return false;
  }
}

const acmeSchema = z.strictObject({
  email: string("an e-mail address", (value) => /^[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+$/.test(value))
    .optional()
    .describe("Whom the certificates' issuer may write to."),
  server: string(
    'an "https://" URL of an ACME server\'s directory',
    (value) => /^https:\/\/[A-Za-z0-9_./:@%+=,[\]-]+$/.test(value) && URL.canParse(value),
  )
    .optional()
    .describe("The ACME server's directory; Let's Encrypt and ZeroSSL when left out."),
  root: string("certificates of authorities in PEM", areCertificates)
    .optional()
    .describe("Of a private ACME server: the authority that hub and hosts are to trust."),
  httpPort: z
    .int()
    .min(1)
    .max(65_535)
    .default(80)
    .describe("The peer's port for ACME's questions and for redirections; 80 is what they ask."),
});

const dnsSchema = z.strictObject({
  zoneId: string(
    "the ID of a zone at Cloudflare, 32 hex digits: the dashboard shows it in the zone's overview",
    (value) => /^[0-9a-f]{32}$/.test(value),
  ).describe("The zone at Cloudflare in which the domain gets its record."),
  address: string("an IP address", (value) => ipaddr.isValid(value))
    .optional()
    .describe("The address in the record, when it is not that of listen."),
});

/** The settings for TLS of a rest-server target. */
export const tlsSettings = {
  tls: z
    .enum(["self-signed", "acme"], { error: '"self-signed" or "acme"' })
    .optional()
    .describe(
      "TLS in front of the server: with an authority made on the peer and pinned in the bundle, or with a public certificate by ACME.",
    ),
  domain: string(
    'a public name such as "backup.example.org"',
    (value) => !ipaddr.isValid(value) && /^(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+$/.test(value),
  )
    .optional()
    .describe("tls: acme: the name that leads to listen."),
  acme: acmeSchema.optional().describe("tls: acme: who issues the certificate."),
  dns: dnsSchema.optional().describe("tls: acme: lets `pulumi up` make the name's record."),
  caddyImage: rules.imageReference
    .default(CADDY_IMAGE)
    .describe("The image of Caddy, which does the TLS. Pin it by digest."),
};

/** What a server's settings say of TLS. */
interface Settings {
  readonly tls?: "self-signed" | "acme" | undefined;
  readonly domain?: string | undefined;
}

/** The URL of a server with TLS that listens at an address and port, when the settings give none. */
export function tlsUrl({ tls, domain }: Settings, listen: rules.ListenAddress): string {
  const { address, port } = listen;
  const ip = address.includes(":") ? `[${address}]` : address;
  const host = tls === "acme" && domain !== undefined ? domain : ip;
  return `https://${host}${port === 443 ? "" : `:${port}`}`;
}
