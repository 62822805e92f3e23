"use strict";
// The whole report: the page contains the data, from which every view is drawn. Text is only ever inserted as text.
let DATA, RUNS, BY_PATH;
function read(data) {
  DATA = data;
  // Files of the user's own share the name of a data set, such as csv, and are distinguished by their place.
  const own = new Set([...group(DATA.runs.filter((run) => run.data), (run) => run.dataset)].filter(([, runs]) => ["source", "sha256"].every((key) => new Set(runs.map((run) => run.data[key])).size > 1)).map(([name]) => name));
  const set = (run) => own.has(run.dataset) && run.data ? `${run.dataset} ${run.data.source}` : run.dataset;
  RUNS = DATA.runs.map((run, index) => ({ ...run, index, set: set(run), text: [run.path, run.model, set(run), run.backend, run.scale, run.status, "seed " + run.seed, run.setting_hash].join(" ").toLowerCase() }));
  BY_PATH = new Map(RUNS.map((run) => [run.path, run]));
}
read(JSON.parse(document.getElementById("data").textContent));
const PAGE = 50;
const state = { search: "", scale: "", sort: "started", down: true, page: 0, picked: new Set() };
const main = document.getElementById("main");

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}
function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  node.append(...children.flat(Infinity));
  return node;
}
const words = (key) => key.replaceAll("_", " ");
function number(value, digits = 5) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size < 1e15 && (Number.isInteger(value) || size >= 1e4)) return Math.round(value).toLocaleString("en");
  return size && size < 1e-4 ? value.toExponential(Math.min(digits, 3) - 1) : String(Number(value.toPrecision(digits)));
}
const JOULES = [[1, "J"], [1e-3, "mJ"], [1e-6, "µJ"], [1e-9, "nJ"], [1e-12, "pJ"]];
function joules(value) {
  value = Number(value.toPrecision(4)); // before the unit is chosen: 999.99 mJ is 1 J
  const [unit, name] = JOULES.find(([size]) => Math.abs(value) >= size) ?? JOULES[0];
  return number(value / unit, 4) + " " + name;
}
const perCent = (value) => value === null || value === undefined ? "–" : (100 * value).toFixed(2) + " %";
const unit = (key) => DATA.metrics[key]?.unit ?? "";
const figure = (key, value) => value === null || value === undefined ? "–" : unit(key) === "proportion" ? perCent(value) : unit(key) === "J" ? joules(value) : number(value);
const present = (values) => values.filter((value) => value !== null && value !== undefined);
// The mean of no figures is null, never 0.
const mean = (values) => values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
function sd(values) {
  const middle = mean(values);
  return values.length < 2 ? null : Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}
const spread = (values) => values.length ? perCent(mean(values)).replace(" %", "") + (values.length > 1 ? " ± " + (100 * sd(values)).toFixed(2) : "") + " %" : "–";
const stamp = (text) => (text || "").slice(0, 16).replace("T", " ");
const total = (run) => run.seconds ? Object.values(run.seconds).reduce((sum, value) => sum + value, 0) : null;
const time = (seconds) => seconds === null ? "–" : seconds >= 3600 ? (seconds / 3600).toFixed(1) + " h" : seconds >= 90 ? (seconds / 60).toFixed(1) + " min" : seconds.toFixed(1) + " s";
// Without time a sample is one step: figures per step that equal those per sample are left out.
const merits = (metrics) => Object.fromEntries(Object.entries(metrics || {}).filter(([key, value]) => !(key.endsWith("_per_step") && metrics[key.slice(0, -9)] === value)));
const HELD = ["in band", "equal", "within", "consistent"]; // verdicts of rows that are as declared
const CHIPS = { finished: "good", OUT: "bad", failed: "bad", SMOKE: "warn", EMULATED: "accent", killed: "warn", interrupted: "warn", pruned: "warn", queued: "accent", running: "accent", reported: "", "not run": "", ...Object.fromEntries(HELD.map((verdict) => [verdict, "good"])), undecided: "warn" };
const chip = (text, kind) => el("span", { class: "chip " + (kind ?? CHIPS[text] ?? "") }, text);
const plural = (n, one, more = one + "s") => n.toLocaleString("en") + " " + (n === 1 ? one : more);
const link = (run) => "#/run/" + encodeURIComponent(run.path);

/* ---- overview ---- */
function overview() {
  const finished = RUNS.filter((run) => run.status === "finished");
  const rows = DATA.tables.flatMap((table) => table.rows);
  const judged = rows.filter((row) => HELD.includes(row.verdict) || row.verdict === "OUT");
  return [
    el("section", { class: "hero" }, el("div", {}, el("h1", {}, "Runs and results"),
      el("p", {}, "Every figure below comes from a run folder, which records configuration, seeds, code and data. Each band states when and on what basis it was set. Runs at a smaller scale are never a result."))),
    el("section", {}, el("div", { class: "facts" }, fact(finished.length.toLocaleString("en"), finished.length === 1 ? "finished run" : "finished runs"),
      fact(new Set(finished.map((run) => run.model)).size, "models"), fact(new Set(finished.map((run) => run.setting_hash)).size.toLocaleString("en"), "settings"),
      judged.length ? fact(judged.filter((row) => row.verdict !== "OUT").length + " of " + judged.length, "judged rows are as declared") : null,
      fact(time(finished.reduce((sum, run) => sum + total(run), 0)), "compute time"))),
    el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Model, data set, backend"), el("span", { class: "soft small" }, "test accuracy of the setting that is best on held-out samples; mean ± sd over its seeds")), matrix(finished)),
    el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Newest runs"), el("a", { href: "#/runs" }, "all runs")), el("div", { class: "panel" }, runTable([...RUNS].sort(by("started", true)).slice(0, 8)))),
  ];
}
const fact = (value, label) => el("div", {}, el("b", {}, String(value)), el("span", {}, label));

