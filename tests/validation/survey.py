"""Run the model files of public collections, and compare them with what is published beside them, simlin and PySD.

The collections are fetched from their public addresses and are no part of this project; a manifest says of every file
what became of it. Run it as::

    python -m tests.validation.survey FOLDER --fetch
    python -m tests.validation.survey FOLDER --only conveyors
"""

import argparse
import csv
import hashlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.validation.surveyed import Comparison, Finding, examine, worst

# Repository -> commit, all below https://github.com.
COLLECTIONS = {
    "SDXorg/test-models": "21aab02739dc5187bc9564e4d3de14e575905d2f",
    "SDXorg/PySD-Cookbook": "d7ebddadad9cd87cf796b9b6031ea2b5c45da4c4",
    "climateinteractive/SDEverywhere": "a5da3452c0c8296b46d56f32b31a938842dcea6f",
    "bpowers/simlin": "cd4b23a69cb4f74115ce2ca20797afa3cdc2dd7f",
    "jandraor/readsdr": "5cba7ef2d9cdca426bed4d2d2836ebeab1cf58eb",
    "transentis/bptk_py_tutorial": "d427186706aea94165c65902897188e2b34426ef",
    "transentis/bptk_intro": "88d0a0cc0338ed6b381dfabafcb9f6a029ac526d",
    "transentis/bptk_py": "9888bde185d303323cdefe365a2c369a870379a4",
}

VENSIM, XMILE = (".mdl",), (".xmile", ".stmx", ".itmx", ".xml")
# The outermost tag stands near the beginning of a file.
BEGINNING = 3000

MANIFEST = Path(__file__).with_name("survey.csv")
JUDGED = Path(__file__).with_name("survey.toml")

PUBLISHED = "simlin differs from the numbers published beside the file, which are those here"

