"""Rules no linter knows."""

import re
import tomllib

import pytest

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
    "docs",
    "gapsim",
    "models",
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


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_changelog_has_a_section_for_changed_numbers() -> None:
    newest = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## [")[1]
    assert "### Changed numbers" in newest


@pytest.mark.parametrize("target", ["demo", "test", "lint", "docs", "wheel", "clean"])
def test_make_has_the_targets_the_readme_and_ci_use(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
