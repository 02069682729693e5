"use strict";

// The page: state, controls, and what is drawn of the outcomes.

const QUICK = 16, REST = 250, MOST_WORKERS = 4;

const html = (kind, attributes = {}, ...children) => {
  const node = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
};

// Texts and numbers in the language of the reader.
function speaker(record, lang) {
  const texts = record.texts[lang], locale = lang === "zh" ? "zh-CN" : "en";
  const say = (key, blanks = {}) => texts[key].replace(/\{(\w+)\}/g, (_, name) => String(blanks[name]));
  say.lang = lang;
  say.number = (value, digits) => {
    if (!Number.isFinite(value)) return "–";
    const style = digits === undefined ? { maximumSignificantDigits: 4 } : { minimumFractionDigits: 0, maximumFractionDigits: digits };
    const large = Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4);
    return new Intl.NumberFormat(locale, large ? { maximumSignificantDigits: 4, notation: lang === "zh" && Math.abs(value) >= 1 ? "compact" : Math.abs(value) >= 1 ? "compact" : "scientific" } : style).format(value + 0).replace(/^-0$/, "0").replace(/^-/, "−");
  };
  say.signed = (value, digits) => (value > 0 ? "+" : "") + say.number(value, digits);
  say.percent = (value) => `${say.number(100 * value, 1)} %`;
  say.group = (key) => record.regions.groups[key][lang];
  say.list = (items) => new Intl.ListFormat(locale, { type: "conjunction" }).format(items);
  return say;
}

// Workers, each with a share of the draws; without workers everything runs here.
class Pool {
  constructor(record, numbers, code) {
    const { lanes } = record.program;
    const wanted = Math.min(navigator.hardwareConcurrency || 2, MOST_WORKERS, Math.ceil(record.draws / lanes));
    const size = Math.ceil(record.draws / wanted / lanes) * lanes;
    this.jobs = [];
    for (let first = 0; first < record.draws; first += size) {
      this.jobs.push({ program: record.program, inputs: record.inputs, numbers, code, first, count: Math.min(size, record.draws - first), draws: record.draws });
    }
    this.cells = record.program.outputs.map(({ cells }) => cells);
    this.rows = record.program.saved.reduce((sum, kept) => sum + kept, 0);
    this.count = 0;
  }

  async open() {
    const source = `${document.getElementById("shared").textContent}\nwork();`;
    try {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      this.workers = await Promise.all(this.jobs.map((job) => new Promise((resolve, reject) => {
        const worker = new Worker(url);
        worker.onerror = reject;
        worker.onmessage = ({ data }) => (data.ready ? resolve(worker) : reject(new Error(data.error)));
        worker.postMessage({ job });
      })));
      URL.revokeObjectURL(url);
    } catch {
      this.workers = null;
      this.runners = this.jobs.map((job) => new Runner(job));
    }
  }

  async run(scenarios, draws) {
    const share = Math.ceil(draws / this.jobs.length);
    const parts = await Promise.all(this.jobs.map((_, number) => this.ask(number, scenarios, share)));
    return scenarios.map((changes, place) => (changes === null ? null : new Outcomes(parts.map((part) => part[place]), this.cells, this.rows)));
  }

  ask(number, scenarios, draws) {
    if (!this.workers) return scenarios.map((changes) => (changes === null ? null : this.runners[number].run(changes, draws)));
    const worker = this.workers[number], id = ++this.count;
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => { if (data.id === id) (data.error ? reject(new Error(data.error)) : resolve(data.found)); };
      worker.postMessage({ id, scenarios, draws });
    });
  }
}

class Page {
  constructor(record, pool) {
    this.record = record;
    this.pool = pool;
    this.when = (time) => (record.dated ? new Date(time * 864e5).toISOString().slice(0, 10) : String(time)); // days since 1970
    const constants = constantsOf(record);
    this.model = {
      times: record.times,
      ...(record.regions ? regionsOf(record) : elementsOf(record)),
      ...(record.policy ? policyOf(record, constants) : changesOf(constants)),
    };
    this.baselines = new Map();
    this.domains = {};
    this.state = this.initial();
    this.restore();
    this.say = speaker(record, this.state.lang);
  }

