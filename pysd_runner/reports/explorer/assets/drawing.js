"use strict";

// Charts as SVG, without a library: lines with bands over time, and intervals of many rows.

const SVG = "http://www.w3.org/2000/svg";
const INK = { text: "#1a1a1a", muted: "#595959", grid: "#e3e3e3", rule: "#8c8c8c", up: "#005b94", down: "#b04a00" };
const LOOKS = {
  baseline: { line: "#595959", band: "#8c8c8c", dash: "6 3" },
  a: { line: "#005b94", band: "#2f88c4", dash: "" },
  b: { line: "#b04a00", band: "#e08a3c", dash: "2 2" },
};
const FONT = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif';

function make(kind, attributes, ...children) {
  const node = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function label(x, y, text, more = {}) {
  return make("text", { x, y, fill: INK.muted, "font-size": 12, ...more }, text);
}

function frame(width, height, name) {
  return make("svg", {
    viewBox: `0 0 ${width} ${height}`, width: "100%", role: "img", "aria-label": name, "font-family": FONT, xmlns: SVG,
  });
}

// Round numbers that cut an interval into a few parts.
function ticks(low, high, count = 5) {
  const rough = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + 1e-9 * step; place++) found.push(place * step + 0);
  return found;
}

function scale(low, high, from, to) {
  return (value) => from + ((value - low) / (high - low || 1)) * (to - from);
}

function path(points) {
  let text = "", open = false;
  for (const [x, y] of points) {
    if (!Number.isFinite(y)) { open = false; continue; }
    text += `${open ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`;
    open = true;
  }
  return text;
}

function band(times, lows, highs, x, y) {
  const kept = times.map((_, place) => place).filter((place) => Number.isFinite(lows[place]) && Number.isFinite(highs[place]));
  const there = kept.map((place) => [x(times[place]), y(highs[place])]);
  const back = kept.map((place) => [x(times[place]), y(lows[place])]).reverse();
  return there.length ? `${path([...there, ...back])}Z` : "";
}

// What is drawn, from the lowest to the highest.
function limits(series, points = []) {
  const all = [...points, ...series.flatMap((item) => item.spreads.flatMap(({ low, high }) => [low, high]))].filter(Number.isFinite);
  if (!all.length) return [0, 1];
  const low = Math.min(...all), high = Math.max(...all), room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

// Lines over time with bands. series: look, label, times, spreads; seen: times, values of what was observed.
function fan({ name, series, seen, width, height = 300, format, domain, origin, zero, words }) {
  const svg = frame(width, height, name);
  const left = 64, right = 24, top = 10, bottom = 26;
  const times = [...seen.times, ...series.flatMap((item) => item.times)];
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const x = scale(first, last, left, width - right), y = scale(domain[0], domain[1], height - bottom, top);
  for (const value of ticks(domain[0], domain[1])) {
    svg.append(make("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: INK.grid }));
    svg.append(label(left - 6, y(value) + 4, format(value), { "text-anchor": "end" }));
  }
  const every = ticks(first, last, Math.max(2, Math.floor(width / 90)));
  for (const time of every) svg.append(label(x(time), height - 8, words.time(time), { "text-anchor": "middle" }));
  if (zero) svg.append(make("line", { x1: left, x2: width - right, y1: y(0), y2: y(0), stroke: INK.rule }));
  if (origin !== null && origin > first) {
    svg.append(make("line", { x1: x(origin), x2: x(origin), y1: top, y2: height - bottom, stroke: INK.rule, "stroke-dasharray": "1 3" }));
  }
  for (const item of series) {
    const { band: fill } = LOOKS[item.look];
    const opacity = item.look === "baseline" ? 0.16 : 0.22;
    const of = (read) => item.spreads.map(read);
    svg.append(make("path", { d: band(item.times, of((s) => s.low), of((s) => s.high), x, y), fill, opacity, class: "band" }));
    svg.append(make("path", { d: band(item.times, of((s) => s.inner[0]), of((s) => s.inner[1]), x, y), fill, opacity }));
  }
  for (const item of series) {
    const { line, dash } = LOOKS[item.look];
    const points = item.spreads.map((s, place) => [x(item.times[place]), y(s.middle)]);
    svg.append(make("path", { d: path(points), fill: "none", stroke: line, "stroke-width": 2, "stroke-dasharray": dash, class: `line ${item.look}` }));
  }
  if (seen.dots) {
    seen.times.forEach((time, place) => {
      if (Number.isFinite(seen.values[place])) svg.append(make("circle", { cx: x(time), cy: y(seen.values[place]), r: 2.5, fill: INK.text }));
    });
  } else {
    const points = seen.times.map((time, place) => [x(time), y(seen.values[place])]);
    svg.append(make("path", { d: path(points), fill: "none", stroke: INK.text, "stroke-width": 1.6 }));
  }
  return svg;
}

// A row each: median and interval about zero, filled where it is above and hollow where it is below.
function rows({ name, entries, width, format }) {
  const line = 19, top = 24, left = Math.min(150, width * 0.33), right = 28;
  const height = top + line * entries.length + 8;
  const svg = frame(width, height, name);
  const all = entries.flatMap((entry) => entry.series.flatMap(({ spread: s }) => [s.low, s.high])).filter(Number.isFinite);
  const low = Math.min(0, ...all), high = Math.max(0, ...all);
  const x = scale(low, high, left + 8, width - right);
  for (const value of ticks(low, high, Math.max(2, Math.floor(width / 120)))) {
    svg.append(make("line", { x1: x(value), x2: x(value), y1: top - 6, y2: height - 6, stroke: value === 0 ? INK.rule : INK.grid }));
    svg.append(label(x(value), 12, format(value), { "text-anchor": "middle" }));
  }
  entries.forEach((entry, place) => {
    const middle = top + line * place + line / 2;
    svg.append(label(left, middle + 4, entry.label, { "text-anchor": "end", fill: INK.text }));
    entry.series.forEach(({ look, spread: s }, order) => {
      if (!Number.isFinite(s.middle)) return;
      const at = middle + (entry.series.length > 1 ? (order ? 4 : -3) : 0), colour = LOOKS[look].line;
      svg.append(make("line", { x1: x(s.low), x2: x(s.high), y1: at, y2: at, stroke: colour, "stroke-width": 1.4, opacity: 0.75 }));
      const fill = s.middle < 0 ? "#fff" : colour;
      svg.append(make("circle", { cx: x(s.middle), cy: at, r: 3.6, fill, stroke: colour, "stroke-width": 1.6 }));
    });
  });
  return svg;
}