function matrix(finished) {
  if (!finished.length) return el("div", { class: "panel empty" }, "No run has finished yet.");
  const backends = [...new Set(finished.map((run) => run.backend))].sort((a, b) => a.localeCompare(b));
  const pairs = [...new Set(finished.map((run) => run.model + "\n" + run.set))].sort();
  return el("div", { class: "panel scroll" }, el("table", { class: "matrix stack" },
    el("thead", {}, el("tr", {}, el("th", {}, ""), backends.map((name) => el("th", {}, name)))),
    el("tbody", {}, pairs.map((pair) => {
      const [model, dataset] = pair.split("\n");
      return el("tr", {}, el("th", { scope: "row" }, model, el("small", {}, dataset)), backends.map((backend) => el("td", { "data-label": backend }, cell(finished.filter((run) => run.model === model && run.set === dataset && run.backend === backend), `${model} ${dataset} ${backend}`))));
    }))));
}
function cell(runs, search) {
  if (!runs.length) return el("span", { class: "none" }, "·");
  const settings = settingsOf(ofLargestScale(runs)), best = settings[0], full = best.runs[0].scale === "paper";
  // If there are several settings, held-out samples select one; the test set selects nothing.
  const chosen = settings.length === 1 || best.validation !== null, value = chosen ? mean(best.test) : null;
  const heat = value === null ? 4 : Math.round(Math.max(4, Math.min(88, (value - 0.5) * 176)));
  const note = (chosen ? plural(best.runs.length, "seed") : "not validated") + (settings.length > 1 ? ` · ${settings.length} settings` : "") + (full ? "" : ` · scale ${best.runs[0].scale}`) + (readDifferently(settings) ? " · different data" : "");
  return el("a", { class: "cell" + (full && heat > 55 ? " hot" : ""), style: `--heat:${full ? heat : 4}%`, href: settings.length > 1 ? "#/settings?" + encodeURIComponent(search) : runsOf(best) }, el("b", {}, chosen ? spread(best.test) : "–"), el("small", {}, note));
}
// Runs at a smaller scale are never compared with those at a larger one.
const RANKS = { paper: 0, quick: 2, smoke: 3 }; // a scale of the user's own lies between
function ofLargestScale(runs) {
  const rank = (run) => RANKS[run.scale] ?? 1, largest = runs.reduce((one, other) => rank(other) < rank(one) ? other : one);
  return runs.filter((run) => run.scale === largest.scale);
}
// Of several runs of a setting with the same seed the newest counts, as in `neurobench results`.
function newestOfSeeds(runs) {
  return [...group(runs, (run) => [run.scale, run.setting_hash, run.seed].join(" ")).values()].map((same) => same.reduce((one, other) => other.moment >= one.moment ? other : one));
}
function settingsOf(runs) {
  return [...group(newestOfSeeds(runs), (run) => run.scale + " " + run.setting_hash).values()].map((of) => ({ runs: of, hash: of[0].setting_hash, validations: present(of.map((run) => run.validation)), validation: mean(present(of.map((run) => run.validation))), test: present(of.map((run) => run.metrics.test_accuracy)) }))
    .sort((a, b) => (b.validation ?? -Infinity) - (a.validation ?? -Infinity) || a.runs[0].index - b.runs[0].index);
}
// Whether runs on a file of the user's own, which alone states its bytes, read it in several versions.
const readDifferently = (settings) => new Set(settings.flatMap((one) => one.runs).filter((run) => run.data?.bytes !== undefined).map((run) => run.data.sha256)).size > 1;
const runsOf = (one) => "#/runs?" + encodeURIComponent(one.hash + " " + one.runs[0].scale);
function group(items, key) {
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    if (groups.has(name)) groups.get(name).push(item); else groups.set(name, [item]);
  }
  return groups;
}

