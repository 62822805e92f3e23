"use strict";
// The whole report: data stands in the page, every view is drawn from it. Text only ever goes in as text.
const DATA = JSON.parse(document.getElementById("data").textContent);
const RUNS = DATA.runs.map((run, index) => ({ ...run, index, text: [run.path, run.model, run.dataset, run.backend, run.scale, run.status, "seed " + run.seed].join(" ").toLowerCase() }));
const BY_PATH = new Map(RUNS.map((run) => [run.path, run]));
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
  const [unit, name] = JOULES.find(([size]) => Math.abs(value) >= size) ?? JOULES[0];
  return number(value / unit, 4) + " " + name;
}
const perCent = (value) => value === null || value === undefined ? "–" : (100 * value).toFixed(2) + " %";
const unit = (key) => DATA.metrics[key]?.unit ?? "";
const figure = (key, value) => value === null || value === undefined ? "–" : unit(key) === "proportion" ? perCent(value) : unit(key) === "J" ? joules(value) : number(value);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const stamp = (text) => (text || "").slice(0, 16).replace("T", " ");
const total = (run) => Object.values(run.seconds || {}).reduce((sum, value) => sum + value, 0);
const time = (seconds) => seconds >= 3600 ? (seconds / 3600).toFixed(1) + " h" : seconds >= 90 ? (seconds / 60).toFixed(1) + " min" : seconds.toFixed(1) + " s";
// Without time a sample is one step: said once.
const merits = (metrics) => Object.fromEntries(Object.entries(metrics || {}).filter(([key, value]) => !(key.endsWith("_per_step") && metrics[key.slice(0, -9)] === value)));
const CHIPS = { "in band": "good", finished: "good", OUT: "bad", failed: "bad", SMOKE: "warn", EMULATED: "accent", killed: "warn", interrupted: "warn", pruned: "warn", running: "accent", reported: "", "not run": "" };
const chip = (text, kind) => el("span", { class: "chip " + (kind ?? CHIPS[text] ?? "") }, text);
const link = (run) => "#/run/" + encodeURIComponent(run.path);

/* ---- overview ---- */
function overview() {
  const finished = RUNS.filter((run) => run.status === "finished");
  const rows = DATA.tables.flatMap((table) => table.rows);
  const judged = rows.filter((row) => row.verdict === "in band" || row.verdict === "OUT");
  return [
    el("section", { class: "hero" }, el("div", {}, el("h1", {}, "What was run, and what came out"),
      el("p", {}, "Every figure below comes from a run folder: configuration, seeds, code and data are on record. Bands were declared before a run; runs at a smaller scale are never a result."))),
    el("section", {}, el("div", { class: "facts" }, fact(finished.length.toLocaleString("en"), finished.length === 1 ? "finished run" : "finished runs"),
      fact(new Set(finished.map((run) => run.model)).size, "models"), fact(new Set(finished.map((run) => run.setting_hash)).size.toLocaleString("en"), "settings"),
      judged.length ? fact(judged.filter((row) => row.verdict === "in band").length + " of " + judged.length, "declared rows in band") : null,
      fact(time(finished.reduce((sum, run) => sum + total(run), 0)), "computed"))),
    el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Model, data set, backend"), el("span", { class: "soft small" }, "test accuracy of the best setting, mean over its seeds")), matrix(finished)),
    el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Newest runs"), el("a", { href: "#/runs" }, "all runs")), el("div", { class: "panel" }, runTable([...RUNS].sort(by("started", true)).slice(0, 8)))),
  ];
}
const fact = (value, label) => el("div", {}, el("b", {}, String(value)), el("span", {}, label));

