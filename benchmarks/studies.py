"""Published Vensim studies, redone: ``python -m benchmarks.studies FOLDER... [--json FILE]``.

Each FOLDER is a clone of a repository in `STUDIES`, or a folder of clones. Files are used as they are: each study is
copied, `gapsim study` writes its declarations, and `gapsim study --check` compares with what the authors published.
Where `gapsim study` cannot tell which files belong together, the declarations stand in `STUDIES`.
"""

import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pysd_runner.study.redone import is_printed

SECONDS = 900

_PAYOFF = re.compile(r"Payoff: (-?[0-9.]+[0-9])")


@dataclass(frozen=True, kw_only=True)
class Study:
    """A published study: its repository, the revision that was read, and which of its files belong together."""

    name: str
    repository: str
    revision: str
    model: str  # path in the repository
    places: Sequence[str] = ()  # further folders and files, besides the folder of the model, for `gapsim study`
    declared: str = ""  # declarations in place of those that `gapsim study` writes
    estimates: Mapping[str, str] = field(default_factory=dict)  # columns of a table of estimates, by constant
    searched: float | None = None  # published payoff of a search, where no file has the estimates
    table: str = ""  # the table: one row for each element, whose name is in the first column
    why: str = ""  # why not everything can be compared


def _squares(data: str, variable: str, sd: float) -> str:
    """Declarations of a payoff that is minus the sum of squared differences, each over a standard deviation."""
    return f"""[measurements.'{data}']
outcome = '{variable}'
scale = "level"
errors = {{ family = "normal", memory = "independent" }}
sd = {sd}
"""


_BITCOIN = "Thesis Submission Files/thesis_checkpoint.mdl"
_BITCOIN_AT: dict[str, Any] = {
    "repository": "AthenaTheOwl/MIT-SDM-Thesis-on-System-Dynamics-Modeling-of-Bitcoin",
    "revision": "f86ce6bfb0bf6abbffc1551f7b5acb849022ff3c",
}
_DOMINANCE = "code/canon_dynamics/7_StrucDomAnal/"
_COVID = "CovidRiskResponse"


