"use strict";

// Constants of the model as sliders: single cells, multiples of what was estimated, or what is the same in all draws.

function constantsOf(record) {
  const all = record.constants.flatMap(({ entries }) => entries);
  const moved = (scenario) => all.filter(({ name }) => name in scenario.changes);
  const value = (scenario, item) => scenario.changes[item.name] ?? (item.relative ? 1 : item.value);

  function changes(scenario) {
    const byVariable = new Map();
    for (const item of moved(scenario)) {
      const key = `${item.variable}|${item.relative}`;
      if (!byVariable.has(key)) byVariable.set(key, { name: item.variable, cells: [], relative: item.relative });
      byVariable.get(key).cells.push([item.cell, scenario.changes[item.name]]);
    }
    return [...byVariable.values()];
  }

  function text(scenario, item, say) {
    if (item.drawn && !(item.name in scenario.changes)) return say("as_drawn");
    const number = say.number(value(scenario, item));
    return item.relative ? `×${number}` : `${number} ${item.unit}`.trim();
  }

  function controls(scenario, say) {
    return record.constants.map(({ title, note, folded, entries }) => ({
      title: say(title), note: note ? say(note) : "", folded,
      controls: entries.map((item) => ({
        id: `constant.${item.name}`, label: item[say.lang],
        min: item.lower, max: item.upper, step: fine(item.lower, item.upper), value: value(scenario, item),
        text: () => text(scenario, item, say),
        set: (s, number) => { s.changes[item.name] = number; }, unset: (s) => { delete s.changes[item.name]; },
      })),
    }));
  }

  function yaml(scenario) {
    return moved(scenario).map((item) => `  ${JSON.stringify(item.name)}: ${item.relative ? "x" : ""}${scenario.changes[item.name]}`);
  }

  return { changes, controls, yaml, none: (scenario) => !moved(scenario).length };
}

// What a scenario is where there are no policies: changes of constants, beside none.
function changesOf(constants) {
  return {
    changes: constants.changes, controls: constants.controls, baseline: () => [], nothing: constants.none,
    start: () => ({ changes: {} }), second: () => ({ changes: {} }),
    yaml(scenario, name) {
      const lines = constants.yaml(scenario);
      return ["schema: 2", `name: ${name}`, ...(lines.length ? ["changes:", ...lines] : ["changes: {}"]), ""].join("\n");
    },
  };
}

if (typeof module !== "undefined") {
  Object.assign(globalThis, require("./summaries.js"));
  module.exports = { constantsOf, changesOf };
}
