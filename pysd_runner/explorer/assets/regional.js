"use strict";

// The regional model: what a policy is in the page, what it means for the program, and what is read of the outcomes.

// Shares this near to one in sum are left as they are, as pysd_runner/scenarios/lowering.py has it.
const SUM_ROUNDING = 1e-12;

function regionalModel(record) {
  const { levers, classes, regions, years, program } = record;
  const origin = years[0], until = years[years.length - 1];
  const never = until + 1;
  const place = (key) => record.saved.indexOf(key);
  const [OUTPUT, PEOPLE] = [place("output"), place("population")];
  const groups = regions.every((item) => item.group) ? [...new Set(regions.map((item) => item.group))] : [];
  const weights = (mix) => Object.fromEntries(levers.map(({ key }) => [key, mix[key] || 0]));

  function fromSettings(settings) {
    return {
      budget: settings.budget, start: settings.start, end: settings.end === null ? never : settings.end,
      redistribution: settings.redistribution, evaluated: settings.evaluated, uniform: settings.uniform,
      mix: weights(settings.mix),
      mixes: Object.fromEntries(classes.map(({ key }) => [key, weights(settings.mixes[key] || settings.mix)])),
      windows: Object.fromEntries(settings.off.map((key) => [key, [never, never]])),
      classes: settings.classes || classes.map(({ key }) => key), groups: settings.groups || [...groups],
      assumptions: {}, preset: "",
    };
  }

  function preset(name) {
    const found = record.presets.find((item) => item.name === name);
    return { ...fromSettings(found ? found.policy : record.root), preset: found ? name : "" };
  }

  function shares(mix) {
    const total = levers.reduce((sum, { key }) => sum + mix[key], 0);
    if (Math.abs(total - 1) <= SUM_ROUNDING) return levers.map(({ key }) => mix[key]);
    return levers.map(({ key }) => (total > 0 ? mix[key] / total : 1 / levers.length));
  }

  const policyWindow = (scenario) => [scenario.start, Math.max(scenario.end, scenario.start)];
  const leverWindow = (scenario, key) => scenario.windows[key] || policyWindow(scenario);
  const isOn = ([from, to], time) => time >= from - 1e-9 && time < to - 1e-9;

  function assumptionsOf(scenario) {
    return Object.entries(scenario.assumptions).map(([name, value]) => ({ name, cells: [[null, value]], relative: false }));
  }

  function changes(scenario) {
    const times = program.times, path = { times, interpolate: "step" };
    const one = (key, ...values) => ({ name: record.variables[key], values: Float64Array.from(values) });
    const mixes = classes.map(({ key }) => shares(scenario.uniform ? scenario.mix : scenario.mixes[key]));
    const uniform = shares(scenario.mix);
    const budget = times.map((time) => (isOn(policyWindow(scenario), time) ? scenario.budget : 0));
    const active = times.flatMap((time) => levers.map(({ key }) => (!scenario.windows[key] || isOn(scenario.windows[key], time) ? 1 : 0)));
    return [
      { ...one("budget", ...budget), path },
      { ...one("levers", ...active), path },
      one("start", scenario.start),
      one("mix", ...uniform),
      one("class_mixes", ...levers.flatMap((_, lever) => mixes.map((mix) => mix[lever]))),
      one("differentiation", scenario.uniform ? 0 : 1),
      one("redistribution", scenario.redistribution),
      one("rolling_evaluation", scenario.evaluated ? 1 : 0),
      one("targets.classes", ...classes.map(({ key }) => (scenario.classes.includes(key) ? 1 : 0))),
      one("targets.regions", ...regions.map((item) => (!groups.length || scenario.groups.includes(item.group) ? 1 : 0))),
      ...assumptionsOf(scenario),
    ];
  }

  // Controls ------------------------------------------------------------------------------------------------------

  function mixControls(say, mix, id, folded, title) {
    const parts = levers.map((lever, number) => ({
      id: `${id}.${lever.key}`, label: lever[say.lang], min: 0, max: 100, step: 1, value: 100 * mix[lever.key],
      text: () => say.percent(shares(mix)[number]), set: (_, value) => { mix[lever.key] = short(value / 100); },
    }));
    return { title, folded, controls: parts };
  }

  function controls(scenario, say) {
    const year = (value) => (value > until ? say("to_the_end") : String(value));
    const money = {
      title: say("money"),
      controls: [
        { id: "budget", label: say("budget"), min: 0, max: 100 * record.limits.budget, step: 0.05, value: 100 * scenario.budget,
          text: () => say("budget_text", { share: say.number(100 * scenario.budget, 2) }), set: (s, value) => { s.budget = short(value / 100); } },
        { id: "start", label: say("start"), min: origin + 1, max: until, step: 1, value: scenario.start, text: () => year(scenario.start), set: (s, value) => { s.start = value; } },
        { id: "end", label: say("end"), min: origin + 1, max: never, step: 1, value: scenario.end, text: () => year(scenario.end), set: (s, value) => { s.end = value; } },
      ],
    };
    const [lowest, highest] = record.limits.redistribution;
    const toggle = (list, key, on) => (on ? [...list, key] : list.filter((item) => item !== key));
    const boxes = (kind, entries) => entries.map(({ key, text }) => ({
      id: `${kind}.${key}`, kind: "box", label: text, value: scenario[kind].includes(key), set: (s, on) => { s[kind] = toggle(s[kind], key, on); },
    }));
    const who = {
      title: say("who"),
      controls: [
        { id: "redistribution", label: say("redistribution"), min: lowest, max: highest, step: 0.1, value: scenario.redistribution,
          text: () => say(scenario.redistribution < -0.5 ? "by_output" : scenario.redistribution < 0.5 ? "per_head" : "by_need", { value: say.number(scenario.redistribution, 1) }),
          set: (s, value) => { s.redistribution = value; } },
        { kind: "set", label: say("classes"), controls: boxes("classes", classes.map((item) => ({ key: item.key, text: item[say.lang] }))) },
        ...(groups.length > 1 ? [{ kind: "set", label: say("groups"), controls: boxes("groups", groups.map((key) => ({ key, text: say.group(key) }))) }] : []),
        { id: "rolling", kind: "box", label: say("rolling"), value: scenario.evaluated, set: (s, on) => { s.evaluated = on; } },
      ],
    };
    const what = {
      title: say("what"),
      controls: [{ id: "uniform", kind: "box", label: say("uniform"), value: scenario.uniform, reshapes: true, set: (s, on) => { s.uniform = on; } }],
      groups: scenario.uniform
        ? [mixControls(say, scenario.mix, "mix", false, say("mix_all"))]
        : classes.map((item, number) => mixControls(say, scenario.mixes[item.key], `mixes.${item.key}`, number > 0, item[say.lang])),
    };
    const when = {
      title: say("when"), folded: true,
      controls: levers.flatMap((lever) => [0, 1].map((side) => ({
        id: `window.${lever.key}.${side}`, label: say(side ? "lever_end" : "lever_start", { lever: lever[say.lang] }),
        min: origin + 1, max: never, step: 1, value: leverWindow(scenario, lever.key)[side],
        text: () => { const window = leverWindow(scenario, lever.key); return window[0] >= window[1] ? say("off") : year(window[side]); },
        set: (s, value) => { const window = [...leverWindow(s, lever.key)]; window[side] = value; s.windows[lever.key] = window; },
      }))),
    };
    const assumed = (role, title, note) => ({
      title, note, folded: true,
      controls: record.assumptions.filter((item) => item.role === role).map((item) => ({
        id: `assumption.${item.variable}`, label: item[say.lang], min: item.lower, max: item.upper, step: fine(item.lower, item.upper),
        value: scenario.assumptions[item.variable] ?? item.value,
        text: () => (item.variable in scenario.assumptions ? `${say.number(scenario.assumptions[item.variable])} ${item.unit === "Dmnl" ? "" : item.unit}`.trim() : say("as_drawn")),
        set: (s, value) => { s.assumptions[item.variable] = value; }, unset: (s) => { delete s.assumptions[item.variable]; },
      })),
    });
    return [money, who, what, when, assumed("COST", say("costs"), say("costs_note")), assumed("ASM", say("assumptions"), say("assumptions_note"))];
  }

  // Outcomes --------------------------------------------------------------------------------------------------------

  function areas(say) {
    return [
      { key: "nation", label: say("nation"), members: regions.map((_, number) => number) },
      ...groups.map((group) => ({ key: `group ${group}`, label: say.group(group), members: regions.flatMap((item, number) => (item.group === group ? [number] : [])) })),
      ...regions.map((item, number) => ({ key: item.code, label: item[say.lang], members: [number] })),
    ];
  }

  // A number of each draw from outputs and people of all regions, or a mean weighted by people.
  function reading(key, members) {
    const sum = (read, which, draw) => which.reduce((total, region) => total + read(region, draw), 0);
    const all = regions.map((_, region) => region);
    const head = (y, p, which, draw) => sum(y, which, draw) / sum(p, which, draw);
    if (key === "output_per_head") return (y, p, _, draw) => head(y, p, members, draw) / record.money;
    if (key === "relative_output") return (y, p, _, draw) => head(y, p, members, draw) / head(y, p, all, draw);
    if (key === "gap_to_leader") {
      return (y, p, _, draw) => 1 - head(y, p, members, draw) / Math.max(...all.map((region) => y(region, draw) / p(region, draw)));
    }
    return (_, p, own, draw) => members.reduce((total, region) => total + own(region, draw) * p(region, draw), 0) / sum(p, members, draw);
  }

  function values(outcomes, key, area, row, like = outcomes) {
    const columns = (name) => {
      if (place(name) < 0) return null;
      const found = regions.map((_, region) => outcomes.values(place(name), region, row, like));
      return (region, draw) => found[region][draw];
    };
    const [y, p, own] = [columns("output"), columns("population"), columns(key)];
    const read = reading(key, area.members);
    return Float64Array.from({ length: like.draws }, (_, draw) => read(y, p, own, draw));
  }

  function seen(key, area) {
    const { years: times, output, population } = record.history;
    if (!["output_per_head", "relative_output", "gap_to_leader"].includes(key)) return { times: [], values: [] };
    const read = reading(key, area.members);
    const at = (table) => (row) => (region) => (table[region][row] === null ? NaN : table[region][row]);
    const found = times.map((_, row) => read(at(output)(row), at(population)(row), null, 0) * (key === "output_per_head" ? record.money : 1));
    return { times, values: found };
  }

  // Mean log distance of those behind at the origin below the nation, and output of each region, in the last year.
  function end(outcomes, like = outcomes) {
    const row = years.length - 1;
    const y = regions.map((_, region) => outcomes.values(OUTPUT, region, row, like));
    const p = regions.map((_, region) => outcomes.values(PEOPLE, region, row, like));
    const behind = record.behind.flatMap((is, region) => (is ? [region] : []));
    const sum = (table, draw) => table.reduce((total, column) => total + column[draw], 0);
    const draws = Array.from({ length: like.draws }, (_, draw) => draw);
    const nation = draws.map((draw) => Math.log(sum(y, draw) / sum(p, draw)));
    const gap = draws.map((draw) => 100 * (nation[draw] - behind.reduce((total, region) => total + Math.log(y[region][draw] / p[region][draw]), 0) / behind.length));
    return { gap, output: draws.map((draw) => sum(y, draw)), heads: y.map((column, region) => draws.map((draw) => column[draw] / p[region][draw])) };
  }

  function headline(outcomes, baseline) {
    const [after, before] = [end(outcomes), end(baseline, outcomes)];
    const changed = (now, then) => now.map((value, draw) => 100 * (value / then[draw] - 1));
    const byRegion = regions.map((item, region) => {
      const draws = changed(after.heads[region], before.heads[region]);
      return { item, spread: spread(draws), worse: share(draws, (value) => value < -1e-9), better: share(draws, (value) => value > 1e-9) };
    });
    return {
      closed: spread(before.gap.map((value, draw) => value - after.gap[draw])),
      narrows: share(before.gap.map((value, draw) => value - after.gap[draw]), (value) => value > 0),
      output: spread(changed(after.output, before.output)),
      byRegion,
      gains: byRegion.filter(({ better }) => better > 0.5).sort((left, right) => right.spread.middle - left.spread.middle),
      loses: byRegion.filter(({ worse }) => worse > 0.5).sort((left, right) => left.spread.middle - right.spread.middle),
    };
  }

  // What `gapsim run` reads -------------------------------------------------------------------------------------------

  function yaml(scenario, name) {
    const map = (pairs) => `{${pairs.map(([key, value]) => `${key}: ${value}`).join(", ")}}`;
    const mixed = (mix) => map(levers.map(({ key }, number) => [key, shares(mix)[number]]));
    const ends = scenario.end > until ? "" : `, ${scenario.end}: 0`;
    const lines = [
      "schema: 1", `name: ${name}`, "extends: baseline", "policy:", `  start: ${scenario.start}`,
      scenario.end > until ? `  budget: ${scenario.budget}` : `  budget: {${scenario.start}: ${scenario.end > scenario.start ? scenario.budget : 0}${scenario.end > scenario.start ? ends : ""}}`,
      `  differentiation: ${scenario.uniform ? 0 : 1}`, `  mix: ${mixed(scenario.mix)}`, "  class_mixes:",
      ...classes.map(({ key }) => `    ${key}: ${mixed(scenario.mixes[key])}`),
      `  redistribution: ${scenario.redistribution}`, `  rolling_evaluation: ${scenario.evaluated}`,
    ];
    const windows = Object.entries(scenario.windows).map(([key, [from, to]]) => {
      const path = [[from, "on"], ...(to > until ? [] : [[to, "off"]])];
      return `    ${key}: ${from >= to || from > until ? "off" : map(path)}`;
    });
    if (windows.length) lines.push("  levers:", ...windows);
    const targets = [];
    if (scenario.classes.length < classes.length) targets.push(`    classes: [${scenario.classes.join(", ")}]`);
    if (groups.length && scenario.groups.length < groups.length) targets.push(`    groups: ${JSON.stringify(scenario.groups)}`);
    if (targets.length) lines.push("  targets:", ...targets);
    const assumed = Object.entries(scenario.assumptions);
    if (assumed.length) lines.push("assumptions:", ...assumed.map(([key, value]) => `  ${JSON.stringify(key)}: ${value}`));
    return `${lines.join("\n")}\n`;
  }

  return {
    origin, times: years, never, preset, changes, controls, areas, values, seen, headline, yaml,
    baseline: assumptionsOf, start: () => preset(record.presets.length ? record.presets[0].name : ""),
    second: () => preset(record.presets.length > 1 ? record.presets[1].name : ""),
    nothing: (scenario) => scenario.budget === 0 || scenario.end <= scenario.start || !scenario.classes.length || (groups.length > 0 && !scenario.groups.length),
    percent: (key) => ["relative_output", "gap_to_leader", "access", "skills", "application"].includes(key),
  };
}

if (typeof module !== "undefined") {
  Object.assign(globalThis, require("./summaries.js"));
  module.exports = { regionalModel };
}
