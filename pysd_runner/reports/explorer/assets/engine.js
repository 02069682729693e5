"use strict";

// Runs a compiled model. Every draw is a lane of a vector; the program is handed a table of addresses, as
// pysd_runner/engine/llvm/entries.py lists them; the program says which entry is which.

const STACK = 65536;
const SAME_TIME = 1e-9;

// What `engine.functions` may ask for; the error function by W. J. Cody's rational approximations (1969).
const FUNCTIONS = {
  sin: Math.sin, cos: Math.cos, tan: Math.tan, asin: Math.asin, acos: Math.acos, atan: Math.atan,
  sinh: Math.sinh, cosh: Math.cosh, tanh: Math.tanh, fmod: (value, base) => value % base, erfc,
};

function ratio(x, above, below) {
  let numerator = above[0] * x, denominator = x;
  for (let place = 1; place < above.length - 1; place++) {
    numerator = (numerator + above[place]) * x;
    denominator = (denominator + below[place - 1]) * x;
  }
  return (numerator + above[above.length - 1]) / (denominator + below[below.length - 1]);
}

function erfc(x) {
  const y = Math.abs(x);
  if (y !== y) return x;
  if (y <= 0.46875) {
    const above = [1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3];
    const below = [2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3];
    return 1 - x * ratio(y * y, above, below);
  }
  let value = 0;
  if (y <= 4) {
    const above = [2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3];
    const below = [1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3];
    value = ratio(y, above, below);
  } else if (y >= 27) {
    return x < 0 ? 2 : 0;
  } else {
    const above = [1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4];
    const below = [2.56852019228982242, 1.87295284992346047, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3];
    const z = 1 / (y * y);
    value = (5.6418958354775628695e-1 - z * ratio(z, above, below)) / y;
  }
  const cut = Math.trunc(y * 16) / 16;
  value *= Math.exp(-cut * cut) * Math.exp(-(y - cut) * (y + cut));
  return x < 0 ? 2 - value : value;
}

// Which moments of a path hold at which times, as pysd_runner/engine/llvm/calls.py has it.
function moments(pathTimes, interpolate, times) {
  const last = pathTimes.length - 1;
  return Array.from(times, (time) => {
    let before = -1;
    while (before < last && pathTimes[before + 1] <= time + SAME_TIME) before++;
    const started = before >= 0;
    before = Math.max(before, 0);
    const after = Math.min(before + 1, last);
    let share = 0;
    if (interpolate === "linear" && started && after > before) {
      share = Math.min(Math.max((time - pathTimes[before]) / (pathTimes[after] - pathTimes[before]), 0), 1);
    }
    return [before, share > 0 ? after : before, share];
  });
}

class Engine {
  // spec: table (numbers of entries), lanes, size (numbers of working memory), pages (of constants), inputs, outputs, times, steps, saved.
  constructor(module, spec, draws, firstDraw = 0) {
    this.spec = spec;
    this.draws = draws;
    this.room = Math.ceil(draws / spec.lanes) * spec.lanes;
    this.rows = spec.saved.reduce((sum, kept) => sum + kept, 0);
    this.places = new Map(spec.inputs.map((item, place) => [item.name, place]));
    this.addresses = new Map();
    this.memory = new WebAssembly.Memory({ initial: spec.pages + 1 });
    this.end = (spec.pages + 1) * STACK;
    const stack = new WebAssembly.Global({ value: "i32", mutable: true }, this.end);
    const functions = Object.fromEntries(spec.functions.map((name) => [name, FUNCTIONS[name]]));
    const env = { __linear_memory: this.memory, __stack_pointer: stack, ...functions };
    this.program = new WebAssembly.Instance(module, { env }).exports.run;
    this.table = this.take(this.spec.table.header + 2 * spec.inputs.length + spec.outputs.length);
    this.work = this.take(spec.size);
    this.numbers(this.work, spec.size).fill(NaN);
    this.clock(firstDraw);
    this.outputs = spec.outputs.map((item, place) => {
      const at = this.take(this.rows * item.cells * this.room);
      this.enter(this.spec.table.header + 2 * spec.inputs.length + place, at);
      return at;
    });
  }

