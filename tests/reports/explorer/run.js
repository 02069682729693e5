// Runs a compiled model in Node: a JSON record on standard input, outcomes as JSON on standard output.
"use strict";
const { Engine } = require("../../../pysd_runner/reports/explorer/assets/engine.js");

const job = JSON.parse(require("fs").readFileSync(0, "utf8"));
const compiled = new WebAssembly.Module(Buffer.from(job.code, "base64"));
const found = job.runs.map(({ inputs, draws, repeat }) => {
  const engine = new Engine(compiled, job.program, draws);
  for (const { name, values, path } of inputs) engine.set(name, Float64Array.from(values, Number), path);
  engine.run();
  const times = [];
  for (let run = 0; run < (repeat || 0); run++) {
    const start = process.cpuUsage();
    engine.run();
    const used = process.cpuUsage(start);
    times.push((used.user + used.system) / 1000);
  }
  return { times, outcomes: job.program.outputs.map((_, place) => Array.from(engine.result(place, draws), String)) };
});
process.stdout.write(JSON.stringify(found));
