import structProto, { type Struct } from "google-protobuf/google/protobuf/struct_pb.js";

// Signatures of Pulumi's wire format (pulumi/pulumi, sdk/go/common/resource/sig and plugin/rpc.go).
const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const unknownSignature = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const unknownSignatures = new Set([
  unknownSignature,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // bool
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421", // number
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // array
  "030794c1-ac77-496b-92df-f27374a8bd58", // asset
  "e48ece36-62e2-4504-bad9-02848725956a", // archive
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff", // object
]);

/** A value that only the deployment will know. */
export class Unknown {
  readonly kind = "unknown";
}

/** The one {@link Unknown}. */
export const unknown = new Unknown();

/** A property's value, without marks of secrecy. */
export type Value =
  null | boolean | number | string | Unknown | Value[] | { [name: string]: Value };

/** A resource's properties by name. */
export type Properties = Record<string, Value>;

/** Properties as they came: plain values, and the names of those with a secret in them. */
export interface Received {
  values: Properties;
  secrets: Set<string>;
}

/** Reads properties from the wire; null and absent are the same. */
export function decode(struct: Struct | undefined): Received {
  const secrets = new Set<string>();
  const values: Properties = {};
  for (const [name, raw] of Object.entries(struct?.toJavaScript() ?? {})) {
    const value = decodeValue(raw, () => secrets.add(name));
    if (value !== null) values[name] = value;
  }
  return { values, secrets };
}

function decodeValue(raw: unknown, onSecret: () => void): Value {
  if (typeof raw === "string") return unknownSignatures.has(raw) ? unknown : raw;
  if (typeof raw === "number" || typeof raw === "boolean") return raw;
  if (Array.isArray(raw)) return raw.map((item) => decodeValue(item, onSecret));
  if (typeof raw !== "object" || raw === null) return null;
  const object = raw as Record<string, unknown>;
  if (object[signatureKey] === secretSignature) {
    onSecret();
    return decodeValue(object.value, onSecret);
  }
  return Object.fromEntries(
    Object.entries(object)
      .map(([name, value]) => [name, decodeValue(value, onSecret)] as const)
      .filter(([, value]) => value !== null),
  );
}

/** Writes properties to the wire, those named in `secrets` marked as secret. */
export function encode(values: Properties, secrets: ReadonlySet<string>): Struct {
  const raw: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const encoded = encodeValue(value);
    raw[name] = secrets.has(name) ? { [signatureKey]: secretSignature, value: encoded } : encoded;
  }
  return structProto.Struct.fromJavaScript(raw as Parameters<typeof Struct.fromJavaScript>[0]);
}

function encodeValue(value: Value): unknown {
  if (value instanceof Unknown) return unknownSignature;
  if (Array.isArray(value)) return value.map(encodeValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, encodeValue(item)]));
}

/** Whether a value is, or contains, one that only the deployment will know. */
export function hasUnknown(value: Value | undefined): boolean {
  if (value instanceof Unknown) return true;
  if (Array.isArray(value)) return value.some(hasUnknown);
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnknown);
}