# Kinds of files that are set aside, with the reason in `JUDGED`.
ASIDE = ("incomplete", "malformed", "refused")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the manifest."""

    path: str
    sha256: str
    verdict: str
    reason: str = ""
    references: str = ""
    simlin: str = ""
    pysd: str = ""


# What runs are compared with: published numbers, another engine, and what another reader makes of the file.
COMPARED = ("references", "simlin", "pysd")


def _compared(entry: Entry) -> list[str]:
    return [getattr(entry, name) for name in COMPARED]


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine the collections; exit code 1 if a file does worse than the manifest says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fetch", action="store_true", help="fetch the collections first")
    parser.add_argument("--only", default="", help="a regular expression that paths hold")
    parser.add_argument("--write", action="store_true", help="write the manifest anew")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    if given.fetch:
        fetch(given.folder)
    files = {path: digest for path, digest in distinct(given.folder) if re.search(given.only, path)}
    judged = Judged(tomllib.loads(JUDGED.read_text(encoding="utf-8")))
    entries = []
    for finding in _examined(given.folder, list(files), given.workers):
        entries.append(judged.entry(finding, files[finding.path]))
        if entries[-1].verdict == "fails" or "unexplained" in _compared(entries[-1]):
            last = entries[-1]
            compared = ", ".join(item or "-" for item in _compared(last))
            sys.stdout.write(f"{last.path}: {last.verdict}, {compared}\n    {last.reason}\n")
    sys.stdout.write(f"{summary(entries)}\n")
    if given.write:
        write(entries)
        return 0
    known = {entry.path: entry for entry in read()}
    worse = [entry.path for entry in entries if _is_worse(entry, known.get(entry.path))]
    sys.stdout.writelines(f"worse than the manifest says: {path}\n" for path in worse)
    return 1 if worse else 0


def fetch(folder: Path) -> None:
    """Fetch every collection at its commit."""
    for repository, commit in COLLECTIONS.items():
        place = folder / repository
        if not place.is_dir():
            sys.stderr.write(f"fetching {repository}\n")
            address = f"https://github.com/{repository}"
            subprocess.run(["git", "clone", "--quiet", "--filter=blob:none", address, place], check=True)
            subprocess.run(["git", "-C", place, "checkout", "--quiet", commit], check=True)


def distinct(folder: Path) -> Iterator[tuple[str, str]]:
    """Every model file, the first of those that hold the same, with its hash; in alphabetical order."""
    seen = set()
    for repository in sorted(COLLECTIONS):
        for path in sorted((folder / repository).rglob("*")):
            ending = path.suffix.lower()
            if ending not in VENSIM + XMILE or not path.is_file():
                continue
            data = path.read_bytes()
            if ending == ".xml" and b"<xmile" not in data[:BEGINNING]:
                continue
            digest = hashlib.sha256(data).hexdigest()
            if digest not in seen:
                seen.add(digest)
                yield path.relative_to(folder).as_posix(), digest


def _examined(folder: Path, paths: Sequence[str], workers: int) -> Iterator[Finding]:
    # A fresh process from time to time, so that what other engines leave behind does not add up.
    with get_context("spawn").Pool(workers, maxtasksperchild=40) as pool:
        for number, finding in enumerate(pool.imap(_one, [(folder, path) for path in paths]), 1):
            sys.stderr.write(f"\r{number} of {len(paths)} files")
            yield finding
    sys.stderr.write("\n")


def _one(task: tuple[Path, str]) -> Finding:
    return examine(*task)


class Judged:
    """What was found out about files by hand: a kind, patterns of paths, and a reason for each."""

    def __init__(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        self._tables = tables

    def reason(self, kind: str, path: str) -> str:
        """Why a file is of a kind; empty if it is not."""
        for table in self._tables.get(kind, ()):
            if any(re.search(pattern, path) for pattern in table["files"]):
                return str(table["reason"])
        return ""

    def entry(self, finding: Finding, digest: str) -> Entry:
        """The line of a file in the manifest."""
        path = finding.path
        kind = next((kind for kind in ASIDE if self.reason(kind, path)), "")
        if not finding.runs:
            message = re.sub(r"^\S+: ", "", finding.message)[:200]
            return Entry(path, digest, kind or "fails", self.reason(kind, path) if kind else message)
        references, why = self._judge("reference", path, finding.references, worst(finding.references))
        simlin, other = self._judge("simlin", path, [finding.simlin] if finding.simlin else [], _against(finding))
        second = [finding.pysd] if finding.pysd else []
        pysd, third = self._judge("pysd", path, second, worst(second))
        reasons = "; ".join(dict.fromkeys(filter(None, (why, other, third))))
        return Entry(path, digest, "runs", reasons, references, simlin, pysd)

    def _judge(self, kind: str, path: str, made: Sequence[Comparison], difference: str) -> tuple[str, str]:
        """A verdict, and the reason for it."""
        if not made:
            return "", ""
        if difference in ("", PUBLISHED):
            return ("explained", PUBLISHED) if difference else ("alike", "")
        reason = self.reason(kind, path)
        return ("explained", reason) if reason else ("unexplained", difference)


def _against(finding: Finding) -> str:
    """How simlin differs; where the numbers published beside a file are those here, that is said."""
    if finding.simlin is None or not finding.simlin.apart:
        return ""
    published = set().union(*(item.alike for item in finding.references))
    return PUBLISHED if finding.simlin.apart.keys() <= published else str(finding.simlin)


def summary(entries: Iterable[Entry]) -> str:
    """How many files of each format run, and how they compare."""
    lines = []
    for format_name, endings in (("Vensim", VENSIM), ("XMILE", XMILE)):
        own = [entry for entry in entries if Path(entry.path).suffix.lower() in endings]
        counts = Counter(entry.verdict for entry in own)
        whole = counts["runs"] + counts["fails"]
        share = f"{100 * counts['runs'] / whole:.1f} %" if whole else "-"
        lines.append(
            f"{format_name}: {len(own)} files, {counts['incomplete']} incomplete, {counts['malformed']} malformed, "
            f"{counts['refused']} to be refused; of the other {whole} run {counts['runs']} ({share})"
        )
        for name in COMPARED:
            found = Counter(getattr(entry, name) for entry in own)
            lines.append(
                f"  {name}: {found['alike']} alike, {found['explained']} explained, {found['unexplained']} unexplained"
            )
    return "\n".join(lines)


def _is_worse(entry: Entry, known: Entry | None) -> bool:
    if known is None or known.sha256 != entry.sha256:
        return entry.verdict == "fails"
    order = ("unexplained", "explained", "alike")
    if known.verdict == "runs" and entry.verdict != "runs":
        return True
    both = [(new, old) for new, old in zip(_compared(entry), _compared(known), strict=True) if new and old]
    return any(order.index(new) < order.index(old) for new, old in both)


def read() -> list[Entry]:
    """The committed manifest."""
    if not MANIFEST.is_file():
        return []
    with MANIFEST.open(encoding="utf-8", newline="") as file:
        return [Entry(**row) for row in csv.DictReader(file)]


def write(entries: Iterable[Entry]) -> None:
    """Write the manifest."""
    with MANIFEST.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Entry.__dataclass_fields__)
        writer.writerows(
            [entry.path, entry.sha256, entry.verdict, entry.reason, *_compared(entry)] for entry in entries
        )


if __name__ == "__main__":
    sys.exit(main())
