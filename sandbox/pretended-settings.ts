/** A stack's settings made ready for a preview without an account: no secret, and nothing left open. */
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { parseDocument } from "yaml";
import { z } from "zod";
import { NAMESPACE } from "../config/parse.ts";

/** Settings by key, as `Pulumi.<stack>.yaml` has them below `config:`. */
export type Settings = Readonly<Record<string, unknown>>;

/** What the sandbox knows in the place of secrets; the same for the settings before and after. */
export interface Pretended {
  readonly config: Settings;
  /** To be set with `pulumi config set --secret`. */
  readonly secrets: Readonly<Record<string, string>>;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Fills settings in. One instance gives the same place the same value every time. */
export class Pretender {
  readonly #seed = randomBytes(32).toString("hex");
  readonly #keys = new Map<string, string>();

  /**
   * @param text - a `Pulumi.<stack>.yaml`.
   * @throws Error where it is none.
   */
  fill(text: string): Pretended {
    const document = parseDocument(text);
    const file = z
      .object({ config: z.record(z.string(), z.unknown()).nullish() })
      .safeParse(document.errors.length > 0 ? undefined : document.toJS());
    if (!file.success) throw new Error("The settings' file is no stack's settings");
    const own = Object.entries(file.data.config ?? {})
      .filter(([key, value]) => key.startsWith(`${NAMESPACE}:`) && !isSecret(value))
      .map(([key, value]) => [key, this.#value(key.slice(NAMESPACE.length + 1), value)] as const);
    const config = { ...Object.fromEntries(own), [`${NAMESPACE}:lookForDrift`]: false };
    return { config, secrets: this.#secrets(config) };
  }

  #secrets(config: Settings): Record<string, string> {
    const targets = config[`${NAMESPACE}:targets`];
    const s3 = Object.entries(isFields(targets) ? targets : {}).filter(
      ([, target]) => isFields(target) && target.type === "s3",
    );
    const key = (of: string) => ({
      accessKeyId: `AK${digest(`${this.#seed} id ${of}`).slice(0, 18)}`,
      secretAccessKey: digest(`${this.#seed} key ${of}`).slice(0, 40),
    });
    const each = s3.map(([name]) => [name, { sync: key(`${name} sync`), restore: key(name) }]);
    return {
      [`${NAMESPACE}:credentialSeed`]: this.#seed,
      ...(each.length > 0 && {
        [`${NAMESPACE}:targetSecrets`]: JSON.stringify(Object.fromEntries(each)),
      }),
    };
  }

  /** The value with what stands in `<angle brackets>` filled in, as far as a preview needs it. */
  #value(place: string, value: unknown): unknown {
    if (Array.isArray(value)) {
      return value.map((each, at) => this.#value(`${place}.${at}`, each));
    }
    if (isFields(value)) {
      const entries = Object.entries(value)
        // Another place than the account's is refused, and the emulator has a place of its own.
        .filter(([key]) => !(key === "region" && value.type === "b2"))
        .map(([key, each]) => [key, this.#value(`${place}.${key}`, each)] as const);
      return Object.fromEntries(entries);
    }
    return typeof value === "string" && /<[^<>]+>/.test(value) ? this.#filled(place, value) : value;
  }

  #filled(place: string, value: string): string {
    if (place.endsWith(".hostKey") || /\.key$|\.operators\.\d+$/.test(place)) {
      return this.#publicKey(place);
    }
    if (place.endsWith(".listen")) return value.replace(/<[^<>]+>/, "100.64.0.9");
    if (/\.(?:host|address)$/.test(place)) return "peer.example";
    if (/url$/i.test(place)) return value.replaceAll(/<[^<>]+>/g, "example");
    return value.replaceAll(/<[^<>]+>/g, "family");
  }

  #publicKey(place: string): string {
    const known = this.#keys.get(place);
    if (known !== undefined) return known;
    const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
    const part = (bytes: Buffer) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return Buffer.concat([length, bytes]);
    };
    const blob = [part(Buffer.from("ssh-ed25519")), part(Buffer.from(x, "base64url"))];
    const key = `ssh-ed25519 ${Buffer.concat(blob).toString("base64")}`;
    this.#keys.set(place, key);
    return key;
  }
}

function isSecret(value: unknown): boolean {
  return isFields(value) && Object.keys(value).join() === "secure";
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
