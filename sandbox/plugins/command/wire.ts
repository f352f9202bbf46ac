/**
 * Properties as they go between engine and plugin: JSON with marks for secrets and for values that
 * are not known yet (pulumi/pulumi, sdk/go/common/resource/plugin/rpc.go).
 */
import structProto, { type Struct } from "google-protobuf/google/protobuf/struct_pb.js";

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";

/** The mark of a value that only the deployment will know. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const UNKNOWNS = new Set([
  UNKNOWN,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // bool
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421", // number
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // array
  "030794c1-ac77-496b-92df-f27374a8bd58", // asset
  "e48ece36-62e2-4504-bad9-02848725956a", // archive
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff", // object
]);

/** A value with its marks, as it came. */
export type Raw = null | boolean | number | string | Raw[] | { [name: string]: Raw };

/** Properties with their marks. What is passed on unchanged keeps its secrecy. */
export type RawProperties = Record<string, Raw>;

/** Reads properties from the wire; null and absent are the same. */
export function fromStruct(struct: Struct | undefined): RawProperties {
  const all = struct?.toJavaScript() ?? {};
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

/** Writes properties to the wire. */
export function toStruct(properties: RawProperties): Struct {
  return structProto.Struct.fromJavaScript(properties);
}

/** Marks a value as secret. */
export function secret(value: Raw): Raw {
  return isSecret(value) ? value : { [SIGNATURE]: SECRET, value };
}

/** True when a value itself is marked as secret. */
export function isSecret(value: Raw | undefined): boolean {
  return isObject(value) && value[SIGNATURE] === SECRET;
}

/** True when a value is, or holds, one that is marked as secret. */
export function hasSecret(value: Raw | undefined): boolean {
  return isSecret(value) || parts(value).some(hasSecret);
}

/** True when a value is, or holds, one that only the deployment will know. */
export function hasUnknown(value: Raw | undefined): boolean {
  if (typeof value === "string") return UNKNOWNS.has(value);
  return parts(value).some(hasUnknown);
}

/** Takes the marks off a value, with all nulls in objects. Unknown values stay marked. */
export function plain(value: Raw): Raw {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  const mark = value[SIGNATURE];
  if (mark === SECRET) return plain(value.value ?? null);
  if (mark === OUTPUT) return "value" in value ? plain(value.value ?? null) : UNKNOWN;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([name, item]) => [name, plain(item)]),
  );
}

/** Takes the marks off all properties. */
export function plainProperties(properties: RawProperties): RawProperties {
  return plain(properties) as RawProperties;
}

function isObject(value: Raw | undefined): value is Record<string, Raw> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parts(value: Raw | undefined): Raw[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}