  // Room for some numbers of 8 bytes, at the beginning of a cache line.
  take(count) {
    const at = Math.ceil(this.end / 64) * 64;
    this.end = at + 8 * Math.max(count, 1);
    const lacking = this.end - this.memory.buffer.byteLength;
    if (lacking > 0) this.memory.grow(Math.ceil(lacking / STACK));
    return at;
  }

  numbers(at, count) {
    return new Float64Array(this.memory.buffer, at, count);
  }

  enter(entry, value) {
    new BigInt64Array(this.memory.buffer, this.table + 8 * entry, 1)[0] = BigInt(value);
  }

  clock(firstDraw) {
    const { times, steps, saved } = this.spec;
    for (const [name, values] of Object.entries({ times, steps })) {
      const at = this.take(values.length);
      this.numbers(at, values.length).set(values);
      this.enter(this.spec.table[name], at);
    }
    const kept = this.take(Math.ceil(saved.length / 8));
    new Uint8Array(this.memory.buffer, kept, saved.length).set(saved);
    this.enter(this.spec.table.saved, kept);
    this.enter(this.spec.table.count, times.length);
    this.enter(this.spec.table.inStride, this.room);
    this.enter(this.spec.table.outStride, this.room);
    this.enter(this.spec.table.rows, this.rows);
    this.enter(this.spec.table.seed, this.spec.seed || 0);
    this.enter(this.spec.table.firstDraw, firstDraw);
    this.paths = this.spec.inputs.filter((item) => item.moving).map((item) => item.name);
    const width = Math.max(this.paths.length, 1);
    this.positions = this.take(2 * times.length * width);
    this.shares = this.take(times.length * width);
    this.enter(this.spec.table.positions, this.positions);
    this.enter(this.spec.table.shares, this.shares);
  }

  // Give an input its value: an array (draw, cell), or (cell) where it is the same in all draws; of a path, the same
  // with moments in front, and its times.
  set(name, values, path = null) {
    const place = this.places.get(name);
    if (place === undefined) return;
    const item = this.spec.inputs[place];
    const size = item.cells * (item.wide ? this.room : 1);
    const count = path ? path.times.length : 1;
    const known = this.addresses.get(name);
    const at = known && known.count >= count ? known.at : this.take(size * count);
    this.addresses.set(name, { at, count: Math.max(count, known ? known.count : 0) });
    this.enter(this.spec.table.header + 2 * place, at);
    const target = this.numbers(at, size * count);
    const wide = item.wide && values.length > item.cells * count;
    const given = wide ? values.length / (item.cells * count) : 1;
    for (let moment = 0; moment < count; moment++) {
      for (let cell = 0; cell < item.cells; cell++) {
        if (!item.wide) {
          target[moment * size + cell] = values[moment * item.cells + cell];
          continue;
        }
        for (let draw = 0; draw < this.room; draw++) {
          const from = moment * given + Math.min(draw, given - 1);
          target[moment * size + cell * this.room + draw] = values[from * item.cells + cell];
        }
      }
    }
    if (path) this.follow(name, path, size);
  }

  follow(name, path, size) {
    const times = this.spec.times, order = this.paths.indexOf(name), width = this.paths.length;
    const positions = new BigInt64Array(this.memory.buffer, this.positions, 2 * times.length * width);
    const shares = this.numbers(this.shares, times.length * width);
    moments(path.times, path.interpolate, times).forEach(([before, after, share], step) => {
      positions[2 * (step * width + order)] = BigInt(before * size);
      positions[2 * (step * width + order) + 1] = BigInt(after * size);
      shares[step * width + order] = share;
    });
  }

  // Run the first draws, a whole number of vectors of them.
  run(draws = this.draws) {
    const blocks = Math.min(Math.ceil(draws / this.spec.lanes), this.room / this.spec.lanes);
    this.program(this.table, this.work, 0n, 0n, BigInt(blocks));
    return Math.min(blocks * this.spec.lanes, this.draws);
  }

  // An outcome, laid out (moment, cell, draw), of the first draws.
  result(place, draws) {
    const { cells } = this.spec.outputs[place];
    const all = this.numbers(this.outputs[place], this.rows * cells * this.room);
    const found = new Float64Array(this.rows * cells * draws);
    for (let row = 0; row < this.rows * cells; row++) {
      found.set(all.subarray(row * this.room, row * this.room + draws), row * draws);
    }
    return found;
  }
}

if (typeof module !== "undefined") module.exports = { Engine, erfc, moments };
