"""Every source that is named resolves, and every work that is listed is named."""

import re

import bibtexparser
import pytest
from bibtexparser.model import Entry

from pysd_runner.core.paths import model_folder
from pysd_runner.spec import Parameter, load_spec
from pysd_runner.spec.declarations import PlausibleRange

FOLDER = model_folder("regional_digital")
LIBRARY = bibtexparser.parse_file(str(FOLDER / "references.bib"))
SPEC = load_spec(FOLDER / "model.toml")
ENTRIES = {entry.key: entry for entry in LIBRARY.entries}
PAGES = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in ("claims.md", "README.md"))
NAMED_IN_PAGES = set(re.findall(r"`(\w+)`", PAGES)) & set(ENTRIES)

by_entry = pytest.mark.parametrize("entry", LIBRARY.entries, ids=lambda entry: entry.key)


def test_the_file_is_read_without_a_failed_block() -> None:
    assert not LIBRARY.failed_blocks
    assert len(ENTRIES) == len(LIBRARY.entries) > 30


@pytest.mark.parametrize("item", [*SPEC.parameters.values(), *SPEC.plausible.values()], ids=lambda item: item.en)
def test_sources_resolve(item: Parameter | PlausibleRange) -> None:
    assert not set(item.sources) - set(ENTRIES)


def test_no_cost_is_chosen_by_its_ratio() -> None:
    notes = {key: item.note for key, item in SPEC.parameters.items() if item.role == "COST"}
    assert not [key for key, note in notes.items() if re.search(r"benefit-cost|implausible", note)]


def test_works_named_like_keys_in_the_pages_resolve() -> None:
    looks_like_a_key = set(re.findall(r"`([a-z]+\d{4}[a-z]*)`", PAGES))
    assert looks_like_a_key
    assert not looks_like_a_key - set(ENTRIES)


def test_every_work_is_named_somewhere() -> None:
    declared = (*SPEC.parameters.values(), *SPEC.plausible.values())
    used = {source for item in declared for source in item.sources}
    assert not set(ENTRIES) - used - NAMED_IN_PAGES


@by_entry
def test_an_entry_says_what_was_read_of_it(entry: Entry) -> None:
    fields = entry.fields_dict
    assert "title" in fields
    assert "note" in fields
    assert re.search(r"only|read", fields["note"].value, re.IGNORECASE), entry.key


@by_entry
def test_years_and_links_have_the_right_form(entry: Entry) -> None:
    fields = entry.fields_dict
    if "year" in fields:
        assert re.fullmatch(r"(19|20)\d\d", fields["year"].value)
    if "doi" in fields:
        assert fields["doi"].value.startswith("10.")
    if "url" in fields:
        assert re.match(r"https?://", fields["url"].value)


def test_the_readme_counts_what_rests_on_judgement() -> None:
    judged = [key for key, item in SPEC.parameters.items() if item.judgement]
    assert set(SPEC.parameters) - set(judged) == {"f_m", "eta_S", "th_X"}
    counts = f"Of the {len(SPEC.parameters)} parameters, `model.toml` marks {len(judged)} as judgement"
    assert counts in PAGES
