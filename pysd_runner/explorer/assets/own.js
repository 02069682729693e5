"use strict";

// Any other model: its constants are the controls, its outcomes are drawn as they are.

function ownModel(record) {
  const { controls: constants, times } = record;

  function value(scenario, item) {
    return scenario.changes[item.name] ?? (item.relative ? 1 : item.value);
  }

  function changes(scenario) {
    const byVariable = new Map();
    for (const item of constants) {
      if (!(item.name in scenario.changes)) continue;
      const key = `${item.variable}|${item.relative}`;
      if (!byVariable.has(key)) byVariable.set(key, { name: item.variable, cells: [], relative: item.relative });
      byVariable.get(key).cells.push([item.cell, scenario.changes[item.name]]);
    }
    return [...byVariable.values()];
  }

  function controls(scenario, say) {
    return [{
      title: say("constants"),
      note: record.fitted ? say("constants_fitted") : "",
      controls: constants.map((item) => ({
        id: `constant.${item.name}`, label: item.label === item.name ? item.name : `${item.label} (${item.name})`,
        min: item.lower, max: item.upper, step: fine(item.lower, item.upper), value: value(scenario, item),
        text: () => (item.relative ? `×${say.number(value(scenario, item))}` : `${say.number(value(scenario, item))} ${item.unit}`),
        set: (s, number) => { s.changes[item.name] = number; }, unset: (s) => { delete s.changes[item.name]; },
      })),
    }];
  }

  function areas(_, key) {
    const outcome = record.outcomes.find((item) => item.key === key) || record.outcomes[0];
    return outcome.elements.map((label, cell) => ({ key: label, label, cell }));
  }

  function values(outcomes, key, area, row, like = outcomes) {
    return outcomes.values(record.outcomes.findIndex((item) => item.key === key), area.cell, row, like);
  }

  function seen(key, area) {
    const found = record.history.find((item) => item.outcome === key && item.cell === area.cell);
    return found ? { times: found.times, values: found.values.map((item) => (item === null ? NaN : item)), dots: true } : { times: [], values: [], dots: true };
  }

  function headline(outcomes, baseline) {
    const last = times.length - 1;
    return {
      entries: record.outcomes.flatMap((item, place) => item.elements.map((element, cell) => {
        const after = outcomes.values(place, cell, last), before = baseline.values(place, cell, last, outcomes);
        return { key: item.key, label: element ? `${item.label} [${element}]` : item.label, unit: item.unit, before: spread(before), after: spread(after), change: spread(minus(after, before)) };
      })),
    };
  }

  function yaml(scenario, name) {
    const lines = Object.entries(scenario.changes).map(([key, amount]) => {
      const item = constants.find((other) => other.name === key);
      return `  ${JSON.stringify(key)}: ${item && item.relative ? `x${plain(amount)}` : amount}`;
    });
    return ["schema: 2", `name: ${name}`, ...(lines.length ? ["changes:", ...lines] : ["changes: {}"]), ""].join("\n");
  }

  function plain(amount) {
    return String(amount);
  }

  return {
    origin: null, times, changes, controls, areas, values, seen, headline, yaml,
    baseline: () => [], start: () => ({ changes: {} }), second: () => ({ changes: {} }),
    nothing: (scenario) => !Object.keys(scenario.changes).length, percent: () => false,
  };
}

if (typeof module !== "undefined") {
  Object.assign(globalThis, require("./summaries.js"));
  module.exports = { ownModel };
}
