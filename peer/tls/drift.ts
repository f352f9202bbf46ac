/** The TLS in front of a server, against what was put there. */
import type { Findings } from "../drift.ts";
import type { PeerFacts } from "../facts.ts";
import { isLate } from "../../hub/targets/rest-trust.ts";
import type { PeerServer } from "../script.ts";

/** Files, and the certificate that is shown. */
export function ofTls(facts: PeerFacts, { tls }: PeerServer, { drift, manual }: Findings): void {
  if (tls === undefined) return;
  const isOwn = tls.kind === "self-signed";
  if (facts.changed.has("tls")) {
    drift.push(
      isOwn
        ? "the files of TLS were changed by hand, or are gone. Where the authority is gone with them, pulumi up makes another, and all machines must be deployed"
        : "the files of TLS were changed by hand, or are gone",
    );
  }
  const { certificate, containers } = facts;
  if (certificate === undefined) {
    const caddy = containers.find(
      ({ Config }) => Config.Labels["com.docker.compose.service"] === "caddy",
    );
    // That it does not run is said elsewhere.
    if (caddy?.State.Running !== true) return;
    if (isOwn) drift.push("the server shows no certificate, and nobody can connect");
    else {
      manual.push(
        `there is no certificate for ${tls.host} yet, and nobody can connect. Does the name lead to ${tls.listen.address}, and do port ${tls.listen.port} and port ${tls.httpPort} get through? Caddy goes on trying; its log says why it fails`,
      );
    }
    return;
  }
  const { from, until } = certificate;
  if (!isLate(from.getTime(), until.getTime(), facts.now.getTime())) return;
  const late = `the certificate ends at ${until.toISOString()} and was not renewed`;
  if (isOwn) drift.push(late);
  else manual.push(`${late}. Caddy's log there says why; is the name still leading there?`);
}