/* ---- settings of one cell: sorted by held-out samples, and each figure against each parameter ---- */
function settings() {
  const cells = group(RUNS.filter((run) => run.status === "finished"), (run) => `${run.model} ${run.set} ${run.backend}`);
  const several = [...cells.keys()].filter((name) => settingsOf(ofLargestScale(cells.get(name))).length > 1).sort();
  const chosen = several.includes(state.search) ? state.search : several[0];
  if (!chosen) return [el("section", {}, el("h2", {}, "Settings"), el("div", { class: "panel empty" }, "No combination of model, data set and backend has runs of more than one setting."))];
  const listed = settingsOf(ofLargestScale(cells.get(chosen)));
  const flats = listed.map((one) => flat(one.runs.find((run) => run.config_tree)?.config_tree || {}));
  const differing = [...new Set(flats.flatMap((tree) => Object.keys(tree)))].filter((key) => key !== "seed" && ![...DATA.runtime, "scale"].includes(key.split(".")[0]) && !/(^|\.)_target_$/.test(key) && new Set(flats.map((tree) => JSON.stringify(tree[key]))).size > 1);
  const lacking = (key) => flats.filter((tree) => tree[key] === undefined).length;
  const keys = differing.map((key) => [lacking(key), key]).sort((a, b) => a[0] - b[0]).slice(0, 4).map(([, key]) => key); // keys that all settings have come first
  const select = el("select", { "aria-label": "model, data set, backend", onchange: (event) => { location.hash = "#/settings?" + encodeURIComponent(event.target.value); } }, several.map((name) => el("option", { value: name, selected: name === chosen }, name)));
  const rows = listed.map((one, i) => el("tr", { class: "go", onclick: () => { location.hash = runsOf(one); } },
    el("td", {}, one.validation !== null && i === 0 ? chip("chosen", "good") : ""), keys.map((key) => el("td", { class: "mono", "data-label": key }, flats[i][key] === undefined ? "–" : String(flats[i][key]))),
    el("td", { class: "num", "data-label": "validation" }, spread(one.validations)), el("td", { class: "num", "data-label": "test" }, spread(one.test)), el("td", { class: "num", "data-label": "seeds" }, el("a", { href: runsOf(one), "aria-label": "runs of " + one.hash }, String(one.runs.length)))));
  const numeric = keys.filter((key) => flats.every((tree) => typeof tree[key] === "number"));
  return [el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Settings"), el("span", { class: "soft small" }, "sorted by accuracy on held-out samples; mean ± sd over seeds")), el("div", { class: "tools" }, select, differing.length > keys.length ? el("span", { class: "soft small" }, `settings differ in ${plural(differing.length - keys.length, "more key")}`) : "",
      readDifferently(listed) ? el("span", { class: "soft small" }, "the runs read different data (sha256)") : "",
      listed.some((one) => !one.runs.some((run) => run.config_tree)) ? el("span", { class: "soft small" }, "This page does not contain the configuration of every setting: report --details N") : ""),
    el("div", { class: "panel scroll" }, el("table", { id: "settings", class: "stack" }, el("thead", {}, el("tr", {}, el("th", {}, ""), keys.map((key) => el("th", {}, key)), el("th", { class: "num" }, "validation"), el("th", { class: "num" }, "test"), el("th", { class: "num" }, "seeds"))), el("tbody", {}, rows)))),
    numeric.length === 2 && numeric.every((key) => axis(flats, key).length > 2) ? heatMap(listed, flats, numeric) : "",
    numeric.length ? el("section", {}, el("h2", {}, "Accuracy against each parameter"), el("div", { class: "legend", style: "padding:0" }, [["validation", 0], ["test", 2]].map(([name, c]) => el("span", { style: `--c:var(--series-${c})` }, el("i"), name + ", mean and sd over seeds"))),
      el("div", { class: "columns" }, numeric.map((key) => el("div", { class: "panel" }, el("h3", { class: "mono" }, key), parameterChart(listed.map((one, i) => ({ x: flats[i][key], validation: one.validations, test: one.test }))))))) : ""];
}
const axis = (flats, key) => [...new Set(flats.map((tree) => tree[key]))].sort((a, b) => a - b);
/* Two parameters with at least three values each: the mean, at each pair, of the accuracy by which the page sorts. */
function heatMap(listed, flats, [across, down]) {
  const by = listed.some((one) => one.validations.length) ? "validations" : "test";
  const at = (x, y) => listed.filter((_, i) => flats[i][across] === x && flats[i][down] === y).flatMap((one) => one[by]);
  const values = present(listed.map((one) => mean(one[by]))), low = Math.min(...values), high = Math.max(...values);
  const square = (figures) => {
    const value = mean(figures), heat = value === null || low === high ? 4 : Math.round(4 + 84 * (value - low) / (high - low));
    return el("td", {}, value === null ? el("span", { class: "none" }, "·") : el("span", { class: "cell" + (heat > 55 ? " hot" : ""), style: `--heat:${heat}%` }, el("b", {}, spread(figures)), el("small", {}, plural(figures.length, "seed"))));
  };
  return el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Accuracy against two parameters"), el("span", { class: "soft small" }, `${by === "test" ? "test" : "validation"} accuracy, mean ± sd over seeds and all other keys`)),
    el("div", { class: "panel scroll" }, el("table", { class: "matrix", id: "heat-map" }, el("thead", {}, el("tr", {}, el("th", { class: "mono" }, `${down} ↓  ${across} →`), axis(flats, across).map((x) => el("th", { class: "mono" }, String(x))))),
      el("tbody", {}, axis(flats, down).map((y) => el("tr", {}, el("th", { class: "mono", scope: "row" }, String(y)), axis(flats, across).map((x) => square(at(x, y)))))))));
}
function parameterChart(points) {
  const marks = points.flatMap((point) => [["validation", 0], ["test", 2]].filter(([name]) => point[name].length).map(([name, color]) => ({ x: point.x, y: mean(point[name]), sd: sd(point[name]) ?? 0, color, name })));
  if (!marks.length) return el("p", { class: "empty" }, "No accuracy is recorded.");
  const values = marks.map((mark) => mark.x), log = Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 20;
  const at = (value) => log ? Math.log10(value) : value;
  const plane = frame(widened(Math.min(...values.map(at)), Math.max(...values.map(at))), widened(Math.min(...marks.map((mark) => mark.y - mark.sd)), Math.max(...marks.map((mark) => mark.y + mark.sd))), "accuracy against the parameter");
  plane.yTicks((value) => number(100 * value, 4) + "%");
  plane.xTicks([...new Set(values)].sort((a, b) => a - b).slice(0, 8).map((value) => [at(value), number(value, 3)]));
  for (const mark of marks) {
    const style = { stroke: `var(--series-${mark.color})`, "stroke-width": 1.5 };
    plane.add(svg("line", { x1: plane.x(at(mark.x)), x2: plane.x(at(mark.x)), y1: plane.y(mark.y - mark.sd), y2: plane.y(mark.y + mark.sd), ...style }),
      svg("circle", { cx: plane.x(at(mark.x)), cy: plane.y(mark.y), r: 4, fill: `var(--series-${mark.color})` }, svg("title", {}, `${mark.name}, ${number(mark.x)}: ${perCent(mark.y)}`)));
  }
  return plane.node;
}