  initial() {
    const { model, record } = this;
    // What was observed stands first.
    const seen = record.history?.[0], outcome = seen?.outcome ?? record.outcomes[0].key;
    const areas = model.areas(speaker(record, record.lang), outcome), area = areas.find(({ cell }) => seen && cell === seen.cell) || areas[0];
    return { lang: record.lang, slot: "a", both: false, outcome, area: area.key, a: model.start(), b: model.second() };
  }

  // State in the link -------------------------------------------------------------------------------------------------

  restore() {
    try {
      const text = decodeURIComponent(escape(atob(location.hash.slice(1).replace(/-/g, "+").replace(/_/g, "/"))));
      this.state = tidy(JSON.parse(text), this.initial());
      if (!["en", "zh"].includes(this.state.lang)) this.state.lang = this.record.lang;
      if (this.state.slot !== "b") this.state.slot = "a";
      if (!this.record.outcomes.some(({ key }) => key === this.state.outcome)) this.state.outcome = this.record.outcomes[0].key;
      for (const slot of ["a", "b"]) this.bounded(this.state[slot]);
    } catch {
      this.state = this.initial();
    }
  }

  // Numbers of a link are kept within the limits of their controls, and names the model does not have are dropped.
  bounded(scenario) {
    const known = { windows: new Set((this.record.policy?.levers || []).map(({ key }) => key)), changes: new Set(this.record.constants.flatMap(({ entries }) => entries).map(({ name }) => name)) };
    for (const [part, names] of Object.entries(known)) {
      for (const key of Object.keys(scenario[part] || {})) {
        const value = scenario[part][key], fits = part === "windows" ? Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) : Number.isFinite(value);
        if (!names.has(key) || !fits) delete scenario[part][key];
      }
    }
    const visit = (group) => {
      for (const control of group.controls || []) {
        if (control.kind === "set") visit(control);
        else if (control.kind === undefined && (control.value < control.min || control.value > control.max)) control.set(scenario, Math.min(Math.max(control.value, control.min), control.max));
      }
      (group.groups || []).forEach(visit);
    };
    this.model.controls(scenario, speaker(this.record, this.state.lang)).forEach(visit);
  }

  remember() {
    const text = btoa(unescape(encodeURIComponent(JSON.stringify(this.state)))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    try { history.replaceState(null, "", `#${text}`); } catch { location.hash = text; }
  }

  get scenario() { return this.state[this.state.slot]; }
  // Where no scenario that is shown changes anything, the levels of the model stand in place of differences of nought.
  get unchanged() { return !this.record.policy && this.slots.every((slot) => this.model.nothing(this.state[slot])); }
  get slots() { return this.state.both ? ["a", "b"] : [this.state.slot]; }
  slotName(slot) {
    const found = (this.record.policy?.presets || []).find(({ name }) => name === this.state[slot].preset);
    const name = this.say(`scenario_${slot}`);
    return found ? this.say("named", { name, preset: found[this.say.lang] }) : name;
  }

  // Running -----------------------------------------------------------------------------------------------------------

  // The last request counts: while one is being run, those in between are dropped.
  async request(quick) {
    clearTimeout(this.later);
    if (quick) this.later = setTimeout(() => this.request(false), REST);
    this.wanted = { quick, at: performance.now() };
    if (this.running) return this.running;
    this.running = (async () => {
      while (this.wanted) {
        const { quick: fast, at } = this.wanted;
        this.wanted = null;
        await this.once(fast && this.record.draws > QUICK);
        this.timing = performance.now() - at;
        document.documentElement.dataset.redraw = this.timing.toFixed(1);
        document.documentElement.dataset.state = fast ? "moving" : "rest";
      }
      this.running = null;
    })();
    return this.running;
  }

  async once(fast) {
    const { model, state } = this, draws = fast ? QUICK : this.record.draws;
    const slots = this.slots, keys = slots.map((slot) => JSON.stringify(model.baseline(state[slot])));
    const asked = slots.flatMap((slot, number) => [this.baselines.has(keys[number]) ? null : model.baseline(state[slot]), model.changes(state[slot])]);
    let found;
    try {
      found = await this.pool.run(asked, draws);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.found = {};
    slots.forEach((slot, number) => {
      const fresh = found[2 * number], key = keys[number];
      if (fresh && !fast) this.baselines.set(key, fresh);
      if (this.baselines.size > 8) this.baselines.delete([...this.baselines.keys()].find((other) => other !== "[]"));
      this.found[slot] = { baseline: fresh || this.baselines.get(key), outcomes: found[2 * number + 1], fresh: fast };
    });
    this.draw(fast);
  }

  fail(error) {
    this.parts.warning.replaceChildren(html("p", { class: "warning" }, this.say("failed", { reason: error.message })));
  }

  // Controls ----------------------------------------------------------------------------------------------------------

  build() {
    const { say, record, state } = this;
    document.documentElement.lang = say.lang === "zh" ? "zh-CN" : "en";
    document.title = record.title[say.lang];
    const other = say.lang === "en" ? "zh" : "en";
    const act = (key, action) => html("button", { type: "button", id: `do-${key}`, onclick: action }, say(key));
    this.parts = Object.fromEntries(["controls", "answer", "sentence", "warning", "cards", "fan", "more", "difference", "regions"].map((name) => [name, html("div", { id: name })]));
    Object.assign(this.parts.sentence, { className: "sentence first" });
    this.parts.sentence.setAttribute("aria-live", "polite");
    this.parts.answer.className = this.parts.difference.className = this.parts.more.className = "first";
    this.parts.answer.replaceChildren(...(record.policy?.told?.answer?.[say.lang] || []).map((text) => html("p", { class: "lead" }, text)));
    this.parts.warning.className = "first";
    this.parts.warning.setAttribute("role", "status");
    const choice = html("div", { class: "row first" },
      html("label", { for: "outcome" }, say("outcome")), html("select", { id: "outcome", onchange: (event) => this.look({ outcome: event.target.value }) },
        ...record.outcomes.map((item) => html("option", { value: item.key, selected: item.key === state.outcome }, item[say.lang]))),
      html("label", { for: "area" }, say(record.regions ? "area" : "element")), html("select", { id: "area", onchange: (event) => this.look({ area: event.target.value }) }));
    this.parts.area = choice.querySelector("#area");
    this.areas();
    const header = html("header", {},
      html("h1", {}, record.title[say.lang]),
      html("div", { class: "row" }, html("button", { type: "button", id: "language", lang: other === "zh" ? "zh-CN" : "en", onclick: () => this.speak(other) }, record.texts[other].this_language),
        act("link", () => this.copyLink()), act("csv", () => this.saveCsv()), act("svg", () => this.saveSvg()), act("yaml", () => this.saveYaml()), act("print", () => window.print())));
    const results = html("main", { class: "results" }, this.parts.warning, this.parts.answer, choice, this.parts.difference, this.parts.more, this.parts.sentence, this.parts.cards, this.parts.regions, this.parts.fan);
    const side = html("section", { class: "controls", "aria-label": say("controls") }, this.parts.controls);
    document.getElementById("page").replaceChildren(header, html("div", { class: "columns" }, side, results), this.footer());
    this.buildControls();
  }

  areas() {
    const found = this.model.areas(this.say, this.state.outcome);
    if (!found.some(({ key }) => key === this.state.area)) this.state.area = found[0].key;
    this.parts.area.replaceChildren(...found.map((item) => html("option", { value: item.key, selected: item.key === this.state.area }, item.label || this.say("whole"))));
    this.parts.area.disabled = found.length < 2;
  }

  buildControls() {
    const { say, state, record } = this, parts = [];
    const slot = (name) => html("button", { type: "button", id: `slot-${name}`, "aria-pressed": String(state.slot === name), onclick: () => { state.slot = name; this.reshape(); document.getElementById(`slot-${name}`).focus(); } }, say(`scenario_${name}`));
    parts.push(html("div", { class: "row", role: "group", "aria-label": say("which_scenario") }, slot("a"), slot("b")),
      this.box({ id: "both", label: say("both"), value: state.both }, (on) => { state.both = on; this.request(false); }));
    if (record.policy?.presets.length) {
      parts.push(html("div", { class: "control" }, html("label", { for: "preset" }, say("preset")),
        html("select", { id: "preset", style: "width:100%", onchange: (event) => { state[state.slot] = this.model.preset(event.target.value); this.reshape(); document.getElementById("preset").focus(); } },
          html("option", { value: "" }, say("own_mix")), ...record.policy.presets.map((item) => html("option", { value: item.name, selected: item.name === this.scenario.preset }, item[say.lang])))));
    }
    parts.push(...this.model.controls(this.scenario, say).map((group) => this.group(group)));
    parts.push(html("div", { class: "row" }, html("button", { type: "button", id: "reset", onclick: () => { state[state.slot] = state.slot === "a" ? this.model.start() : this.model.second(); this.reshape(); document.getElementById("reset").focus(); } }, say("reset"))));
    this.parts.controls.className = `slot-${state.slot}`;
    this.parts.controls.replaceChildren(...parts);
  }

  group(group) {
    const inner = [group.note ? html("p", { class: "note" }, group.note) : null, ...(group.controls || []).map((item) => this.control(item)), ...(group.groups || []).map((item) => this.group(item))];
    if (!group.folded) return html("fieldset", {}, html("legend", {}, group.title), ...inner);
    return html("details", {}, html("summary", {}, group.title), html("fieldset", {}, html("legend", { class: "hidden" }, group.title), ...inner));
  }

  control(item) {
    if (item.kind === "set") return this.group({ title: item.label, controls: item.controls });
    if (item.kind === "box") return this.box(item, (on) => { item.set(this.scenario, on); this.scenario.preset = ""; if (item.reshapes) this.reshape(item.id); else this.request(false); });
    const output = html("output", { for: item.id }, item.text(this.scenario));
    const input = html("input", { type: "range", id: item.id, min: item.min, max: item.max, step: item.step, value: item.value, "aria-valuetext": item.text(this.scenario) });
    const told = () => this.told.forEach((tell) => tell());
    this.told = this.told || new Set();
    const tell = () => { const text = item.text(this.scenario); output.textContent = text; input.setAttribute("aria-valuetext", text); };
    this.told.add(tell);
    input.addEventListener("input", () => { item.set(this.scenario, Number(input.value)); this.unnamed(); told(); this.request(true); });
    input.addEventListener("change", () => this.request(false));
    const undo = item.unset ? html("button", { type: "button", "aria-label": this.say("undo", { name: item.label }), title: this.say("undo", { name: item.label }), onclick: () => { item.unset(this.scenario); const fresh = this.find(item.id); input.value = fresh.value; told(); this.request(false); } }, "↺") : null;
    return html("div", { class: "control" }, html("div", { class: "name" }, html("label", { for: item.id }, item.label), output), html("div", { class: "pull" }, input, undo));
  }

  find(id) {
    const search = (groups) => groups.flatMap((group) => [...(group.controls || []), ...search(group.groups || [])]);
    return search(this.model.controls(this.scenario, this.say)).find((item) => item.id === id);
  }

  unnamed() {
    if (!this.scenario.preset) return;
    this.scenario.preset = "";
    const chosen = document.getElementById("preset");
    if (chosen) chosen.value = "";
  }

  box(item, set) {
    const input = html("input", { type: "checkbox", id: item.id, checked: item.value, onchange: (event) => set(event.target.checked) });
    return html("div", { class: "box" }, input, html("label", { for: item.id }, item.label));
  }

  reshape(focus) {
    this.told = new Set();
    this.buildControls();
    if (focus) document.getElementById(focus).focus();
    this.request(false);
  }

  look(change) {
    Object.assign(this.state, change);
    this.areas();
    this.domains = {};
    if (this.found) this.draw(false);
  }

  speak(lang) {
    this.state.lang = lang;
    this.say = speaker(this.record, lang);
    this.told = new Set();
    this.build();
    this.draw(false);
    document.getElementById("language").focus();
  }

  // Drawing -----------------------------------------------------------------------------------------------------------

  get area() { return this.model.areas(this.say, this.state.outcome).find(({ key }) => key === this.state.area); }
  get outcome() { return this.record.outcomes.find(({ key }) => key === this.state.outcome); }
  get isPercent() { return Boolean(this.outcome.percent); }
  get unit() { return this.isPercent ? "%" : this.outcome[`unit_${this.say.lang}`] || this.outcome.unit; }
  shown(value) { return this.isPercent ? 100 * value : value; }

  spreads(read) {
    return this.model.times.map((_, row) => {
      const found = spread(read(row));
      return { low: this.shown(found.low), inner: found.inner.map((value) => this.shown(value)), middle: this.shown(found.middle), high: this.shown(found.high) };
    });
  }

  draw(fast) {
    const { model, state } = this, { area } = this, key = state.outcome;
    const own = this.found[state.slot];
    const series = [{ look: "baseline", label: this.say(this.record.policy ? "baseline" : "baseline_own"), times: model.times, spreads: this.spreads((row) => model.values(own.baseline, key, area, row, own.outcomes)) }];
    const differences = [];
    for (const slot of this.slots) {
      const { baseline, outcomes } = this.found[slot];
      const columns = model.times.map((_, row) => model.values(outcomes, key, area, row));
      series.push({ look: slot, label: this.slotName(slot), times: model.times, spreads: this.spreads((row) => columns[row]) });
      differences.push({ look: slot, label: this.slotName(slot), times: model.times, spreads: this.spreads((row) => minus(columns[row], model.values(baseline, key, area, row, outcomes))) });
    }
    const seen = model.seen(key, area);
    this.series = series;
    this.differences = differences;
    this.seen = { ...seen, values: seen.values.map((value) => this.shown(value)) };
    this.heads = Object.fromEntries(this.slots.map((slot) => [slot, model.headline(this.found[slot].outcomes, this.found[slot].baseline)]));
    if (this.unchanged) {
      this.parts.fan.replaceChildren();
      this.drawFan(fast, this.parts.difference, this.parts.more);
    } else {
      this.drawFan(fast);
      this.drawDifference(fast);
    }
    this.drawCards();
    this.drawRegions();
    if (fast) return;
    this.parts.warning.replaceChildren(...this.warnings());
    this.parts.sentence.textContent = this.unchanged ? this.say(this.seen.times.length ? "unchanged_seen" : "unchanged") : this.sentence();
    this.remember();
  }

  // An axis stands still while a slider moves, unless something leaves it.
  domain(name, series, points, fast) {
    const found = limits(series, points), before = this.domains[name];
    this.domains[name] = fast && before ? [Math.min(found[0], before[0]), Math.max(found[1], before[1])] : found;
    return this.domains[name];
  }

  get tall() { return window.innerWidth < 600 ? 230 : 310; }
  width(part) { return Math.max(300, Math.min(1000, part.clientWidth || 640)); }

  title() {
    const outcome = this.outcome[this.say.lang];
    return this.area.label ? this.say("title_of", { outcome, area: this.area.label }) : outcome;
  }

  drawFan(fast, part = this.parts.fan, more = part) {
    const { say } = this, unit = this.unit ? ` (${this.unit})` : "";
    const title = this.title(), series = this.unchanged ? this.series.slice(0, 1) : this.series;
    const chart = fan({
      name: say("fan_name", { title }), series, seen: this.seen, width: this.width(part), height: more === part ? 220 : this.tall,
      format: (value) => say.number(value), origin: this.record.origin, words: { time: this.when },
      domain: this.domain("fan", series, this.seen.values, fast),
    });
    this.block(part, `${title}${unit}`, chart, this.record.draws > 1 ? say("fan_caption", { draws: this.record.draws }) : "", [...series, ...(this.seen.times.length ? [{ look: "seen", label: say("observed") }] : [])], () => this.timeTable(series), more);
  }

  drawDifference(fast) {
    const { say, parts } = this;
    const title = say("difference_title", { title: this.title() }), unit = this.isPercent ? say("points") : this.unit;
    const chart = fan({
      name: say("fan_name", { title }), series: this.differences, seen: { times: [], values: [] }, width: this.width(parts.difference), height: this.tall, zero: true,
      format: (value) => say.signed(value), origin: null, words: { time: this.when }, domain: this.domain("difference", this.differences, [0], fast),
    });
    this.block(parts.difference, `${title}${unit ? ` (${unit})` : ""}`, chart, this.record.draws > 1 ? say("difference_caption") : "", this.differences, () => this.timeTable(this.differences), parts.more);
  }

  drawRegions() {
    const { say, parts, record } = this;
    if (!record.regions) return this.drawEnds();
    const order = this.heads[this.slots[0]].byRegion.map(({ spread: s }, place) => [s.middle, place]).sort((left, right) => right[0] - left[0]).map(([, place]) => place);
    const entries = order.map((place) => ({ label: record.regions.places[place][say.lang], series: this.slots.map((slot) => ({ look: slot, spread: this.heads[slot].byRegion[place].spread })) }));
    const title = say("regions_title", { year: this.model.times.at(-1) });
    const chart = rows({ name: say("regions_name"), entries, width: this.width(parts.regions), format: (value) => `${say.signed(value)} %` });
    this.block(parts.regions, title, chart, say("regions_caption"), this.differences, () => this.regionTable(entries));
    return null;
  }

  // Title, legend, chart, caption and table; a table is made when it is opened, and kept open. The caption and the
  // table of the main chart stand apart, so that on a telephone the chart alone stays in sight.
  block(part, title, chart, caption, series, rows, more = part) {
    const mark = (look) => {
      const { line, dash } = LOOKS[look] || { line: INK.text, dash: "" };
      const dot = look === "seen" && this.seen.dots;
      return make("svg", { viewBox: "0 0 35 10", "aria-hidden": "true" }, dot ? make("circle", { cx: 17, cy: 5, r: 3, fill: line }) : make("line", { x1: 0, x2: 35, y1: 5, y2: 5, stroke: line, "stroke-width": 2.4, "stroke-dasharray": dash }));
    };
    const entry = (item) => { const node = html("li"); node.append(mark(item.look), item.label); return node; };
    const key = html("ul", { class: "key" }, ...series.map(entry));
    const above = [html("h2", {}, title), key, html("figure", {}, chart)];
    const kept = more.querySelector("details"), holder = html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${this.say("table")}: ${title}` });
    const details = kept || html("details", { id: `${part.id}-table` }, html("summary", {}, this.say("table")));
    details.ontoggle = () => { if (details.open) holder.replaceChildren(rows()); };
    [...details.children].slice(1).forEach((node) => node.remove());
    details.append(holder);
    if (details.open) holder.replaceChildren(rows());
    const note = caption ? [html("p", { class: "note" }, caption)] : [];
    const fresh = more === part ? [...above, ...note] : note;
    if (more !== part) part.replaceChildren(...above);
    [...more.children].forEach((node) => { if (node !== details) node.remove(); });
    if (!kept) more.append(details);
    details.before(...fresh);
    more.classList.add("figure-block");
  }

  timeTable(series) {
    const { say } = this, head = [say("time"), ...series.flatMap(({ label: name }) => (this.record.draws > 1 ? [say("median_of", { name }), say("low_of", { name }), say("high_of", { name })] : [name]))];
    const lines = this.model.times.map((time, row) => [this.when(time), ...series.flatMap(({ spreads }) => { const s = spreads[row]; return (this.record.draws > 1 ? [s.middle, s.low, s.high] : [s.middle]).map((value) => say.number(value)); })]);
    return table(head, lines);
  }

  regionTable(entries) {
    const { say } = this, names = this.slots.map((slot) => this.slotName(slot));
    return table([say("region"), ...names.flatMap((name) => [say("median_of", { name }), say("low_of", { name }), say("high_of", { name })])],
      entries.map((entry) => [entry.label, ...entry.series.flatMap(({ spread: s }) => [s.middle, s.low, s.high].map((value) => `${say.signed(value, 2)} %`))]));
  }

  drawEnds() {
    const { say, parts } = this;
    const first = this.heads[this.slots[0]].entries;
    const between = (s) => (this.record.draws > 1 ? `${say.number(s.middle)} (${say.number(s.low)} … ${say.number(s.high)})` : say.number(s.middle));
    const slots = this.unchanged ? [] : this.slots;
    const head = [say("outcome"), say("baseline_own"), ...slots.flatMap((slot) => [say(`scenario_${slot}`), say("difference")])];
    const lines = first.map((entry, place) => [`${entry[say.lang]}${entry.element ? ` [${entry.element}]` : ""}${entry.unit ? ` (${entry.unit})` : ""}`, between(entry.before), ...slots.flatMap((slot) => { const found = this.heads[slot].entries[place]; return [between(found.after), between(found.change)]; })]);
    parts.regions.classList.add("figure-block");
    parts.regions.replaceChildren(html("h2", {}, say("ends_title", { time: this.when(this.model.times.at(-1)) })), html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("ends_title", { time: this.when(this.model.times.at(-1)) }) }, table(head, lines)));
    return null;
  }

  interval(s, digits, unit = "") {
    const { say } = this;
    return this.record.draws > 1 ? say("interval", { middle: say.signed(s.middle, digits), low: say.signed(s.low, digits), high: say.signed(s.high, digits), unit }) : `${say.signed(s.middle, digits)}${unit}`;
  }

  drawCards() {
    const { say, parts } = this;
    if (!this.record.regions) return parts.cards.replaceChildren();
    const card = (title, read, note = "") => html("section", { class: "card" }, html("h3", {}, title), ...this.slots.flatMap((slot) => read(this.heads[slot], slot)), note ? html("p", { class: "note" }, note) : null);
    const fewer = say("card_page", { draws: this.found[this.slots[0]].outcomes.draws });
    const figure = (text, slot, note) => [html("p", { class: `figure ${slot}` }, this.slots.length > 1 ? `${slot.toUpperCase()} ${text}` : text), note ? html("p", { class: "note" }, note) : null].filter(Boolean);
    const names = (entries) => (entries.length ? say.list([...entries.slice(0, 4).map(({ item, spread: s }) => `${item[say.lang]} ${say.signed(s.middle, 1)} %`), ...(entries.length > 4 ? [say("more", { count: entries.length - 4 })] : [])]) : say("nobody"));
    // What the results say of a policy is what the page says: its own draws are fewer.
    const effect = (key, spread, slot, unit, share = "") => {
      const { draws } = this.found[slot].outcomes, own = this.interval(spread, 2, unit), [low, middle, high] = this.record.policy.told?.policies[this.state[slot].preset]?.[key] || [];
      if (middle === undefined) return figure(own, slot, [say("card_page", { draws }), share].filter(Boolean).join(say.lang === "zh" ? "" : " "));
      return figure(this.interval({ low, middle, high }, 2, unit), slot, say("card_results", { draws: this.record.policy.told.draws, few: draws, own }));
    };
    parts.cards.className = "cards";
    parts.cards.replaceChildren(
      card(say("card_gap"), (head, slot) => effect("gap_closed", head.closed, slot, "", say("card_gap_share", { share: say.number(100 * head.narrows, 0) })), say("card_gap_note")),
      card(say("card_output"), (head, slot) => effect("output_change", head.output, slot, " %")),
      card(say("card_gains"), (head, slot) => figure(say("of_regions", { count: head.gains.length, all: head.byRegion.length }), slot, names(head.gains)), fewer),
      card(say("card_loses"), (head, slot) => figure(say("of_regions", { count: head.loses.length, all: head.byRegion.length }), slot, names(head.loses)), fewer));
    return null;
  }

  warnings() {
    const { say, record, model } = this, found = [];
    if (record.forecast === false) found.push(say("no_forecast"));
    for (const slot of this.unchanged ? [] : this.slots) {
      if (model.nothing(this.state[slot])) found.push(say("nothing", { name: say(`scenario_${slot}`) }));
      const baseline = this.found[slot].baseline, forecast = this.baselines.get("[]");
      if (forecast && forecast !== baseline && record.forecast && this.apart(baseline, forecast)) found.push(say("off_forecast", { name: say(`scenario_${slot}`) }));
    }
    return found.map((text) => html("p", { class: "warning" }, text));
  }

  apart(left, right) {
    const row = this.model.times.length - 1;
    return this.record.regions.places.some((_, region) => left.values(0, region, row).some((value, draw) => Math.abs(value / right.values(0, region, row)[draw] - 1) > 1e-9));
  }

  sentence() {
    const { say } = this, last = this.model.times.length - 1;
    return this.slots.map((slot, number) => {
      const s = this.series[number + 1].spreads[last], base = this.series[0].spreads[last], change = this.differences[number].spreads[last];
      const unit = this.isPercent ? " %" : "", points = this.isPercent ? ` ${say("points")}` : "";
      const text = say(this.record.draws === 1 ? "sentence_plain" : this.record.policy ? "sentence" : "sentence_own", {
        name: this.slotName(slot), time: this.when(this.model.times[last]), title: this.title(), middle: say.number(s.middle) + unit, low: say.number(s.low), high: say.number(s.high), draws: this.record.draws,
        baseline: say.number(base.middle) + unit, change: say.signed(change.middle) + points, from: say.signed(change.low), to: say.signed(change.high),
      });
      if (!this.record.regions) return text;
      const { loses, byRegion } = this.heads[slot];
      return `${text}${say.lang === "zh" ? "" : " "}${say("sentence_losers", { count: loses.length, all: byRegion.length })}`;
    }).join(say.lang === "zh" ? "" : " ");
  }

  footer() {
    const { say, record } = this;
    return html("footer", {}, html("p", {}, say("made", { version: record.gapsim, model: record.model.name, hash: record.model.sha256.slice(0, 12), seed: record.seed, draws: record.draws })),
      html("p", {}, say("repeat")), html("p", {}, html("code", {}, record.command)), html("p", {}, say("offline")));
  }

  // What can be taken along ---------------------------------------------------------------------------------------------

  async copyLink() {
    this.remember();
    try {
      await navigator.clipboard.writeText(location.href);
      this.parts.sentence.textContent = this.say("link_copied");
    } catch {
      this.parts.sentence.textContent = this.say("link_in_bar");
    }
  }

  saveCsv() {
    const lines = [["scenario", "outcome", "area", "unit", "time", "median", "p05", "p20", "p80", "p95"]];
    const add = (series, unit, suffix) => series.forEach((item) => item.spreads.forEach((s, row) => lines.push([item.label + suffix, this.outcome[this.say.lang], this.area.label, unit, this.when(this.model.times[row]), s.middle, s.low, s.inner[0], s.inner[1], s.high])));
    add(this.series, this.unit, "");
    add(this.differences, this.isPercent ? this.say("points") : this.unit, ` ${this.say("less_baseline")}`);
    this.seen.times.forEach((time, place) => { if (Number.isFinite(this.seen.values[place])) lines.push([this.say("observed"), this.outcome[this.say.lang], this.area.label, this.unit, this.when(time), this.seen.values[place], "", "", "", ""]); });
    const quoted = (value) => { const text = String(value); const safe = typeof value === "string" && /^[=+\-@\t]/.test(text) ? `'${text}` : text; return /[",\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe; };
    save("explorer.csv", "text/csv", `\ufeff${lines.map((line) => line.map(quoted).join(",")).join("\r\n")}\r\n`);
  }

  saveSvg() { save("explorer.svg", "image/svg+xml", new XMLSerializer().serializeToString(this.parts.difference.querySelector("figure svg"))); }

  saveYaml() {
    const name = `explorer_${this.state.slot}`;
    save(`${name}.yaml`, "application/yaml", `# ${this.record.command.replace("SCENARIO", `${name}.yaml`)}\n${this.model.yaml(this.scenario, name)}`);
  }
}

function table(head, lines) {
  return html("table", {}, html("thead", {}, html("tr", {}, ...head.map((text) => html("th", { scope: "col" }, text)))),
    html("tbody", {}, ...lines.map(([first, ...rest]) => html("tr", {}, html("th", { scope: "row" }, first), ...rest.map((text) => html("td", {}, text))))));
}

function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  html("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// What was stored, in the shape of what is known: anything else is left out.
function tidy(stored, fresh) {
  if (Array.isArray(fresh)) return Array.isArray(stored) ? stored.filter((item) => typeof item === "string") : fresh;
  if (typeof fresh === "object") {
    if (typeof stored !== "object" || stored === null || Array.isArray(stored)) return fresh;
    const keys = Object.keys(fresh);
    if (!keys.length) return { ...stored };
    return Object.fromEntries(keys.map((key) => [key, key in stored ? tidy(stored[key], fresh[key]) : fresh[key]]));
  }
  return typeof stored === typeof fresh && (typeof fresh !== "number" || Number.isFinite(stored)) ? stored : fresh;
}

async function start() {
  const record = JSON.parse(document.getElementById("data").textContent);
  const say = speaker(record, record.lang), place = document.getElementById("page");
  place.replaceChildren(html("p", { class: "results", role: "status" }, say("loading")));
  if (typeof WebAssembly === "undefined" || typeof DecompressionStream === "undefined") {
    place.replaceChildren(html("p", { class: "results", role: "alert" }, say("too_old")));
    return;
  }
  try {
    const [numbers, code] = await Promise.all([unpacked(record.numbers), unpacked(record.code)]);
    const pool = new Pool(record, sorted(numbers), code);
    await pool.open();
    const page = new Page(record, pool);
    window.gapsim = page;
    page.build();
    await page.request(false);
    document.documentElement.dataset.ready = performance.now().toFixed(0);
    window.addEventListener("resize", () => { clearTimeout(page.resized); page.resized = setTimeout(() => page.draw(false), 150); });
    window.addEventListener("hashchange", () => { page.restore(); page.say = speaker(record, page.state.lang); page.told = new Set(); page.build(); page.request(false); });
  } catch (error) {
    place.replaceChildren(html("p", { class: "results", role: "alert" }, say("failed", { reason: error.message })));
  }
}

start();