function matrix(finished) {
  if (!finished.length) return el("div", { class: "panel empty" }, "No run has finished yet.");
  const backends = [...new Set(finished.map((run) => run.backend))].sort((a, b) => a.localeCompare(b));
  const pairs = [...new Set(finished.map((run) => run.model + "\n" + run.dataset))].sort();
  return el("div", { class: "panel scroll" }, el("table", { class: "matrix" },
    el("thead", {}, el("tr", {}, el("th", {}, ""), backends.map((name) => el("th", {}, name)))),
    el("tbody", {}, pairs.map((pair) => {
      const [model, dataset] = pair.split("\n");
      return el("tr", {}, el("th", { scope: "row" }, model, el("small", {}, dataset)), backends.map((backend) => el("td", {}, cell(finished.filter((run) => run.model === model && run.dataset === dataset && run.backend === backend), `${model} ${dataset} ${backend}`))));
    }))));
}
function cell(runs, search) {
  if (!runs.length) return el("span", { class: "none" }, "·");
  const full = runs.filter((run) => run.scale === "paper");
  const settings = Map.groupBy ? Map.groupBy(full.length ? full : runs, (run) => run.setting_hash) : group(full.length ? full : runs, (run) => run.setting_hash);
  const best = [...settings.values()].map((of) => ({ of, value: mean(of.map((run) => run.metrics.test_accuracy ?? 0)) })).sort((a, b) => b.value - a.value)[0];
  const heat = Math.round(Math.max(4, Math.min(88, (best.value - 0.5) * 176)));
  const note = full.length ? best.of.length + (best.of.length === 1 ? " seed" : " seeds") + (settings.size > 1 ? ` · ${settings.size} settings` : "") : "scale " + best.of[0].scale;
  return el("a", { class: "cell" + (full.length && heat > 55 ? " hot" : ""), style: `--heat:${full.length ? heat : 4}%`, href: "#/runs?" + encodeURIComponent(search) }, el("b", {}, perCent(best.value)), el("small", {}, note));
}
function group(items, key) {
  const found = new Map();
  for (const item of items) found.set(key(item), [...(found.get(key(item)) || []), item]);
  return found;
}

