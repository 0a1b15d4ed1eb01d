// Builds src/braggbook/hub/static/viewer.js and the licences of what is in it: `npm ci && npm run build`.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "src", "braggbook", "hub", "static");

const made = await build({
  absWorkingDir: here,
  entryPoints: ["src/viewer.js"],
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none", // the licences stand in a file of their own
  metafile: true,
  write: false,
  logLevel: "warning",
});
const code = made.outputFiles[0].contents;
writeFileSync(join(target, "viewer.js"), code);

// a package is in the bundle if one of its files is
const packages = new Set();
for (const path of Object.keys(made.metafile.inputs)) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(path.split(sep).join("/"));
  if (found) packages.add(join(here, path.slice(0, found.index + found[0].length)));
}
const texts = [...packages].sort().map((folder) => {
  const card = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "license"].find((name) => {
    try { return readFileSync(join(folder, name)); } catch { return false; }
  });
  // a package without the text: it stands in licences/, from the package's own repository
  const text = readFileSync(file ? join(folder, file) : join(here, "licences", `${card.name.split("/").pop()}.txt`), "utf8").trim();
  return `${card.name} ${card.version} (${card.license})\n\n${text}\n`;
});
const head = "viewer.js contains parts of these packages, each under its own licence.\n\n";
writeFileSync(join(target, "viewer.LICENSE.txt"), head + texts.join(`\n${"-".repeat(80)}\n\n`));

// what it was made from, for the test that compares
const lines = ["package.json", "package-lock.json", "build.js", "src/viewer.js"].map((name) => [name, join(here, name)]);
lines.push(["viewer.js", join(target, "viewer.js")]);
const sums = lines.map(([name, path]) => `${createHash("sha256").update(readFileSync(path)).digest("hex")}  ${name}\n`);
writeFileSync(join(here, "SHA256SUMS"), sums.join(""));
console.log(`${relative(process.cwd(), join(target, "viewer.js"))}: ${code.length} bytes, ${packages.size} packages`);