/* ---- tables ---- */
function tables() {
  if (!DATA.tables.length) return [el("div", { class: "panel empty" }, "No table is declared.")];
  const ran = (row) => row.verdict !== "not run";
  const empty = DATA.tables.filter((table) => !table.rows.some(ran));
  const folded = empty.length ? el("section", {}, el("details", { class: "panel pad", id: "not-run" }, el("summary", {}, plural(empty.length, "table") + " without a run"), empty.map((table) => el("details", {}, el("summary", {}, `${table.name}: ${plural(table.rows.length, "row")}`), table.rows.map(result))))) : null;
  return [...DATA.tables.filter((table) => table.rows.some(ran)).map((table) => {
    const count = (verdict) => table.rows.filter((row) => row.verdict === verdict).length;
    const verdicts = [...HELD, "OUT", "undecided", "reported", "EMULATED", "SMOKE", "not run"].filter(count).map((verdict) => chip(count(verdict) + " " + verdict, CHIPS[verdict]));
    return el("section", { id: "table-" + table.name }, el("div", { class: "lead" }, el("h2", {}, table.name), el("span", { class: "tools" }, verdicts)), el("div", { class: "panel" }, table.rows.filter(ran).map(result),
      table.rows.every(ran) ? "" : el("details", { class: "folded" }, el("summary", {}, plural(table.rows.filter((row) => !ran(row)).length, "row") + " not run"), table.rows.filter((row) => !ran(row)).map(result))));
  }), folded, conformance()].filter(Boolean);
}
function conformance() {
  // other frameworks' importers on reference graphs; a click shows the reason
  const frameworks = DATA.conformance || [];
  if (!frameworks.length) return null;
  const kinds = { faithful: "good", approximate: "warn", wrong: "bad" };
  const cell = (verdict) => !verdict ? "–" : verdict.detail ? el("details", {}, el("summary", {}, chip(verdict.word, kinds[verdict.word])), el("p", { class: "small soft" }, verdict.detail)) : chip(verdict.word, kinds[verdict.word]);
  const graphs = [...new Map(frameworks.flatMap((one) => one.verdicts).map((verdict) => [verdict.case, verdict.kind]))];
  return el("section", { id: "conformance" }, el("div", { class: "lead" }, el("h2", {}, "NIR graphs in other frameworks")), el("div", { class: "panel scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ["graph", "node", ...frameworks.map((one) => one.framework + " " + (one.versions[one.framework] || ""))].map((text) => el("th", {}, text)))),
    el("tbody", {}, graphs.map(([name, kind]) => el("tr", {}, el("td", {}, name), el("td", {}, kind), frameworks.map((one) => el("td", {}, cell(one.verdicts.find((verdict) => verdict.case === name))))))))));
}
function result(row) {
  // shares of test samples in per cent, as everywhere on this page
  const share = unit(row.metric) === "proportion", format = (value, digits) => share && value !== null ? number(100 * value, digits === 2 ? 2 : 4) + " %" : number(value, digits);
  const value = el("div", { class: "value" }, el("b", {}, format(row.mean)), row.sd === null ? "" : el("span", { class: "soft" }, " ± " + format(row.sd, 2)), row.seeds.length > 1 ? el("span", { class: "soft small" }, `  ${row.seeds.length} seeds`) : "", gauge(row));
  const [low, high] = row.band;
  const band = low === null && high === null ? "" : low === null ? "≤ " + format(high) : high === null ? "≥ " + format(low) : format(low) + " to " + format(high);
  return el("div", { class: "result" },
    el("div", {}, el("h3", {}, row.what), el("p", {}, row.means + (row.evaluated_on ? ` On ${row.evaluated_on}.` : ""))),
    value,
    el("div", { class: "verdict" }, chip(row.verdict), el("p", {}, [row.published === null ? "" : "published " + format(row.published), row.difference === null ? "" : ` (${row.difference >= 0 ? "+" : "−"}${format(Math.abs(row.difference), 2).replace("%", "points")})`]), el("p", {}, band ? "band " + band : "")),
    el("details", { class: "small soft", style: "grid-column: 1 / -1" }, el("summary", {}, "how this was measured"),
      el("dl", { class: "pairs", style: "padding: .4rem 0 0" }, [["experiment", row.experiment], ["95 % interval", row.interval ? format(row.interval[0]) + " to " + format(row.interval[1]) : "–"], ["seeds", row.seeds.join(", ") || "–"], ["data", row.data || "–"], ["configuration", row.setting_hash], ["commit", row.commits.join(", ") || "–"], ["wall time per run", row.wall_seconds === null ? "–" : time(row.wall_seconds)], ["source", row.source], ["reference", row.reference ? `${format(row.reference.value)} (${row.reference.kind}): ${row.reference.source}` : "–"], ["basis of the band", row.band_from ? `${row.band_from.basis}, ${row.band_from.commit}${row.band_from.note ? "; " + row.band_from.note : ""}` : "–"], ["compared with", heldAgainst(row)], ["command", row.again]].map(([key, text]) => [el("dt", {}, key), el("dd", {}, text)]))));
}
function heldAgainst(row) {
  if (!row.comparison) return "–";
  const other = !row.relation ? "single runs of the reference" : row.relation.kind === "equal" ? "equal to " + row.relation.row : `within ${row.relation.margin} of ${row.relation.row}`;
  const { difference, interval, n } = row.comparison;
  return other + (difference === null ? "" : `: difference ${number(difference)}${interval ? ` (${number(interval[0])} to ${number(interval[1])})` : ""}`) + `, ${n[0]} and ${n[1]} runs`;
}
function gauge(row) {
  // band, interval, published (diamond) and measured (dot) on one line
  const marks = [row.mean, row.published, ...(row.interval || []), ...row.band].filter((value) => value !== null && value !== undefined);
  if (row.mean === null || marks.length < 2) return "";
  let low = Math.min(...marks), high = Math.max(...marks);
  const pad = (high - low || Math.abs(high) || 1) * 0.12;
  low -= pad; high += pad;
  const x = (value) => 4 + 292 * (value - low) / (high - low);
  const parts = [svg("line", { x1: 4, x2: 296, y1: 13, y2: 13, stroke: "var(--line)", "stroke-width": 1 })];
  if (row.band[0] !== null || row.band[1] !== null) {
    const from = row.band[0] === null ? 4 : x(row.band[0]), to = row.band[1] === null ? 296 : x(row.band[1]);
    parts.push(svg("rect", { x: from, y: 6, width: Math.max(2, to - from), height: 14, rx: 4, fill: "var(--band)" }));
  }
  const ink = row.verdict === "OUT" ? "var(--bad)" : "var(--accent)";
  if (row.interval) parts.push(svg("line", { x1: x(row.interval[0]), x2: x(row.interval[1]), y1: 13, y2: 13, stroke: ink, "stroke-width": 2.5, "stroke-linecap": "round" }));
  if (row.published !== null) parts.push(svg("rect", { x: x(row.published) - 4, y: 9, width: 8, height: 8, transform: `rotate(45 ${x(row.published)} 13)`, fill: "var(--panel)", stroke: "var(--ink)", "stroke-width": 1.4 }));
  parts.push(svg("circle", { cx: x(row.mean), cy: 13, r: 5, fill: ink }));
  return svg("svg", { class: "gauge", viewBox: "0 0 300 26", preserveAspectRatio: "none", role: "img", "aria-label": "measured " + number(row.mean) }, parts);
}

