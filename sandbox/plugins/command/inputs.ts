/** The inputs of both resources: their shape, their defaults, and what is refused. */
import { z } from "zod";
import {
  hasSecret,
  hasUnknown,
  plain,
  secret,
  UNKNOWN,
  type Raw,
  type RawProperties,
} from "./wire.ts";

const logging = z.enum(["stdout", "stderr", "stdoutAndStderr", "none"]);

const common = {
  addPreviousOutputInEnv: z.boolean().optional(),
  create: z.string().optional(),
  update: z.string().optional(),
  delete: z.string().optional(),
  environment: z.record(z.string(), z.string()).optional(),
  logging: logging.optional(),
  stdin: z.string().optional(),
  triggers: z.array(z.unknown()).optional(),
};

/** What the stand-in has no code for. Said, so that nobody takes its silence for success. */
const unsupported = z
  .undefined({ error: "is not implemented by the sandbox's stand-in for the command plugin" })
  .optional();

/** A line of OpenSSH's configuration cannot hold these. */
const word = (what: string) =>
  z.string().regex(/^[^\s"'\\#%-][^\s"'\\%]*$/, `must be ${what}, without spaces, quotes or "%"`);

const connection = z.strictObject({
  host: word("a host name or an address"),
  port: z.int().min(1).max(65_535).optional(),
  user: word("a user name").optional(),
  privateKey: z.string().optional(),
  agentSocketPath: z
    .string()
    .regex(/^\/[^\s"'\\%]*$/, "must be an absolute path")
    .optional(),
  hostKey: z
    .string({ error: "must be given: the stand-in connects only to a host whose key is pinned" })
    .regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}(?: .*)?\s*$/, "must be a public key in one line"),
  dialErrorLimit: z.int().min(-1).optional(),
  perDialTimeout: z.int().min(0).optional(),
  password: unsupported,
  privateKeyPassword: unsupported,
  proxy: unsupported,
});

const localSchema = z.strictObject({
  ...common,
  dir: z.string().optional(),
  interpreter: z.array(z.string()).optional(),
  archivePaths: unsupported,
  assetPaths: unsupported,
});

const remoteSchema = z.strictObject({ ...common, connection });

/** The inputs of `command:local:Command`. */
export type LocalInputs = z.infer<typeof localSchema>;
/** The inputs of `command:remote:Command`. */
export type RemoteInputs = z.infer<typeof remoteSchema>;
/** How to reach the remote host. */
export type Connection = RemoteInputs["connection"];

/** The two resources by their tokens. */
export const KINDS = {
  "command:local:Command": { schema: localSchema },
  "command:remote:Command": { schema: remoteSchema },
} as const;

/** A resource's token. */
export type Kind = keyof typeof KINDS;

/** What is wrong with one input. */
export interface Problem {
  property: string;
  reason: string;
}

const OUTPUTS = new Set(["stdout", "stderr", "assets", "archive"]);

/** The inputs among a state's properties. */
export function inputsOf(state: RawProperties): RawProperties {
  return Object.fromEntries(Object.entries(state).filter(([name]) => !OUTPUTS.has(name)));
}

/** Fills in what the official plugin fills in, and marks the connection as secret. */
export function withDefaults(kind: Kind, inputs: RawProperties): RawProperties {
  const full: RawProperties = { addPreviousOutputInEnv: true, ...inputs };
  if (kind !== "command:remote:Command" || full.connection === undefined) return full;
  const given = plain(full.connection);
  if (typeof given !== "object" || given === null || Array.isArray(given)) return full;
  const defaults = { dialErrorLimit: 10, perDialTimeout: 15, port: 22, user: "root" };
  return { ...full, connection: secret({ ...defaults, ...given }) };
}

/**
 * Checks inputs. Values that are not known yet pass.
 *
 * @returns All problems. None of them quotes a value.
 */
export function checkInputs(kind: Kind, inputs: RawProperties): Problem[] {
  const result = KINDS[kind].schema.safeParse(plain(inputs));
  if (result.success) return [];
  const problems: Problem[] = result.error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        property: [...issue.path, key].join("."),
        reason: "is not an input of this resource",
      }));
    }
    if (isUnknownAt(inputs, issue.path)) return [];
    return [{ property: issue.path.join("."), reason: issue.message }];
  });
  // The engine shows the value of a property that it finds by its name.
  return problems.map(({ property, reason }) =>
    hasSecret(inputs[property])
      ? { property: "", reason: `${property}: ${reason}` }
      : { property, reason },
  );
}

/** Reads checked inputs for running. Throws when one is not known or not as checked. */
export function parseLocal(inputs: RawProperties): LocalInputs {
  return localSchema.parse(plain(inputs));
}

/** Reads checked inputs for running. Throws when one is not known or not as checked. */
export function parseRemote(inputs: RawProperties): RemoteInputs {
  return remoteSchema.parse(plain(inputs));
}

function isUnknownAt(inputs: RawProperties, path: readonly PropertyKey[]): boolean {
  let value: Raw = plain(inputs);
  for (const step of path) {
    if (value === UNKNOWN || typeof value !== "object" || value === null) break;
    value = (value as Record<PropertyKey, Raw | undefined>)[step] ?? null;
  }
  return hasUnknown(value);
}