STUDIES = (
    Study(
        name="SOURCE",
        repository="tseyanglim/SOURCE",
        revision="542d384f5f28afdc9100ade4a0443b6d42a3c2ec",
        model="Replication Package/OSM_Master_CURRENT_SRP-UR.mdl",
        places=("Analysis & Graphing/X5_IterCal/X5_main_full.out", "Results Summary/Raw Results"),
    ),
    Study(
        name="overdoses2020",
        repository="tseyanglim/overdoses2020",
        revision="17a99a40c69c9f05c18d2693d95e975ea786fa45",
        model="Sensitivity Analysis/Recalibration/Recalibration outputs/"
        "SOURCE_FENT_COVID_with manual increase in bup receipt.mdl",
        why="two series of 2,016 are priors near 0 of estimates that the .out has with six digits",
    ),
    Study(
        name=_COVID,
        repository="tseyanglim/CovidRiskResponse",
        revision="ba76ee7e84fb589a17f67886df1b0451f7dc7a3c",
        model="Vensim Files/SEIRB-Simple-V5B.mdl",
        declared="""schema = 2
[study]
sets = ["../Data/InputData.tab", "../Data/InputConstants.vdf"]
ranges = { Rgn = ELEMENTS }
changes = ["FinalTime.cin", "FixedTest.cin", "DiseaseDuration.cin", "estimates.cin"]
[published]
series = ["../Results/ZBT10_fits.tab"]
""",
        table="Results/ZBT10_results.tab",
        estimates={
            "alp[{},Infection]": "alp[Infection]",
            **{
                f"{name}[{{}}]": name
                for name in (
                    *("Beta", "Alpha 0", "Time to increase risk", "Time to reduce risk"),
                    *("Patient Zero Arrival Time", "alpratio"),
                )
            },
        },
        why="estimates are read from ZBT10_results.tab, as there is no .out; the control file names other data",
    ),
    Study(
        name="Bitcoin, demand",
        **_BITCOIN_AT,
        model=_BITCOIN,
        why="there is no .vpd; the payoff and its terms are those of the .rep",
    ),
    Study(
        name="Bitcoin, supply",
        **_BITCOIN_AT,
        model=_BITCOIN,
        declared=f"""schema = 2
[study]
sets = ["DataFiles/ConsolidatedData.vdfx"]
changes = ["supply_side_calibration.out"]
{_squares('"Hash-Rate"', '"Network Hash Rate in TH/s"', 5e7)}[published]
payoff = -590.51
""",
        why="the payoff is that of the .rep; the .out says -591.032",
    ),
    Study(
        name="Dominance, base",
        repository="Data4DM/BayesSD",
        revision="94f0c290f044b4fb96c0c70529f79e6c46153465",
        model=f"{_DOMINANCE}Base model/NF_model.mdl",
        declared='schema = 2\n[published]\nseries = ["Base.tab"]\n',
    ),
    Study(
        name="Dominance, full",
        repository="Data4DM/BayesSD",
        revision="94f0c290f044b4fb96c0c70529f79e6c46153465",
        model=f"{_DOMINANCE}Full model/NF_model_full.mdl",
        declared='schema = 2\n[published]\nseries = ["Full.tab"]\n',
    ),
    Study(
        name="VST",
        repository="tseyanglim/VST",
        revision="5d1ba19093940cf33448023db6d0daaa8ce0d41c",
        model="VST Testing/prey-predator.mdl",
        searched=-1797.73,
        why="the payoff stands in log.txt alone, and no file has the estimates: it is that of `gapsim calibrate`",
    ),
    Study(
        name="CovidGlobal",
        repository="tseyanglim/CovidGlobal",
        revision="7af63d0dd5eede1887473cb46f81c43b36905ee9",
        model="Vensim Files/CovidGlobal-Disaggregate-V60.mdl",
        places=("Data", "Analysis Code"),
        why="B_main_full.out, which its control file names, and the published tables are not in the repository",
    ),
    Study(
        name="VaccineMisinf",
        repository="hyunjimoon/VaccineMisinf",
        revision="cafe219dac0bdfdd6043df25b95910d55b6376a7",
        model="V81/CovidUSA-Econ-V81.mdl",
        why="the data set that it names is not beside it, and two others are not in the snapshot",
    ),
    Study(
        name="FeliX",
        repository="RyanTanYiWei/Felix-Model-PySDTest",
        revision="a9619e4281d20547ec66219de592a32cfb1422a5",
        model="Current_Version/FeliX3_YoGL_v25.mdl",
        places=("Current_Version/Data.vdfx",),
        why="the published run is a run of Vensim, which is not read",
    ),
    Study(
        name="SDR_Bayes",
        repository="jandraor/SDR_Bayes",
        revision="0f769ff35e899dcbc3e58f15bdff5fc124c58c2d",
        model="models/SEIR.stmx",
        places=("data",),
        why="estimates stand in the text of notebooks alone",
    ),
    Study(
        name="SEIR_cohorts",
        repository="jandraor/SEIR_cohorts_calibration",
        revision="2da19c9f7866769700d13976a0fcbe9019f5b6b8",
        model="deterministic_models/4_cohorts_SEIR_matrix_A.stmx",
        places=("data",),
        why="estimates stand in the text of notebooks alone",
    ),
)


def redone(folder: Path, study: Study) -> dict[str, Any]:
    """What the commands say of a study in a copy of its repository.

    Parameters
    ----------
    folder
        The repository; nothing in it is changed.
    study
        Which of its files belong together.

    Returns
    -------
    dict
        Of the study: its name, repository, hash of its model, seconds, and what `gapsim study --check` gives, or
        ``refused`` and ``loads``.
    """
    begin = time.monotonic()
    record: dict[str, Any] = {"study": study.name, "repository": study.repository, "revision": study.revision}
    record["sha256"] = hashlib.sha256((folder / study.model).read_bytes()).hexdigest()
    with tempfile.TemporaryDirectory() as made:
        copy = Path(made) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".git"))
        model = copy / study.model
        declarations = model.with_suffix(".toml")
        declarations.unlink(missing_ok=True)
        if study.declared:
            declarations.write_text(study.declared.replace("ELEMENTS", _estimated(copy, study)), encoding="utf-8")
            place = [str(declarations)]
        else:
            place = [str(model), *(str(copy / item) for item in study.places)]
        if study.searched is not None:
            record |= _found(["study", *place, "--out", str(declarations)], model, study.searched)
        else:
            record |= _asked(["study", "--check", *place])
        if "refused" in record:
            record["loads"] = "refused" not in _asked(["simulate", str(model), "--quiet"])
    return record | {"seconds": round(time.monotonic() - begin, 1), "why": study.why}


