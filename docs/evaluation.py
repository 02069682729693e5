"""Write the page with the evaluation of the shipped model: ``python docs/evaluation.py``, a minute or two.

The same as ``gapsim evaluate --seed 0``: calibrates the shipped panel, applies every test, and writes what was found.
"""

from pathlib import Path

from calibration import CalibrationProblem, fit
from calibration.evaluation import Evaluation, Subject, evaluate
from calibration.reporting.evaluation import report
from pysd_runner.data import load_data
from pysd_runner.model import load_model
from pysd_runner.reports.document import to_markdown

PAGE = Path(__file__).with_name("evaluation.md")
MODEL, PANEL, STARTS, SEED = "regional_digital", "china", 4, 0

PREFACE = """\
This page is what

```
gapsim evaluate --seed 0
```

finds of the shipped model on the shipped panel, failures included; `python docs/evaluation.py` writes it again. The
command also evaluates your own fit (`gapsim evaluate fit --panel mine.csv`) and any model file by itself
(`gapsim evaluate --model mine.mdl`: units, the rules and experiments of a `checks.toml` beside it, numerics). It
answers with exit code 4 when a test of structure or numerics failed, with 3 when another one did. Tables that are only
named here are CSV files in the folder it writes. The statistics are explained in
[evaluation statistics](evaluation_statistics); test inputs and what they must imply stand in the model's
`checks.toml`.
"""


def evaluated() -> Evaluation:
    """Calibrate the shipped panel and apply every test."""
    panel = load_data(PANEL, panel=True)
    model = load_model(MODEL, regions=len(panel.regions))
    result = fit(CalibrationProblem(model, panel), starts=STARTS, seed=SEED)
    return evaluate(Subject.of_fit(result, panel), seed=SEED)


def page(evaluation: Evaluation) -> str:
    """The page: what it is, then the report as the command writes it."""
    title, _, rest = to_markdown(report(evaluation)).partition("\n\n")
    return f"{title}\n\n{PREFACE}\n{rest}"


if __name__ == "__main__":
    PAGE.write_text(page(evaluated()), encoding="utf-8")
