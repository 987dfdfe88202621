// Judges custom resources, a JSON list on standard input, by the models of node_modules: values by
// each model's own validator, names of fields by its types (validators let unknown fields pass).
// Prints a JSON list of what is wrong, empty when nothing is. Run in the folder of node_modules.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";

const MODELS = {
  "gateway.networking.k8s.io/v1": "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1",
  "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};
const resources = JSON.parse(readFileSync(0, "utf8"));
const wrong = [];
const lines = [];

for (const [index, resource] of resources.entries()) {
  const { apiVersion, kind, metadata } = resource;
  const path = MODELS[apiVersion];
  const model = path && (await import(path))[kind];
  if (!model) {
    wrong.push(`${kind} ${metadata.name}: there is no model of ${apiVersion}`);
    continue;
  }
  try {
    new model(resource).validate();
  } catch (error) {
    wrong.push(`${kind} ${metadata.name}: ${error.message}`);
  }
  lines.push(`import type { I${kind} as T${index} } from "${path}";`);
  lines.push(`export const r${index}: T${index} = ${JSON.stringify(resource)};`);
}

const file = `resources-${process.pid}.ts`;
writeFileSync(file, lines.join("\n"));
const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "--pretty", "false"];
const judged = spawnSync("node", ["node_modules/typescript/bin/tsc", ...options, file], { encoding: "utf8" });
rmSync(file);
if (judged.status !== 0) wrong.push(...`${judged.stdout}${judged.stderr}`.trim().split("\n"));
console.log(JSON.stringify(wrong));
