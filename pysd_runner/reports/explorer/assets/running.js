"use strict";

// What a page and its workers share: unpacking what was baked, and running scenarios of a share of the draws.

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Numbers whose first bytes stand first, then their second ones, and so on.
function sorted(shuffled) {
  const count = shuffled.length / 8, found = new Uint8Array(shuffled.length);
  for (let byte = 0; byte < 8; byte++) {
    for (let place = 0; place < count; place++) found[8 * place + byte] = shuffled[byte * count + place];
  }
  return new Float64Array(found.buffer);
}

// The draws of a baked input that a share of them needs; those that hold for all draws stay as they are.
function shared(item, record, numbers, first, count, all) {
  const values = numbers.subarray(item.values[0], item.values[0] + item.values[1]);
  const moments = item.path ? item.path.times.length : 1;
  const size = record.cells * moments;
  if (!record.wide || values.length === size) return values;
  const found = new Float64Array(size * count);
  for (let moment = 0; moment < moments; moment++) {
    const from = (moment * all + first) * record.cells;
    found.set(values.subarray(from, from + count * record.cells), moment * count * record.cells);
  }
  return found;
}

class Runner {
  constructor(job) {
    const { program, inputs, numbers, code, first, count, draws } = job;
    this.program = program;
    this.engine = new Engine(new WebAssembly.Module(code), program, count, first);
    this.baked = new Map(inputs.map((item, place) => {
      const values = shared(item, program.inputs[place], numbers, first, count, draws);
      return [item.name, { values, path: item.path, cells: program.inputs[place].cells }];
    }));
    this.baked.forEach((item, name) => this.engine.set(name, item.values, item.path));
    this.changed = new Set();
  }

  // Run with some changes: whole inputs, single cells of one, or multiples of what was baked.
  run(changes, draws) {
    for (const name of this.changed) this.restore(name);
    this.changed = new Set();
    for (const change of changes) {
      const baked = this.baked.get(change.name);
      if (!baked) continue;
      if (change.values) this.engine.set(change.name, change.values, change.path || null);
      else this.engine.set(change.name, this.altered(change, baked), baked.path);
      this.changed.add(change.name);
    }
    const done = this.engine.run(draws);
    return { draws: done, outcomes: this.program.outputs.map((_, place) => this.engine.result(place, done)) };
  }

  altered(change, baked) {
    const found = Float64Array.from(baked.values);
    for (const [cell, amount] of change.cells) {
      for (let at = cell === null ? 0 : cell; at < found.length; at += cell === null ? 1 : baked.cells) {
        found[at] = change.relative ? found[at] * amount : amount;
      }
    }
    return found;
  }

  restore(name) {
    const item = this.baked.get(name);
    this.engine.set(name, item.values, item.path);
  }
}

// The life of a worker: it gets a job once, then scenarios, and answers each.
function work() {
  let runner = null;
  self.onmessage = ({ data }) => {
    try {
      if (data.job) {
        runner = new Runner(data.job);
        self.postMessage({ ready: true });
        return;
      }
      const found = data.scenarios.map((changes) => (changes === null ? null : runner.run(changes, data.draws)));
      const moved = found.flatMap((item) => (item ? item.outcomes.map((values) => values.buffer) : []));
      self.postMessage({ id: data.id, found }, moved);
    } catch (error) {
      self.postMessage({ id: data.id, error: String(error) });
    }
  };
}

if (typeof module !== "undefined") {
  const { Engine: Own } = require("./engine.js");
  globalThis.Engine = globalThis.Engine || Own;
  module.exports = { Runner, sorted, shared, unpacked };
}
