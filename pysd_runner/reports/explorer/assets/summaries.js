"use strict";

// Quantiles and indicators of outcomes. A saved outcome is read as value(cell, row, draw).

function quantile(sorted, share) {
  const at = share * (sorted.length - 1), low = Math.floor(at), high = Math.ceil(at);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

// Median and intervals of 60 and 90 per cent of some draws; those that are no number are left out.
function spread(values) {
  const sorted = Float64Array.from(values).filter((value) => value === value).sort();
  if (!sorted.length) return { low: NaN, inner: [NaN, NaN], middle: NaN, high: NaN };
  const at = (share) => quantile(sorted, share);
  return { low: at(0.05), inner: [at(0.2), at(0.8)], middle: at(0.5), high: at(0.95) };
}

function share(values, holds) {
  let count = 0;
  for (const value of values) count += holds(value) ? 1 : 0;
  return count / values.length;
}

// Results of all workers as one: draws of each share stand behind one another.
class Outcomes {
  constructor(parts, cells, rows) {
    this.parts = parts;
    this.cells = cells;
    this.rows = rows;
    this.draws = parts.reduce((sum, part) => sum + part.draws, 0);
  }

  // An outcome in one cell and row, by draw; of each share as many draws as another run has, where one is given.
  values(place, cell, row, like = this) {
    const found = new Float64Array(like.draws);
    let at = 0;
    this.parts.forEach((part, number) => {
      const count = like.parts[number].draws;
      const from = (row * this.cells[place] + cell) * part.draws;
      found.set(part.outcomes[place].subarray(from, from + count), at);
      at += count;
    });
    return found;
  }
}

// A round step of a slider, about a two-hundredth of its range.
function fine(low, high) {
  const rough = (high - low) / 200, power = 10 ** Math.floor(Math.log10(rough));
  return [5, 2, 1].map((factor) => factor * power).find((size) => size <= rough * 1.001) || power;
}

// A number without what rounding left behind its digits.
function short(value) {
  return Number(value.toPrecision(12));
}

function minus(left, right) {
  return left.map((value, place) => value - right[place]);
}

if (typeof module !== "undefined") module.exports = { quantile, spread, share, Outcomes, minus, fine, short };
