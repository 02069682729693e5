"""Times the explorer: the compiled model in Node against the native one, and redraws of a page in Chromium.

``python -m benchmarks.explorer [PAGE]``; a page is written by ``gapsim explore``.
"""

import argparse
import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.measure import timed

ENGINE = Path(__file__).parents[1] / "pysd_runner" / "explorer" / "assets" / "engine.js"
DRAWS, REPEATS = 32, 25
NODE = f"""
const {{ Engine }} = require({json.dumps(str(ENGINE))});
const job = JSON.parse(require("fs").readFileSync(0, "utf8"));
const engine = new Engine(new WebAssembly.Module(Buffer.from(job.code, "base64")), job.program, job.draws);
for (const {{ name, values }} of job.inputs) engine.set(name, Float64Array.from(values));
engine.run();
const times = [];
for (let run = 0; run < job.repeats; run++) {{
  const start = process.cpuUsage();
  engine.run();
  const used = process.cpuUsage(start);
  times.push((used.user + used.system) / 1e6);
}}
console.log(JSON.stringify(times));
"""
# From a key to the frame that shows what came of it, and the same until all draws are there.
REDRAWS = """async (count) => {
  const slider = document.getElementById("budget"), moving = [], rest = [];
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const drawn = (...states) => new Promise((done) => {
    document.documentElement.dataset.state = "waiting";
    const look = new MutationObserver(() => {
      if (states.includes(document.documentElement.dataset.state)) { look.disconnect(); done(); }
    });
    look.observe(document.documentElement, { attributes: true });
  });
  for (let key = 0; key < count; key++) {
    slider.value = 0.3 + 0.05 * (key % 5);
    const start = performance.now(), seen = drawn("moving", "rest");
    slider.dispatchEvent(new Event("input"));
    await seen;
    await frame();
    moving.push(performance.now() - start);
    const let_go = performance.now(), all = drawn("rest");
    slider.dispatchEvent(new Event("change"));
    await all;
    await frame();
    rest.push(performance.now() - let_go);
    while (gapsim.running) await gapsim.running;
  }
  return { moving, rest, ready: Number(document.documentElement.dataset.ready), draws: gapsim.record.draws };
}"""
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


def main(given: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explorer", description=__doc__)
    parser.add_argument("page", type=Path, nargs="?", help="a page of `gapsim explore`")
    page: Path | None = parser.parse_args(given).page
    print(machine())
    if shutil.which("node") is None:
        print("Node is not installed: the compiled model was left out")
    else:
        ratio_to_native()
    if page is not None:
        redraws(page)


def ratio_to_native() -> None:
    """Processor time of a run of the shipped model in Node over that of the native engine on one thread."""
    from pysd_runner.model import load_model
    from pysd_runner.reports.explorer.policies import SAVED
    from pysd_runner.simulation.task import prepared

    model = load_model("regional_digital", regions=31)
    rates = np.random.default_rng(0).uniform(0.001, 0.01, (1, DRAWS))
    values: dict[str, Any] = {"Policy Budget Share": np.full((1, 1), 0.003), "Base Migration Rate": rates}
    declared = model.spec.outcomes if model.spec is not None else {}
    outcomes = [declared[key].variable for key in SAVED]
    task = prepared(model, values, start=2024, stop=2040, save_every=1, outcomes=outcomes, threads=1, engine="llvm")
    task.compute()
    native = [timed(task.compute)[1] for _ in range(REPEATS)]
    program = task.for_browsers()
    module = program.module
    job = {
        "code": base64.b64encode(module.code).decode(),
        "program": program.record,
        "inputs": [{"name": name, "values": np.ravel(value[0]).tolist()} for name, value in program.inputs.items()],
        "draws": DRAWS,
        "repeats": REPEATS,
    }
    done = subprocess.run(["node", "-e", NODE], input=json.dumps(job), capture_output=True, text=True, check=True)
    there = json.loads(done.stdout)
    print(f"module of the shipped model: {len(module.code):,} bytes, {module.lanes} lanes")
    print(
        f"a run in Node over a native one, processor time: {min(there) / min(native):.2f} by the least, "
        f"{median(there) / median(native):.2f} by the median of {REPEATS} ({1000 * min(there) / DRAWS:.2f} ms)"
    )


def redraws(path: Path) -> None:
    """Times by the clock from a key to the frame that shows what came of it."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("playwright is not installed: redraws were left out")
        return
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.resolve().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        found = page.evaluate(REDRAWS, REPEATS)
        browser.close()
    size, ready = path.stat().st_size / 1000, found["ready"] / 1000
    print(f"page of {size:,.0f} kB with {found['draws']} draws, ready in {ready:.1f} s")
    for name, words in (
        ("moving", "key to redraw, 16 draws at most"),
        ("rest", f"all {found['draws']} draws after release"),
    ):
        print(f"{words}: median {median(found[name]):.0f} ms, least {min(found[name]):.0f} ms")


if __name__ == "__main__":
    main()
