"use strict";

// What a policy is in the page, and what it means for the program; constants are assumptions, under the baseline as well.

// Shares this near to one in sum are left as they are, as pysd_runner/scenarios/lowering.py has it.
const SUM_ROUNDING = 1e-12;

function policyOf(record, constants) {
  const { origin, program } = record, { levers, classes, presets, variables, limits } = record.policy;
  const regions = record.regions.places, groups = groupsOf(regions);
  const until = record.times[record.times.length - 1], never = until + 1;
  const weights = (mix) => Object.fromEntries(levers.map(({ key }) => [key, mix[key] || 0]));

  function fromSettings(settings) {
    return {
      budget: settings.budget, start: settings.start, end: settings.end === null ? never : settings.end,
      redistribution: settings.redistribution, evaluated: settings.evaluated, uniform: settings.uniform,
      mix: weights(settings.mix),
      mixes: Object.fromEntries(classes.map(({ key }) => [key, weights(settings.mixes[key] || settings.mix)])),
      windows: Object.fromEntries(settings.off.map((key) => [key, [never, never]])),
      classes: settings.classes || classes.map(({ key }) => key), groups: settings.groups || [...groups],
      changes: {}, preset: "",
    };
  }

  function preset(name) {
    const found = presets.find((item) => item.name === name);
    return { ...fromSettings(found ? found.policy : record.policy.root), preset: found ? name : "" };
  }

  function shares(mix) {
    const total = levers.reduce((sum, { key }) => sum + mix[key], 0);
    if (Math.abs(total - 1) <= SUM_ROUNDING) return levers.map(({ key }) => mix[key]);
    return levers.map(({ key }) => (total > 0 ? mix[key] / total : 1 / levers.length));
  }

  const policyWindow = (scenario) => [scenario.start, Math.max(scenario.end, scenario.start)];
  const leverWindow = (scenario, key) => scenario.windows[key] || policyWindow(scenario);
  const isOn = ([from, to], time) => time >= from - 1e-9 && time < to - 1e-9;

  function changes(scenario) {
    const times = program.times, path = { times, interpolate: "step" };
    const one = (key, ...values) => ({ name: variables[key], values: Float64Array.from(values) });
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
      ...constants.changes(scenario),
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
        { id: "budget", label: say("budget"), min: 0, max: 100 * limits.budget, step: 0.05, value: 100 * scenario.budget,
          text: () => say("budget_text", { share: say.number(100 * scenario.budget, 2) }), set: (s, value) => { s.budget = short(value / 100); } },
        { id: "start", label: say("start"), min: origin + 1, max: until, step: 1, value: scenario.start, text: () => year(scenario.start), set: (s, value) => { s.start = value; } },
        { id: "end", label: say("end"), min: origin + 1, max: never, step: 1, value: scenario.end, text: () => year(scenario.end), set: (s, value) => { s.end = value; } },
      ],
    };
    const [lowest, highest] = limits.redistribution;
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
    return [money, who, what, when, ...constants.controls(scenario, say)];
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
    const assumed = constants.yaml(scenario);
    if (assumed.length) lines.push("assumptions:", ...assumed);
    return `${lines.join("\n")}\n`;
  }

  return {
    preset, changes, controls, yaml, baseline: constants.changes,
    start: () => preset(presets.length ? presets[0].name : ""), second: () => preset(presets.length > 1 ? presets[1].name : ""),
    nothing: (scenario) => scenario.budget === 0 || scenario.end <= scenario.start || !scenario.classes.length || (groups.length > 0 && !scenario.groups.length),
  };
}

if (typeof module !== "undefined") {
  Object.assign(globalThis, require("./summaries.js"), require("./reading.js"));
  module.exports = { policyOf };
}
