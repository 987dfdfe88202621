// Judges a dashboard, JSON on standard input, by Grafana's own types: the whole, and each panel by
// the types of its kind. Prints a JSON list of what is wrong, empty when nothing is. Run in the
// folder of node_modules.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";

const raw = (path) => `@grafana/schema/dist/esm/raw/composable/${path}_types.gen`;
const PANELS = {
  stat: ["Stat", raw("stat/panelcfg/x/StatPanelCfg")],
  table: ["Table", raw("table/panelcfg/x/TablePanelCfg")],
  timeseries: ["TimeSeries", raw("timeseries/panelcfg/x/TimeSeriesPanelCfg")],
};
const dashboard = JSON.parse(readFileSync(0, "utf8"));
const lines = [
  'import type { AnnotationQuery, Dashboard, DataQuery, Panel } from "@grafana/schema";',
  // JSON has the texts of enumerations, not their names.
  "type Json<T> = T extends string ? (string extends T ? string : `${T}`) : T extends object ? { [K in keyof T]: Json<T[K]> } : T;",
  // What a query and a mark of Prometheus have beyond those of any datasource.
  "type Query = DataQuery & { expr: string; interval?: string; legendFormat?: string; range?: boolean; instant?: boolean; format?: 'time_series' | 'table' };",
  "type Mark = Omit<AnnotationQuery, 'target'> & { target: Query; titleFormat: string; textFormat: string };",
  "type Whole = Omit<Dashboard, 'annotations'> & { annotations: { list: Mark[] } };",
  `export const whole: Json<Whole> = ${JSON.stringify(dashboard)};`,
];
for (const panel of dashboard.panels) {
  if (panel.type === "row") continue;
  if (!(panel.type in PANELS)) {
    console.log(JSON.stringify([`${panel.title}: there are no types for ${panel.type}`]));
    process.exit();
  }
  const [name, path] = PANELS[panel.type];
  const own = `Omit<Panel<${name}.Options, ${name}Field>, 'options' | 'targets'>`;
  if (!lines.includes(`import type * as ${name} from "${path}";`)) {
    lines.unshift(`import type * as ${name} from "${path}";`);
    lines.push(`type ${name}Field = ${panel.type === "stat" ? "Record<string, never>" : `${name}.FieldConfig`};`);
  }
  const expected = `Json<${own} & { options: Partial<${name}.Options>; targets: Query[] }>`;
  lines.push(`export const panel${panel.id}: ${expected} = ${JSON.stringify(panel)};`);
}

const file = `dashboard-${process.pid}.ts`;
writeFileSync(file, lines.join("\n"));
const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "--pretty", "false"];
const judged = spawnSync("node", ["node_modules/typescript/bin/tsc", ...options, file], { encoding: "utf8" });
rmSync(file);
console.log(JSON.stringify(judged.status === 0 ? [] : `${judged.stdout}${judged.stderr}`.trim().split("\n")));