/* ---- tables ---- */
function tables() {
  if (!DATA.tables.length) return [el("div", { class: "panel empty" }, "No table is declared.")];
  return DATA.tables.map((table) => {
    const count = (verdict) => table.rows.filter((row) => row.verdict === verdict).length;
    const told = ["in band", "OUT", "reported", "EMULATED", "SMOKE", "not run"].filter(count).map((verdict) => chip(count(verdict) + " " + verdict, CHIPS[verdict]));
    return el("section", { id: "table-" + table.name }, el("div", { class: "lead" }, el("h2", {}, table.name), el("span", { class: "tools" }, told)), el("div", { class: "panel" }, table.rows.map(result)));
  });
}
function result(row) {
  // shares of test samples in per cent, as everywhere on this page
  const share = unit(row.metric) === "proportion", told = (value, digits) => share && value !== null ? number(100 * value, digits === 2 ? 2 : 4) + " %" : number(value, digits);
  const value = el("div", { class: "value" }, el("b", {}, told(row.mean)), row.sd === null ? "" : el("span", { class: "soft" }, " ± " + told(row.sd, 2)), row.seeds.length > 1 ? el("span", { class: "soft small" }, `  ${row.seeds.length} seeds`) : "", gauge(row));
  const [low, high] = row.band;
  const band = low === null && high === null ? "" : low === null ? "≤ " + told(high) : high === null ? "≥ " + told(low) : told(low) + " to " + told(high);
  return el("div", { class: "result" },
    el("div", {}, el("h3", {}, row.what), el("p", {}, row.means + (row.evaluated_on ? ` On ${row.evaluated_on}.` : ""))),
    value,
    el("div", { class: "verdict" }, chip(row.verdict), el("p", {}, [row.published === null ? "" : "published " + told(row.published), row.difference === null ? "" : ` (${row.difference > 0 ? "+" : "−"}${told(Math.abs(row.difference), 2).replace("%", "points")})`]), el("p", {}, band ? "band " + band : "")),
    el("details", { class: "small soft", style: "grid-column: 1 / -1" }, el("summary", {}, "how this was measured"),
      el("dl", { class: "pairs", style: "padding: .4rem 0 0" }, [["experiment", row.experiment], ["95 % interval", row.interval ? told(row.interval[0]) + " to " + told(row.interval[1]) : "–"], ["seeds", row.seeds.join(", ") || "–"], ["data", row.data || "–"], ["configuration", row.setting_hash], ["commit", row.commits.join(", ") || "–"], ["wall time a run", row.wall_seconds === null ? "–" : time(row.wall_seconds)], ["source", row.source]].map(([key, text]) => [el("dt", {}, key), el("dd", {}, text)]))));
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
const KEYS = { path: (run) => run.path, what: (run) => run.model + run.dataset + run.backend, seed: (run) => run.seed ?? -1, accuracy: (run) => run.metrics?.test_accuracy ?? -1, time: total, started: (run) => run.started || "" };
const by = (key, down) => (a, b) => { const x = KEYS[key](a), y = KEYS[key](b); return (x < y ? -1 : x > y ? 1 : a.index - b.index) * (down ? -1 : 1); };
function runs() {
  const body = el("div", { class: "panel" });
  const draw = () => {
    const terms = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    const found = RUNS.filter((run) => (!state.scale || run.scale === state.scale) && terms.every((term) => run.text.includes(term))).sort(by(state.sort, state.down));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    const shown = found.slice(state.page * PAGE, (state.page + 1) * PAGE);
    const turn = (by) => () => { state.page += by; draw(); body.scrollIntoView({ block: "start" }); };
    body.replaceChildren(found.length ? runTable(shown, draw) : el("p", { class: "empty" }, "No run matches."),
      el("div", { class: "pager" }, el("span", { class: "soft small", id: "found" }, `${found.length.toLocaleString("en")} runs, page ${state.page + 1} of ${pages}`), el("button", { disabled: state.page === 0, onclick: turn(-1) }, "Back"), el("button", { disabled: state.page >= pages - 1, onclick: turn(1) }, "Next")));
  };
  const scales = [...new Set(RUNS.map((run) => run.scale).filter(Boolean))].sort();
  const search = el("input", { type: "search", id: "search", placeholder: "Search: model, data set, backend, seed 3, failed …", "aria-label": "search runs", value: state.search, oninput: (event) => { state.search = event.target.value; state.page = 0; draw(); } });
  const scale = el("select", { "aria-label": "scale", onchange: (event) => { state.scale = event.target.value; state.page = 0; draw(); } }, el("option", { value: "" }, "every scale"), scales.map((name) => el("option", { value: name, selected: name === state.scale }, name)));
  draw();
  return [el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Runs"), el("span", { class: "soft small" }, "tick runs to set them side by side")), el("div", { class: "tools" }, search, scale), body)];
}
function runTable(shown, draw) {
  const head = (key, label, kind) => el("th", { class: kind, "aria-sort": draw && state.sort === key ? (state.down ? "descending" : "ascending") : null },
    draw ? el("button", { "data-sort": key, onclick: () => { state.down = state.sort === key ? !state.down : key !== "path"; state.sort = key; draw(); } }, label + (state.sort === key ? (state.down ? " ↓" : " ↑") : "")) : label);
  return el("div", { class: "scroll" }, el("table", { class: "runs" },
    el("thead", {}, el("tr", {}, el("th", {}, ""), head("path", "run"), head("what", "model, data, backend"), head("seed", "seed", "num"), head("accuracy", "test accuracy", "num"), head("time", "time", "num"), head("started", "started", "num"))),
    el("tbody", {}, shown.map((run) => {
      const pick = el("input", { type: "checkbox", "aria-label": "compare " + run.path, onclick: (event) => { event.stopPropagation(); toggle(run.path, event.target.checked); } });
      pick.checked = state.picked.has(run.path);
      const accuracy = run.status === "finished" ? perCent(run.metrics.test_accuracy) : chip(run.status);
      return el("tr", { class: "go", onclick: () => { location.hash = link(run); } }, el("td", { class: "pick" }, pick), el("td", { class: "name" }, el("a", { href: link(run), onclick: (event) => event.stopPropagation() }, run.path)),
        el("td", { class: "what" }, run.model ? `${run.model} · ${run.dataset} · ${run.backend}` : "–", run.scale && run.scale !== "paper" ? [" ", chip(run.scale, "warn")] : ""), el("td", { class: "num wide" }, run.seed === null ? "–" : String(run.seed)),
        el("td", { class: "num accuracy" }, accuracy), el("td", { class: "num wide" }, run.seconds ? time(total(run)) : "–"), el("td", { class: "num wide soft" }, stamp(run.started)));
    }))));
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
    ? el("div", { class: "facts" }, fact(perCent(run.metrics.test_accuracy), run.interval ? `test accuracy, 95 % ${perCent(run.interval[0])} to ${perCent(run.interval[1])}` : "test accuracy"), fact(number(run.seed), "seed"), fact(run.epochs ?? "–", run.epochs === 1 ? "epoch" : "epochs"), fact(time(total(run)), "computed"), fact(run.peak_rss_mb ? number(run.peak_rss_mb) + " MB" : "–", "peak memory"))
    : el("div", { class: "panel pad" }, run.error || "This run did not finish.");
  const costs = Object.entries(run.device_costs || {}).flatMap(([device, entries]) => Object.entries(entries).map(([key, value]) => [`${device}: ${words(key)}`, figure(key, value)]));
  return [
    el("section", {}, el("div", { class: "lead" }, el("div", {}, el("a", { href: "#/runs", class: "small" }, "← runs"), el("h2", { style: "overflow-wrap:anywhere;margin-top:.3rem" }, run.path)), el("div", { class: "tools" }, chip(run.status), run.scale && run.scale !== "paper" ? chip("scale " + run.scale + ": never a result", "warn") : "", button)),
      el("p", { class: "soft", style: "margin:0" }, run.model ? `${run.model} on ${run.dataset}, backend ${run.backend}. ${run.data ? "Evaluated on " + run.data.evaluated_on + "." : ""}` : "")),
    el("section", {}, headline),
    curves([run]),
    run.figures?.length ? el("section", {}, el("div", { class: "panel" }, el("h3", {}, "Figures"), el("div", { class: "gallery" }, run.figures.map((image) => el("button", { onclick: () => zoom(image) , "aria-label": "enlarge " + words(image.name) }, el("img", { src: image.src, alt: words(image.name), loading: "lazy" }), el("span", {}, words(image.name))))))) : "",
    run.metrics ? el("section", {}, pairs("Figures of merit", Object.entries(merits(run.metrics)).map(([key, value]) => [words(key), figure(key, value)]), true)) : "",
    el("section", { class: "masonry" },
      costs.length ? pairs("Asked of devices", costs, true) : "",
      Object.keys(run.energy_source || {}).length ? pairs("Where joules come from", Object.entries(run.energy_source).map(([key, source]) => [words(key), source])) : "",
      Object.keys(run.undefined || {}).length ? pairs("Not defined here", Object.entries(run.undefined).map(([key, why]) => [words(key), why])) : "",
      pairs("Provenance", [["status", run.status], ["started", stamp(run.started)], ["commit", run.commit], ["configuration", run.config_hash], ["setting", run.setting_hash], ["host", run.host], ["processor", run.processor], ["device", run.device], ["threads", run.threads], ["python", run.python], ["data", run.data ? `${run.data.source}: ${run.data.n_train} training, ${run.data.n_validation} validation, ${run.data.n_test} test samples` : null], ["data sha256", run.data?.sha256], ["seconds", run.seconds ? Object.entries(run.seconds).map(([key, value]) => `${key} ${number(value, 3)}`).join(", ") : null], ["samples/s", run.samples_per_s ? Object.entries(run.samples_per_s).map(([key, value]) => `${key} ${number(Math.round(value))}`).join(", ") : null]].filter(([, value]) => value !== null && value !== undefined && value !== "").map(([key, value]) => [key, String(value)]))),
    run.config ? el("section", {}, el("div", { class: "panel" }, el("h3", {}, "Configuration"), yaml(run.config))) : el("p", { class: "soft small" }, `Configuration and curves of this run are not in the page (it holds those of the ${DATA.detailed} newest); they are in its folder.`),
  ];
}
const pairs = (title, entries, right) => el("div", { class: "panel" }, el("h3", {}, title), el("dl", { class: right ? "rows" : "pairs" }, entries.map(([key, value]) => right ? el("div", {}, el("dt", {}, key), el("dd", {}, value)) : [el("dt", {}, key), el("dd", {}, value)])));
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

/* ---- curves: one panel a figure; train dashed, validation solid; a colour a run ---- */
function curves(chosen) {
  const told = chosen.filter((run) => run.history?.length > 1); // one epoch is a point, not a curve
  const names = [...new Set(told.flatMap((run) => run.history.flatMap((row) => Object.keys(row))).filter((key) => /^(train|validation)_/.test(key)).map((key) => key.replace(/^[a-z]+_/, "")))].sort();
  if (!names.length) return "";
  const legend = chosen.length > 1 ? chosen.map((run, i) => el("span", { style: `--c:var(--series-${i % 6})` }, el("i"), run.path)) : [["train", 1], ["validation", 0]].map(([name, c]) => el("span", { style: `--c:var(--series-${c})` }, el("i"), name));
  return el("section", {}, el("h2", {}, "Learning curves"), el("div", { class: "legend", style: "padding:0" }, legend, chosen.length > 1 ? el("span", {}, "solid: validation, dashed: train") : ""),
    el("div", { class: "columns" }, names.map((name) => el("div", { class: "panel" }, el("h3", {}, words(name)), chart(told, name, chosen)))));
}
function chart(told, name, chosen) {
  const series = told.flatMap((run) => ["train", "validation"].map((split) => ({ split, color: chosen.length > 1 ? chosen.indexOf(run) % 6 : split === "train" ? 1 : 0, points: run.history.filter((row) => row[`${split}_${name}`] !== undefined).map((row) => [row.epoch, row[`${split}_${name}`]]) }))).filter((line) => line.points.length);
  const W = 420, H = 220, L = 54, B = 30, R = 12, T = 10;
  const all = series.flatMap((line) => line.points);
  const epochs = Math.max(...all.map(([epoch]) => epoch));
  let low = Math.min(...all.map(([, value]) => value)), high = Math.max(...all.map(([, value]) => value));
  if (low === high) { low -= Math.abs(low) * 0.05 || 0.5; high += Math.abs(high) * 0.05 || 0.5; }
  const gap = (high - low) * 0.06; low -= gap; high += gap;
  const first = epochs > 1 ? 1 : 0;
  const x = (epoch) => L + (W - L - R) * (epoch - first) / Math.max(1, epochs - first), y = (value) => T + (H - T - B) * (high - value) / (high - low);
  const ticks = nice(low, high, 4), steps = nice(first, epochs, 6).filter(Number.isInteger);
  return svg("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": words(name) + " by epoch" },
    ticks.map((value) => [svg("line", { class: "grid", x1: L, x2: W - R, y1: y(value), y2: y(value) }), svg("text", { x: L - 7, y: y(value) + 4, "text-anchor": "end" }, unit(name) === "proportion" ? number(100 * value, 3) + "%" : number(value, 3))]),
    steps.map((value) => svg("text", { x: x(value), y: H - 9, "text-anchor": "middle" }, String(value))), svg("line", { class: "axis", x1: L, x2: W - R, y1: H - B + 2, y2: H - B + 2 }),
    series.map((line) => svg("polyline", { points: line.points.map(([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`).join(" "), fill: "none", stroke: `var(--series-${line.color})`, "stroke-width": 2, "stroke-linejoin": "round", "stroke-dasharray": chosen.length > 1 && line.split === "train" ? "4 4" : "none" })),
    series.map((line) => (line.points.length <= 12 ? line.points : line.points.slice(-1)).map(([epoch, value]) => svg("circle", { cx: x(epoch), cy: y(value), r: 3, fill: `var(--series-${line.color})` }, svg("title", {}, `${line.split}, epoch ${epoch}: ${number(value)}`)))));
}
function nice(low, high, wanted) {
  const raw = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((candidate) => candidate >= raw);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

/* ---- compare ---- */
function compare() {
  const chosen = [...state.picked].map((path) => BY_PATH.get(path)).filter(Boolean);
  if (chosen.length < 2) return [el("section", {}, el("h2", {}, "Compare"), el("div", { class: "panel empty" }, "Tick two or more runs in the ", el("a", { href: "#/runs" }, "list of runs"), ", then come back."))];
  const keys = (of) => [...new Set(chosen.flatMap((run) => Object.keys(of(run) || {})))];
  const flats = chosen.map((run) => flat(run.config_tree || {}));
  const differing = keys((run) => flats[chosen.indexOf(run)]).filter((key) => new Set(flats.map((tree) => JSON.stringify(tree[key]))).size > 1 && !["outputs", "resume"].includes(key));
  const head = (removable) => el("thead", {}, el("tr", {}, el("th", {}, ""), chosen.map((run) => el("th", { class: "num" }, el("a", { href: link(run) }, run.path.split("/").map((part, i) => i ? [el("br"), part] : part)), removable ? [" ", el("button", { "aria-label": "remove " + run.path, onclick: () => { toggle(run.path, false); show(); } }, "×")] : ""))));
  const better = (key) => ({ larger: Math.max, smaller: Math.min })[DATA.metrics[key]?.better] ?? null;
  const metrics = keys((run) => merits(run.metrics)).map((key) => {
    const values = chosen.map((run) => run.metrics?.[key]), there = values.filter((value) => value !== undefined && value !== null);
    const best = better(key) && new Set(there).size > 1 ? better(key)(...there) : null;
    return el("tr", {}, el("td", {}, words(key)), values.map((value) => el("td", { class: "num" + (best !== null && value === best ? " best" : "") }, value === undefined ? "–" : figure(key, value))));
  });
  return [
    el("section", {}, el("div", { class: "lead" }, el("h2", {}, "Side by side"), el("button", { onclick: () => { state.picked.clear(); show(); } }, "Clear")), el("div", { class: "panel scroll" }, el("table", { id: "compare" }, head(true), el("tbody", {}, metrics)))),
    el("section", {}, el("h2", {}, "Where their configurations differ"), chosen.some((run) => !run.config_tree) ? el("p", { class: "soft small" }, "Not every one of these runs has its configuration in this page.") : "", differing.length ? el("div", { class: "panel scroll" }, el("table", {}, head(false), el("tbody", {}, differing.map((key) => el("tr", {}, el("td", { class: "mono" }, key), flats.map((tree) => el("td", { class: "num mono" }, tree[key] === undefined ? "–" : JSON.stringify(tree[key])))))))) : el("div", { class: "panel empty" }, "They do not differ.")),
    curves(chosen),
  ];
}
function flat(tree, prefix = "") {
  return Object.entries(tree).reduce((found, [key, value]) => value && typeof value === "object" && !Array.isArray(value) ? { ...found, ...flat(value, prefix + key + ".") } : { ...found, [prefix + key]: value }, {});
}

/* ---- routing ---- */
function show() {
  const [route, query] = (location.hash.slice(1) || "/").split("?");
  if (query !== undefined) { state.search = decodeURIComponent(query); state.page = 0; }
  const views = { "/": overview, "/tables": tables, "/runs": runs, "/compare": compare };
  const view = route.startsWith("/run/") ? () => one(decodeURIComponent(route.slice(5))) : views[route] || overview;
  main.replaceChildren(...view().filter(Boolean));
  for (const anchor of document.querySelectorAll("nav a")) {
    const here = anchor.getAttribute("href") === "#" + (route.startsWith("/run/") ? "/runs" : route);
    if (here) anchor.setAttribute("aria-current", "page"); else anchor.removeAttribute("aria-current");
  }
  document.title = (route.startsWith("/run/") ? decodeURIComponent(route.slice(5)) : { "/tables": "tables", "/runs": "runs", "/compare": "compare" }[route] || "report") + " · neurobench";
  tray();
  scrollTo(0, 0);
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
addEventListener("hashchange", show);
paint();
show();
