/** What a stack has always been warned of: told, and no reason to look again. */
import { expect, it } from "vitest";
import { readPreview } from "../../../cli/report/preview.ts";
import { makeReport } from "../../../cli/report/report.ts";
import type { ResourceFacts } from "../../../policy/model.ts";
import { goodStack, target } from "../../policy/facts.ts";

const minio = target("S3", "minio", { endpoint: "https://minio.example" });

/** A preview in which some resources stay, and one is made. */
function preview(same: readonly ResourceFacts[], made: readonly ResourceFacts[] = []) {
  const state = ({ dependencies, ...each }: ResourceFacts) => ({
    ...each,
    custom: !each.type.startsWith("fort-offsite:"),
    propertyDependencies: dependencies,
  });
  const steps = [
    ...same.map((each) => ({
      ...{ op: "same", urn: each.urn },
      ...{ oldState: state(each), newState: state(each) },
    })),
    ...made.map((each) => ({ op: "create", urn: each.urn, newState: state(each) })),
  ];
  return readPreview({ text: JSON.stringify({ config: {}, steps, changeSummary: {} }) });
}

it("is quiet about a warning that was there before, and still shows it", () => {
  const report = makeReport({ preview: preview([...goodStack(), minio]) });
  expect(report.policy.map(({ rule }) => rule)).toContain("made-elsewhere");
  expect(report.verdict).toBe("nothing");
});

it("asks for a look at a warning that is new", () => {
  const report = makeReport({ preview: preview(goodStack(), [minio]) });
  expect(report.verdict).toBe("look");
});
