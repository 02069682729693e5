"""How large the packages are, and how many modules two common tasks load: python -m benchmarks.size."""

import argparse
import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("pysd_runner", "calibration")
PANEL = """region,year,output [yuan],population [persons]
A,2000,500000000,10000
A,2001,520000000,10000
B,2000,400000000,10000
B,2001,430000000,10000
"""
TASKS = {
    "a clean CSV to a panel": "from pysd_runner import load_panel\nload_panel('panel.csv')",
    "a scenario file to a projection": (
        "from pathlib import Path\n"
        "from pysd_runner import load_model, load_panel, project\n"
        "from pysd_runner.scenarios import load_scenario, scenario_template\n"
        "Path('mine.yaml').write_text(scenario_template(), encoding='utf-8')\n"
        "panel = load_panel('china')\n"
        "model = load_model('regional_digital', regions=len(panel.regions))\n"
        "project(model, panel, load_scenario('mine.yaml'), until=2026, draws=2, engine='numpy')"
    ),
}
COUNT = f"""
import sys
def loaded():
    return {{name for name, module in sys.modules.items()
            if name.startswith({PACKAGES!r}) and not (getattr(module, "__file__", None) or "").endswith("__init__.py")}}
"""


def main(given: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.size", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout of any version; this one by default")
    root: Path = parser.parse_args(given).root.resolve()
    files = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    texts = [path.read_text(encoding="utf-8") for path in files]
    print(f"files                  {len(files):>7,}")
    print(f"lines                  {sum(text.count(chr(10)) for text in texts):>7,}")
    print(f"docstring lines        {sum(sum(_docstrings(ast.parse(text))) for text in texts):>7,}")
    for task, script in TASKS.items():
        print(f"modules, {task}: {_modules(root, script)}")


def _docstrings(tree: ast.Module) -> Iterator[int]:
    """Lines of each docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield (first.end_lineno or first.lineno) - first.lineno + 1


def _modules(root: Path, script: str) -> int:
    """Modules of the packages, without the `__init__` files, that a fresh process has loaded for a task."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "panel.csv").write_text(PANEL, encoding="utf-8")
        whole = f"import sys\nsys.path.insert(0, {str(root)!r})\n{COUNT}{script}\nprint(len(loaded()))"
        found = subprocess.run([sys.executable, "-c", whole], cwd=folder, capture_output=True, text=True, check=True)
    return int(found.stdout.split()[-1])


if __name__ == "__main__":
    main()