/* ---- runs ---- */
const KEYS = { path: (run) => run.path, what: (run) => run.model ? run.model + run.dataset + run.backend : null, seed: (run) => run.seed, validation: (run) => run.validation, time: total, started: (run) => run.moment };
// Missing values come last in either direction of sorting.
const by = (key, down) => (a, b) => {
  const x = KEYS[key](a) ?? null, y = KEYS[key](b) ?? null;
  if (x === null || y === null) return (x === null) - (y === null) || a.index - b.index;
  return (x < y ? -1 : x > y ? 1 : a.index - b.index) * (down ? -1 : 1);
};
// Each word may stand anywhere, as part of a word, but "seed 3" is one word, and not that of seed 30.
function isFound(text, search) {
  const terms = search.toLowerCase().match(/seed\s+\d+|\S+/g) ?? [];
  return terms.every((term) => /^seed\s/.test(term) ? `${text} `.includes(` ${term.replace(/\s+/, " ")} `) : text.includes(term));
}
function runs() {
  const body = el("div", { class: "panel" });
  const draw = () => {
    const matches = RUNS.filter((run) => (!state.scale || run.scale === state.scale) && isFound(run.text, state.search)).sort(by(state.sort, state.down));
    const pages = Math.max(1, Math.ceil(matches.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    const shown = matches.slice(state.page * PAGE, (state.page + 1) * PAGE);
    const turn = (by) => () => { state.page += by; draw(); body.scrollIntoView({ block: "start" }); };
    redraw(body, () => body.replaceChildren(matches.length ? runTable(shown, draw) : el("p", { class: "empty" }, "No run matches."),
      el("div", { class: "pager" }, el("span", { class: "soft small", id: "matches" }, `${plural(matches.length, "run")}, page ${state.page + 1} of ${pages}`), el("button", { disabled: state.page === 0, onclick: turn(-1) }, "Back"), el("button", { disabled: state.page >= pages - 1, onclick: turn(1) }, "Next"))));
  };
  const scales = [...new Set(RUNS.map((run) => run.scale).filter(Boolean))].sort();
  const search = el("input", { type: "search", id: "search", placeholder: "Search: model, data set, backend, seed 3, failed …", "aria-label": "search runs", value: state.search, oninput: (event) => { state.search = event.target.value; state.page = 0; draw(); } });
  const scale = el("select", { "aria-label": "scale", onchange: (event) => { state.scale = event.target.value; state.page = 0; draw(); } }, el("option", { value: "" }, "all scales"), scales.map((name) => el("option", { value: name, selected: name === state.scale }, name)));
  draw();
  return [el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Runs"), el("span", { class: "soft small" }, "tick runs to compare them")), el("div", { class: "tools" }, search, scale), body)];
}
function runTable(shown, draw) {
  const head = (key, label, kind) => el("th", { class: kind, "aria-sort": draw && state.sort === key ? (state.down ? "descending" : "ascending") : null },
    draw ? el("button", { "data-sort": key, onclick: () => { state.down = state.sort === key ? !state.down : key !== "path"; state.sort = key; draw(); } }, label + (state.sort === key ? (state.down ? " ↓" : " ↑") : "")) : label);
  return el("div", { class: "scroll" }, el("table", { class: "runs" },
    el("thead", {}, el("tr", {}, el("th", {}, ""), head("path", "run"), head("what", "model, data, backend"), head("seed", "seed", "num"), head("validation", "validation", "num"), el("th", { class: "num", title: "not for selection: sort by validation accuracy instead" }, "test accuracy"), head("time", "time", "num"), head("started", "started", "num"))),
    el("tbody", {}, shown.map((run) => {
      const pick = el("input", { type: "checkbox", "aria-label": "compare " + run.path, onclick: (event) => { event.stopPropagation(); toggle(run.path, event.target.checked); } });
      pick.checked = state.picked.has(run.path);
      const accuracy = run.status === "finished" ? perCent(run.metrics.test_accuracy) : [chip(run.status), progress(run)];
      return el("tr", { class: "go", onclick: () => { location.hash = link(run); } }, el("td", { class: "pick" }, pick), el("td", { class: "name" }, el("a", { href: link(run), onclick: (event) => event.stopPropagation() }, run.path)),
        el("td", { class: "what" }, run.model ? `${run.model} · ${run.dataset} · ${run.backend}` : "–", run.scale && run.scale !== "paper" ? [" ", chip(run.scale, "warn")] : ""), el("td", { class: "num wide" }, run.seed === null ? "–" : String(run.seed)),
        el("td", { class: "num wide validation" }, perCent(run.validation)), el("td", { class: "num accuracy" }, accuracy), el("td", { class: "num wide" }, time(total(run))), el("td", { class: "num wide soft" }, stamp(run.started)));
    }))));
}
// Progress of a run that has not finished.
function progress(run) {
  const last = run.history?.at(-1), of = run.config_tree?.training?.epochs;
  return last && run.status !== "finished" ? el("small", { class: "soft progress" }, ` epoch ${last.epoch}${of ? " of " + of : ""}${last.validation_accuracy === undefined ? "" : ", validation " + perCent(last.validation_accuracy)}`) : "";
}
function toggle(path, on) {
  if (on) state.picked.add(path); else state.picked.delete(path);
  tray();
}
function tray() {
  const box = document.getElementById("tray");
  box.hidden = state.picked.size === 0 || location.hash.startsWith("#/compare");
  document.getElementById("count").textContent = state.picked.size === 1 ? "1 run chosen" : state.picked.size + " runs chosen";
  document.getElementById("go").disabled = state.picked.size < 2;
}

/* ---- one run ---- */
function one(path) {
  const run = BY_PATH.get(path);
  if (!run) return [el("div", { class: "panel empty" }, "There is no such run in this report.")];
  const button = el("button", { onclick: () => { toggle(path, !state.picked.has(path)); button.textContent = label(); } });
  const label = () => state.picked.has(path) ? "Chosen for comparison ✓" : "Choose for comparison";
  button.textContent = label();
  const headline = run.status === "finished"
    ? el("div", { class: "facts" }, fact(perCent(run.metrics.test_accuracy), run.interval ? `test accuracy, 95 % interval ${perCent(run.interval[0])} to ${perCent(run.interval[1])}` : "test accuracy"), run.validation === null || run.validation === undefined ? null : fact(perCent(run.validation), "validation accuracy"), fact(String(run.seed ?? "–"), "seed"), fact(run.epochs ?? "–", run.epochs === 1 ? "epoch" : "epochs"), fact(time(total(run)), "compute time"), run.peak_rss_mb ? fact(number(run.peak_rss_mb) + " MB", "peak memory") : null)
    : el("div", { class: "panel pad" }, run.error || (run.status === "running" ? "This run is still running." : "This run did not finish."), progress(run));
  const costs = Object.entries(run.device_costs || {}).flatMap(([device, entries]) => Object.entries(entries).map(([key, value]) => [`${device}: ${words(key)}`, figure(key, value)]));
  return [
    el("section", {}, el("div", { class: "lead" }, el("div", {}, el("a", { href: "#/runs", class: "small" }, "← runs"), el("h2", { style: "overflow-wrap:anywhere;margin-top:.3rem" }, run.path)), el("div", { class: "tools" }, chip(run.status), run.scale && run.scale !== "paper" ? chip("scale " + run.scale + ": never a result", "warn") : "", button)),
      el("p", { class: "soft", style: "margin:0" }, run.model ? `${run.model} on ${run.dataset}, backend ${run.backend}. ${run.data ? "Evaluated on " + run.data.evaluated_on + "." : ""}` : "")),
    el("section", {}, headline),
    curves([run]),
    run.figures?.length ? el("section", {}, el("div", { class: "panel" }, el("h3", {}, "Figures"), el("div", { class: "gallery" }, run.figures.map((image) => el("button", { onclick: () => zoom(image) , "aria-label": "enlarge " + words(image.name) }, el("img", { src: image.src, alt: words(image.name), loading: "lazy" }), el("span", {}, words(image.name))))))) : "",
    run.metrics ? el("section", {}, el("h2", {}, "Figures of merit"), el("div", { class: "masonry" }, groups(merits(run.metrics)).map(([title, entries]) => pairs(title, entries.map(([key, value]) => [words(key), figure(key, value)]), true, entries.length > 16)))) : "",
    el("section", { class: "masonry" },
      costs.length ? pairs("Device costs", costs, true) : "",
      Object.keys(run.energy_source || {}).length ? pairs("Sources of energy figures", Object.entries(run.energy_source).map(([key, source]) => [words(key), source])) : "",
      Object.keys(run.undefined || {}).length ? pairs("Not defined for this run", Object.entries(run.undefined).map(([key, why]) => [words(key), why])) : "",
      pairs("Provenance", [["status", run.status], ["started", stamp(run.started)], ["commit", run.commit], ["configuration", run.config_hash], ["setting", run.setting_hash], ["host", run.host], ["processor", run.processor], ["device", run.device], ["threads", run.threads], ["python", run.python], ["data", run.data ? `${run.data.source}: ${run.data.n_train} training, ${run.data.n_validation} validation, ${run.data.n_test} test samples` : null], ["data sha256", run.data?.sha256], ["seconds", run.seconds ? Object.entries(run.seconds).map(([key, value]) => `${key} ${number(value, 3)}`).join(", ") : null], ["samples/s", run.samples_per_s ? Object.entries(run.samples_per_s).map(([key, value]) => `${key} ${number(Math.round(value))}`).join(", ") : null]].filter(([, value]) => value !== null && value !== undefined && value !== "").map(([key, value]) => [key, String(value)]))),
    el("section", {}, pairs("As it ran", ran(run))),
    run.config ? el("section", {}, el("div", { class: "panel" }, el("h3", {}, "Configuration"), el("p", { class: "soft small note" }, "Only the part that took effect: the devices that the model uses, and as many epochs as the scale allows. The complete configuration is in config.yaml in the run folder."), yaml(run.config))) : el("p", { class: "soft small" }, `The configuration and curves of this run are only in its run folder; this page contains those of the ${plural(DATA.detailed, "newest run")}.`),
  ];
}
function pairs(title, entries, right, long) {
  const list = el("dl", { class: right ? "rows" : "pairs" }, entries.map(([key, value]) => right ? el("div", {}, el("dt", {}, key), el("dd", {}, value)) : [el("dt", {}, key), el("dd", {}, value)]));
  return long ? el("details", { class: "panel" }, el("summary", {}, el("h3", {}, title), el("span", { class: "soft small" }, plural(entries.length, "figure"))), list) : el("div", { class: "panel" }, el("h3", {}, title), list);
}
function groups(metrics) {
  return Object.entries(DATA.groups).map(([title, names]) => [title, names.filter((name) => name in metrics).map((name) => [name, metrics[name]])]).filter(([, entries]) => entries.length);
}
function ran(run) {
  const data = run.data, epochs = run.epochs ?? run.history?.length;
  return [["model", run.model], ["data set", run.dataset], ["encoders", (run.encoders || []).join(", ") || (run.model ? "none" : null)], ["backend", run.backend], ["scale", run.scale && run.scale + (run.scale === "paper" ? "" : ": never a result")],
    ["samples", data ? `${data.n_train} training, ${data.n_validation} validation, ${data.n_test} test` : null], ["epochs", epochs ? `${epochs}${run.config_tree?.training?.epochs ? " of " + run.config_tree.training.epochs : ""}${run.best_epoch ? `, best epoch ${run.best_epoch}` : ""}` : null],
    ["seed", run.seed], ["computed on", run.device && `${run.device}, ${plural(run.threads ?? 1, "thread")}`], ["overrides", (run.overrides || []).join(" ")]].filter(([, value]) => value !== null && value !== undefined && value !== "").map(([key, value]) => [key, String(value)]);
}
function yaml(text) {
  return el("pre", {}, text.split("\n").flatMap((line) => {
    const match = line.match(/^(\s*(?:- )?)([\w.-]+)(:.*)$/);
    return match ? [match[1], el("span", { class: "k" }, match[2]), match[3] + "\n"] : [line + "\n"];
  }));
}
function zoom(image) {
  const dialog = document.getElementById("zoom");
  dialog.firstElementChild.src = image.src;
  dialog.firstElementChild.alt = words(image.name);
  dialog.showModal();
}

/* ---- curves: one panel per figure; train dashed, validation solid; one colour per run ---- */
function curves(chosen) {
  const trained = chosen.filter((run) => run.history?.length > 1); // one epoch is a point, not a curve
  const names = [...new Set(trained.flatMap((run) => run.history.flatMap((row) => Object.keys(row))).filter((key) => /^(train|validation)_/.test(key)).map((key) => key.replace(/^[a-z]+_/, "")))].sort();
  if (!names.length) return "";
  const legend = chosen.length > 1 ? chosen.map((run, i) => el("span", { style: `--c:var(--series-${i % 6})` }, el("i"), run.path)) : [["train", 1], ["validation", 0]].map(([name, c]) => el("span", { style: `--c:var(--series-${c})` }, el("i"), name));
  return el("section", {}, el("h2", {}, "Learning curves"), el("div", { class: "legend", style: "padding:0" }, legend, chosen.length > 1 ? el("span", {}, "solid: validation, dashed: train") : ""),
    el("div", { class: "columns" }, names.map((name) => el("div", { class: "panel" }, el("h3", {}, words(name)), chart(trained, name, chosen)))));
}
function chart(trained, name, chosen) {
  const series = trained.flatMap((run) => ["train", "validation"].map((split) => ({ split, color: chosen.length > 1 ? chosen.indexOf(run) % 6 : split === "train" ? 1 : 0, points: run.history.filter((row) => row[`${split}_${name}`] !== undefined).map((row) => [row.epoch, row[`${split}_${name}`]]) }))).filter((line) => line.points.length);
  const all = series.flatMap((line) => line.points), epochs = Math.max(...all.map(([epoch]) => epoch));
  const plane = frame([Math.min(1, epochs - 1), epochs], widened(Math.min(...all.map(([, value]) => value)), Math.max(...all.map(([, value]) => value))), words(name) + " by epoch");
  plane.yTicks((value) => unit(name) === "proportion" ? number(100 * value, 3) + "%" : number(value, 3));
  plane.xTicks(nice(Math.min(1, epochs - 1), epochs, 6).filter((value) => Number.isInteger(value) && value > 0).map((value) => [value, String(value)]));
  plane.add(series.map((line) => svg("polyline", { points: line.points.map(([epoch, value]) => `${plane.x(epoch).toFixed(1)},${plane.y(value).toFixed(1)}`).join(" "), fill: "none", stroke: `var(--series-${line.color})`, "stroke-width": 2, "stroke-linejoin": "round", "stroke-dasharray": chosen.length > 1 && line.split === "train" ? "4 4" : "none" })),
    series.map((line) => (line.points.length <= 12 ? line.points : line.points.slice(-1)).map(([epoch, value]) => svg("circle", { cx: plane.x(epoch), cy: plane.y(value), r: 3, fill: `var(--series-${line.color})` }, svg("title", {}, `${line.split}, epoch ${epoch}: ${number(value)}`)))));
  return plane.node;
}
/* An empty chart of two ranges, with its axes. */
function frame([left, right], [low, high], label) {
  const W = 420, H = 220, L = 54, B = 30, R = 14, T = 10;
  const node = svg("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label }, svg("line", { class: "axis", x1: L, x2: W - R, y1: H - B + 2, y2: H - B + 2 }));
  const x = (value) => L + (W - L - R) * (value - left) / (right - left || 1), y = (value) => T + (H - T - B) * (high - value) / (high - low);
  return { node, x, y, add: (...parts) => node.append(...parts.flat(Infinity)),
    yTicks: (text) => node.append(...nice(low, high, 4).flatMap((value) => [svg("line", { class: "grid", x1: L, x2: W - R, y1: y(value), y2: y(value) }), svg("text", { x: L - 7, y: y(value) + 4, "text-anchor": "end" }, text(value))])),
    xTicks: (ticks) => node.append(...ticks.map(([value, text]) => svg("text", { x: x(value), y: H - 9, "text-anchor": "middle" }, text))) };
}
function widened(low, high) {
  const gap = low === high ? Math.abs(low) * 0.05 || 0.5 : (high - low) * 0.06;
  return [low - gap, high + gap];
}
function nice(low, high, wanted) {
  const raw = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((candidate) => candidate >= raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

/* ---- compare ---- */
function compare() {
  const chosen = [...state.picked].map((path) => BY_PATH.get(path)).filter(Boolean);
  if (chosen.length < 2) return [el("section", {}, el("h2", {}, "Compare"), el("div", { class: "panel empty" }, "Tick two or more runs in the ", el("a", { href: "#/runs" }, "list of runs"), ", then come back."))];
  const keys = (of) => [...new Set(chosen.flatMap((run) => Object.keys(of(run) || {})))];
  const flats = chosen.map((run) => flat(run.config_tree || {}));
  const differing = keys((run) => flats[chosen.indexOf(run)]).filter((key) => new Set(flats.map((tree) => JSON.stringify(tree[key]))).size > 1 && !DATA.runtime.includes(key.split(".")[0]));
  const head = (removable) => el("thead", {}, el("tr", {}, el("th", {}, ""), chosen.map((run) => el("th", { class: "num" }, el("a", { href: link(run) }, run.path.split("/").map((part, i) => i ? [el("br"), part] : part)), removable ? [" ", el("button", { "aria-label": "remove " + run.path, onclick: () => { toggle(run.path, false); show(); } }, "×")] : ""))));
  const better = (key) => ({ larger: Math.max, smaller: Math.min })[DATA.metrics[key]?.better] ?? null;
  const metrics = keys((run) => merits(run.metrics)).map((key) => {
    const values = chosen.map((run) => run.metrics?.[key]), known = values.filter((value) => value !== undefined && value !== null);
    const best = better(key) && new Set(known).size > 1 ? better(key)(...known) : null;
    return el("tr", {}, el("th", { scope: "row" }, words(key)), values.map((value, i) => el("td", { "data-label": chosen[i].path, class: "num" + (best !== null && value === best ? " best" : "") }, value === undefined ? "–" : figure(key, value))));
  });
  return [
    el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Side by side"), el("button", { onclick: () => { state.picked.clear(); show(); } }, "Clear")), el("div", { class: "panel scroll" }, el("table", { id: "compare", class: "stack sides" }, head(true), el("tbody", {}, metrics)))),
    el("section", {}, el("h2", {}, "Differences in configuration"), chosen.some((run) => !run.config_tree) ? el("p", { class: "soft small" }, "This page does not contain the configuration of every run compared.") : "", differing.length ? el("div", { class: "panel scroll" }, el("table", { class: "stack sides" }, head(false), el("tbody", {}, differing.map((key) => el("tr", {}, el("th", { class: "mono", scope: "row" }, key), flats.map((tree, i) => el("td", { "data-label": chosen[i].path, class: "num mono" }, tree[key] === undefined ? "–" : JSON.stringify(tree[key])))))))) : el("div", { class: "panel empty" }, "The configurations do not differ.")),
    curves(chosen),
  ];
}
function flat(tree, prefix = "") {
  return Object.entries(tree).reduce((leaves, [key, value]) => value && typeof value === "object" && !Array.isArray(value) ? { ...leaves, ...flat(value, prefix + key + ".") } : { ...leaves, [prefix + key]: value }, {});
}

/* Draw a part of the page anew. The reader's focus, caret and opened details remain. */
function redraw(part, draw) {
  const named = (node) => node.dataset.sort || node.id || node.getAttribute("aria-label") || node.getAttribute("href") || (node.closest(".result, section") ?? node).querySelector("h3, h2")?.textContent + node.textContent;
  const nodes = (kind) => [...part.querySelectorAll(kind)];
  const focused = part.contains(document.activeElement) ? document.activeElement : null, caret = focused?.selectionStart ?? null;
  const open = new Set(nodes("details[open] > summary").map(named));
  draw();
  for (const summary of nodes("details > summary")) if (open.has(named(summary))) summary.parentNode.open = true;
  const again = focused && nodes("a, button, input, select, summary").find((node) => node.tagName === focused.tagName && named(node) === named(focused));
  again?.focus({ preventScroll: true });
  if (again && caret !== null) again.setSelectionRange(caret, caret);
}
// An address that was cut, as by a mail program, may end within a character.
function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}
/* ---- routing; `stay`: the data have changed, the reader has not moved ---- */
function show(stay) {
  const [route, query] = (location.hash.slice(1) || "/").split("?");
  if (query !== undefined && stay !== true) { state.search = decoded(query); state.page = 0; }
  const views = { "/": overview, "/settings": settings, "/tables": tables, "/runs": runs, "/compare": compare };
  const view = route.startsWith("/run/") ? () => one(decoded(route.slice(5))) : views[route] || overview;
  redraw(main, () => main.replaceChildren(...view().filter(Boolean)));
  for (const anchor of document.querySelectorAll("nav a")) {
    const here = anchor.getAttribute("href") === "#" + (route.startsWith("/run/") ? "/runs" : route);
    if (here) anchor.setAttribute("aria-current", "page"); else anchor.removeAttribute("aria-current");
  }
  document.title = (route.startsWith("/run/") ? decoded(route.slice(5)) : { "/settings": "settings", "/tables": "tables", "/runs": "runs", "/compare": "compare" }[route] || "report") + " · neurobench";
  tray();
  if (stay !== true) scrollTo(0, 0);
}
const dark = matchMedia("(prefers-color-scheme: dark)");
let theme = null;
const paint = () => { document.documentElement.dataset.theme = theme || (dark.matches ? "dark" : "light"); };
dark.addEventListener("change", paint);
document.getElementById("theme").addEventListener("click", () => { theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark"; paint(); });
document.getElementById("clear").addEventListener("click", () => { state.picked.clear(); show(); });
document.getElementById("go").addEventListener("click", () => { location.hash = "#/compare"; });
document.getElementById("zoom").addEventListener("click", (event) => event.currentTarget.close());
document.getElementById("foot").textContent = `neurobench ${DATA.version}, ${RUNS.length.toLocaleString("en")} runs, written ${DATA.written}`;
addEventListener("hashchange", () => show());
paint();
show();