def _estimated(copy: Path, study: Study) -> str:
    """Write the estimates in a table as a change file beside the model, and give the elements of its rows."""
    if not study.table:
        return ""
    with (copy / study.table).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    first = next(iter(rows[0]))
    lines = [
        f"{name.format(row[first])} = {row[column]}\n"
        for name, column in study.estimates.items()
        for row in rows
        if row[column] not in ("", "nan")
    ]
    (copy / study.model).with_name("estimates.cin").write_text("".join(lines), encoding="utf-8")
    return json.dumps([row[first] for row in rows])


def _found(writing: Sequence[str], model: Path, published: float) -> dict[str, Any]:
    """The payoff that a search of ours ends at, in the form of a check."""
    if "refused" in (made := _asked(writing)):
        return made
    fitted = _asked(["calibrate", "--model", str(model), "--out", str(model.with_name("fit"))])
    if "refused" in fitted:
        return fitted
    value = float(_PAYOFF.findall(fitted["message"])[0])
    payoff = {"computed": value, "published": published, "equal": is_printed(value, published)}
    return {"equal": payoff["equal"], "payoff": payoff, "runs": []}


def _asked(words: Sequence[str]) -> dict[str, Any]:
    """What a command gives as JSON, or why it is refused."""
    run = [sys.executable, "-W", "ignore", "-c", "from pysd_runner.cli import main; raise SystemExit(main())"]
    try:
        done = subprocess.run([*run, *words, "--json"], capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"refused": f"not done in {SECONDS} s"}
    with suppress(ValueError, KeyError, TypeError):
        found = json.loads(done.stdout)
        if found.get("error"):
            return {"refused": str(found["error"].get("message", found["error"]))}
        return {name: found["data"][name] for name in ("equal", "payoff", "runs", "message") if name in found["data"]}
    return {"refused": done.stderr.strip()[-400:]}


def line(record: Mapping[str, Any]) -> str:
    """A row of the table in Markdown."""
    if "refused" in record:
        result = f"not compared; the model {'runs' if record['loads'] else 'is refused'}"
        return f"| {record['study']} | | | {result} |"
    payoff = record["payoff"]
    paid = "" if not payoff or payoff["published"] is None else f"{payoff['computed']:.9g}, {payoff['published']}"
    counts = [(run["equal"] + run["data_equal"], run["series"] + run["data"]) for run in record["runs"]]
    series = ", ".join(f"{equal:,} of {count:,}" for equal, count in counts)
    met = record["equal"] or (payoff and payoff["published"] is not None and payoff["equal"])
    return f"| {record['study']} | {paid} | {series} | {'redone' if met else 'differs'} |"


def table(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The table in Markdown, then what is refused, and why not everything is compared."""
    yield "| study | payoff here, published | series equal, by run | |"
    yield "|---|---|---|---|"
    yield from map(line, records)
    for record in records:
        said = " ".join(filter(None, [record["why"] and f"{record['why']}.", record.get("refused", "")]))
        if said:
            yield f"\n{record['study']}: {said}"


def main(words: Sequence[str]) -> None:
    """Print the table of the studies in some folders, and write it as JSON."""
    out = Path(words[words.index("--json") + 1]) if "--json" in words else None
    places = [Path(word) for word in words if word != "--json" and (out is None or word != str(out))]
    folders = [item for place in places for item in (place, *sorted(place.iterdir())) if item.is_dir()]
    records = []
    for study in STUDIES:
        for folder in (item for item in folders if (item / study.model).is_file()):
            records.append(redone(folder, study))
            print(f"{study.name}: {records[-1]['seconds']} s", file=sys.stderr, flush=True)
            break
    print("\n".join(table(records)))
    if out is not None:
        out.write_text(json.dumps(records, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
