"""Rules no linter knows."""

import json
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from tests.architecture.checkout import PACKAGES, ROOT, project_files, source_files

# Written in two parts, so that this file does not break its own rule.
PLACES = re.compile(
    "|".join(["/ho" + r"me/\w", "/ro" + "ot/", "/wo" + r"rk/\w", "/Us" + r"ers/\w", r"[A-Z]:\\" + "Us" + "ers"])
)
TEXT = {".py", ".toml", ".md", ".mdl", ".yaml", ".csv", ".bib", ".cff", ".json", ".txt", ".html", ".js", ".css", ""}
KINDS_OF_TESTS = {
    "architecture",
    "benchmarks",
    "documentation",
    "frozen",
    "idiom",
    "models",
    "properties",
    "validation",
}


AT_THE_ROOT = {
    ".ci",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "README.zh-CN.md",
    "VISION.md",
    "benchmarks",
    "calibration",
    "codemeta.json",
    "docs",
    "gapsim",
    "models",
    "paper",
    "pyproject.toml",
    "pysd_runner",
    "tests",
}


def test_what_stands_at_the_root_was_decided() -> None:
    """Output of a command that was added by accident is found here; what belongs there is added on purpose."""
    assert {path.relative_to(ROOT).parts[0] for path in project_files()} <= AT_THE_ROOT


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in project_files()
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if PLACES.search(line)
    ]
    assert found == []


def test_every_text_is_utf_8_without_mark_and_ends_its_last_line() -> None:
    for path in project_files():
        if path.suffix in TEXT:
            content = path.read_bytes()
            content.decode("utf-8")
            assert not content.startswith(b"\xef\xbb\xbf"), path
            assert not content or content.endswith(b"\n"), path


def test_a_module_is_named_by_its_idea() -> None:
    unnamed = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py", "tools.py"}
    assert [path for path in source_files() if path.name in unnamed] == []


def test_models_hold_declarations_and_data_only() -> None:
    models = [path for path in project_files() if path.relative_to(ROOT).parts[0] == "models"]
    assert models
    assert [path for path in models if path.suffix in (".py", ".ipynb", ".sh")] == []


def test_tests_mirror_the_source() -> None:
    packages = {path.name for package in PACKAGES for path in (ROOT / package).iterdir() if path.is_dir()}
    folders = {
        path.relative_to(ROOT / "tests").parts[0] for path in project_files() if (ROOT / "tests") in path.parents
    }
    folders = {name for name in folders if (ROOT / "tests" / name).is_dir()}
    assert folders <= packages | KINDS_OF_TESTS | set(PACKAGES)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_files_that_describe_the_software_agree() -> None:
    ours = project()
    cited = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    meta = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
    assert ours["version"] == cited["version"] == meta["version"]
    assert ours["license"] == cited["license"] == meta["license"].rsplit("/", 1)[1]
    assert [item["name"] for item in ours["authors"]] == [item["name"] for item in cited["authors"]]
    assert cited["authors"] == [{"name": item["name"]} for item in meta["author"]]
    assert ours["keywords"] == meta["keywords"] == cited["keywords"]
    assert ours["description"] == meta["description"]
    assert meta["runtimePlatform"] == f"Python {ours['requires-python']}"


def test_the_locked_environment_is_one_that_the_project_allows() -> None:
    """Bounds may move without the lock being made anew; the line that makes it stands in CONTRIBUTING.md."""
    lines = [Requirement(line) for line in (ROOT / ".ci" / "locked.txt").read_text(encoding="utf-8").splitlines()]
    locked = [(canonicalize_name(line.name), pin.version) for line in lines for pin in line.specifier]
    extras = project()["optional-dependencies"]["dev"]
    for asked in (Requirement(text) for text in [*project()["dependencies"], *extras]):
        if asked.name != "gapsim":
            versions = [version for name, version in locked if name == canonicalize_name(asked.name)]
            assert versions, asked
            assert all(asked.specifier.contains(version) for version in versions), asked


def test_the_changelog_has_a_section_for_changed_numbers() -> None:
    newest = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## [")[1]
    assert "### Changed numbers" in newest


@pytest.mark.parametrize("target", ["demo", "test", "lint", "docs", "wheel", "clean"])
def test_make_has_the_targets_the_readme_and_ci_use(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
