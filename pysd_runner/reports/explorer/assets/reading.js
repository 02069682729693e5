"use strict";

// What is read of the outcomes: of regions and groups of them, weighted by people, or of each element as it is.

function groupsOf(regions) {
  return regions.every((item) => item.group) ? [...new Set(regions.map((item) => item.group))] : [];
}

function regionsOf(record) {
  const { places: regions, money } = record.regions, groups = groupsOf(regions);
  const place = (key) => record.saved.indexOf(key);
  const [OUTPUT, PEOPLE] = [place("output"), place("population")];

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
    if (key === "output_per_head") return (y, p, _, draw) => head(y, p, members, draw) / money;
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
    const { years, output, population } = record.regions.history;
    if (!["output_per_head", "relative_output", "gap_to_leader"].includes(key)) return { times: [], values: [] };
    const read = reading(key, area.members);
    const at = (table) => (row) => (region) => (table[region][row] === null ? NaN : table[region][row]);
    const found = years.map((_, row) => read(at(output)(row), at(population)(row), null, 0) * (key === "output_per_head" ? money : 1));
    return { times: years, values: found };
  }

  // Mean log distance of those behind at the origin below the nation, and output of each region, in the last year.
  function end(outcomes, like = outcomes) {
    const row = record.times.length - 1;
    const y = regions.map((_, region) => outcomes.values(OUTPUT, region, row, like));
    const p = regions.map((_, region) => outcomes.values(PEOPLE, region, row, like));
    const behind = record.regions.behind.flatMap((is, region) => (is ? [region] : []));
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

  return { areas, values, seen, headline };
}

function elementsOf(record) {
  const { outcomes: shown, saved, times, history } = record;

  function areas(_, key) {
    const outcome = shown.find((item) => item.key === key) || shown[0];
    return outcome.elements.map((label, cell) => ({ key: label, label, cell }));
  }

  function values(outcomes, key, area, row, like = outcomes) {
    return outcomes.values(saved.indexOf(key), area.cell, row, like);
  }

  function seen(key, area) {
    const found = history.find((item) => item.outcome === key && item.cell === area.cell) || { times: [], values: [] };
    return { times: found.times, values: found.values.map((item) => (item === null ? NaN : item)), dots: true };
  }

  function headline(outcomes, baseline) {
    const last = times.length - 1;
    return {
      entries: shown.flatMap((item, place) => item.elements.map((element, cell) => {
        const after = outcomes.values(place, cell, last), before = baseline.values(place, cell, last, outcomes);
        return { ...item, element, before: spread(before), after: spread(after), change: spread(minus(after, before)) };
      })),
    };
  }

  return { areas, values, seen, headline };
}

if (typeof module !== "undefined") {
  Object.assign(globalThis, require("./summaries.js"));
  module.exports = { groupsOf, regionsOf, elementsOf };
}
