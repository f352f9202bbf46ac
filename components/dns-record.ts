import * as cloudflare from "@pulumi/cloudflare";
import type * as pulumi from "@pulumi/pulumi";
import ipaddr from "ipaddr.js";
import type { RestServerTargetConfig } from "../config/stack.ts";
import { listenOf } from "../config/targets/tunnel.ts";

/** Seconds for which others remember a record: a peer that moves is found again soon. */
const TTL_SECONDS = 300;

/**
 * The record that leads a target's public name to its peer, in a zone at Cloudflare. Cloudflare
 * stands not between: it limits the size of uploads, and would read them.
 *
 * @throws RangeError where the settings ask for none.
 */
export function newDnsRecord(
  targetName: string,
  target: RestServerTargetConfig,
  opts: pulumi.CustomResourceOptions,
): cloudflare.DnsRecord {
  const { dns, domain } = target;
  if (dns === undefined || domain === undefined) throw new RangeError("There is no record to make");
  const content = dns.address ?? listenOf(target).address;
  return new cloudflare.DnsRecord(
    `${targetName}-dns`,
    {
      zoneId: dns.zoneId,
      name: domain,
      type: ipaddr.parse(content).kind() === "ipv4" ? "A" : "AAAA",
      content,
      proxied: false,
      ttl: TTL_SECONDS,
      comment: `fort-offsite: the rest-server of the target ${targetName}`,
    },
    opts,
  );
}
