import providerProto, { type PropertyDiff } from "@pulumi/pulumi/proto/provider_pb.js";
import type { Difference } from "./diff.ts";
import type { DiffResult } from "./resource.ts";

/** The engine's form of a diff. */
export function toDiffResponse({ differences, deleteBeforeReplace }: DiffResult) {
  const response = new providerProto.DiffResponse();
  const { DIFF_NONE, DIFF_SOME } = providerProto.DiffResponse.DiffChanges;
  const replaces = differences.filter((difference) => difference.replaces);
  response.setChanges(differences.length > 0 ? DIFF_SOME : DIFF_NONE);
  response.setDiffsList(unique(differences.map(({ path }) => rootOf(path))));
  response.setReplacesList(unique(replaces.map(({ path }) => rootOf(path))));
  response.setDeletebeforereplace(deleteBeforeReplace && replaces.length > 0);
  response.setHasdetaileddiff(true);
  for (const difference of differences) {
    const detail = new providerProto.PropertyDiff()
      .setKind(kindOf(difference))
      .setInputdiff(difference.ofInputs ?? false);
    response.getDetaileddiffMap().set(difference.path, detail);
  }
  return response;
}

/** A diff without the properties that the program wants left alone (`ignoreChanges`). */
export function withoutIgnored(result: DiffResult, ignored: string[]): DiffResult {
  const isIgnored = ({ path }: Difference) =>
    ignored.some(
      (other) => path === other || path.startsWith(`${other}.`) || path.startsWith(`${other}[`),
    );
  return { ...result, differences: result.differences.filter((d) => !isIgnored(d)) };
}

function kindOf({ kind, replaces }: Difference): PropertyDiff.Kind {
  const { ADD, ADD_REPLACE, DELETE, DELETE_REPLACE, UPDATE, UPDATE_REPLACE } =
    providerProto.PropertyDiff.Kind;
  switch (kind) {
    case "add":
      return replaces ? ADD_REPLACE : ADD;
    case "delete":
      return replaces ? DELETE_REPLACE : DELETE;
    case "update":
      return replaces ? UPDATE_REPLACE : UPDATE;
  }
}

function rootOf(path: string): string {
  return /^[^.[]+/.exec(path)?.[0] ?? path;
}

function unique(names: string[]): string[] {
  return [...new Set(names)];
}
