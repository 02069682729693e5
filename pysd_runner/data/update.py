"""Update a panel with new figures: what they add, what they revise, and the resulting panel."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import log10
from typing import TYPE_CHECKING, cast

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message
from pysd_runner.core.findings import errors_of
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Record, Texts, frozen
from pysd_runner.data.cells import DERIVED
from pysd_runner.data.checks import JUMP
from pysd_runner.data.dataset import Data
from pysd_runner.data.load import InvalidData, load_data
from pysd_runner.data.names import CURRENCY, VARIABLES
from pysd_runner.data.reading import MONEY
from pysd_runner.data.units import YUAN, factor_for, parse_unit

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["region", "year", "variable"]
# Relative difference below which two figures are the same.
SAME_FIGURE = 1e-9
_SCALES = {
    3: Message("thousand"),
    4: Message("10 thousand"),
    6: Message("million"),
    8: Message("100 million"),
    9: Message("billion"),
}
_NOUNS = {
    "money": Message("yuan"),
    "money per head": Message("yuan per person"),
    "person": Message("persons"),
    "user": Message("users"),
    "port": Message("ports"),
}
_SHARES = {-3: "‰", -2: "%", 0: Message("fraction")}


@frozen
class Update:
    """A panel updated with new figures."""

    before: Data
    panel: Data
    added: "pd.DataFrame"  # figures of cells that were empty, a long table
    revised: "pd.DataFrame"  # figures that differ: old, new, difference in per cent, and the sources of both
    unused: tuple[str, ...]  # columns of the new files that the panel computes from others
    is_national: bool  # whether national series are among the new figures

    @property
    def years(self) -> tuple[int, ...]:
        """Years that the panel did not have."""
        return tuple(sorted(set(self.panel.years) - set(self.before.years)))


def long_table(data: Data, *, derived: Sequence[str] = ()) -> "pd.DataFrame":
    """Observations as commands read them: a long table with names, groups and units for regions, else a wide table."""
    frame = data.to_frame().dropna(subset="value")
    if "flag" not in frame:
        return frame.pivot(index=["time", *data.entities], columns="column", values="value").reset_index()
    frame = frame[(frame["flag"] != DERIVED) | frame["variable"].isin(derived)]
    for column, labels in (
        ("group", {region.code: region.group for region in data.regions}),
        ("region_name", {region.code: region.name_en or region.name_zh for region in data.regions}),
    ):
        if any(labels.values()):
            frame.insert(1, column, frame["region"].map(labels))
    money = frame["variable"].map(lambda name: name in VARIABLES and VARIABLES[name].kind in MONEY)
    basis = f", {data.price_basis}" if data.price_basis else ""
    return frame.assign(unit=frame["unit"].where(~money, frame["unit"] + basis)).reset_index(drop=True)


def observed_in(data: Data) -> list[str]:
    """Columns of a panel that were observed, not computed from others."""
    return [name for name in data.variables if not (data.marks.get(name, np.array("")) == DERIVED).any()]


def check_panel(data: Data) -> None:
    """Raise `InvalidInput` for data that are not a panel, which cannot be updated."""
    if not data.regions:
        raise InvalidInput("new figures are laid over a panel of regions; read a longer table with load_data instead")


def updated(before: Data, new: Data, *, sources: tuple[str, str]) -> Update:
    """Lay new figures over a panel; where both have one, the new one holds.

    Parameters
    ----------
    before
        The panel.
    new
        New figures, read for this panel (``load_data(..., panel=before)``).
    sources
        Names of the two in the table of revisions.

    Raises
    ------
    InvalidPanel
        If the figures are in another unit, currency or price basis, leave a year out, or hold nothing new.
    """
    import pandas as pd

    _check_money(before, new, sources[1])
    taken, unused = _taken(before, new)
    _check_sizes(before, new, taken, sources[1])
    old = long_table(before)
    fresh = (
        long_table(replace(new, price_basis=before.price_basis), derived=taken)
        .query("variable in @taken")
        .assign(source=sources[1])
    )
    both = old.merge(fresh, on=KEYS, suffixes=("_old", "_new"))
    both = both[~np.isclose(both["value_old"], both["value_new"], rtol=SAME_FIGURE, atol=0)]
    added = fresh[~_keys_of(fresh).isin(_keys_of(old))]
    national = {
        name: {**before.national.get(name, {}), **new.national.get(name, {})}
        for name in {**before.national, **new.national}
    }
    if both.empty and added.empty and national == before.national:
        raise (
            InvalidPanel(
                "{file} holds nothing new: of its {count} figures the panel has all, with the same values",
                file=sources[1],
                count=len(fresh),
            )
            if len(fresh)
            else _nothing(sources[1], unused)
        )
    _check_years(before, added, sources[1])
    revised = both.rename(columns={"value_old": "old", "value_new": "new", "unit_old": "unit"}).assign(
        per_cent=100 * (both["value_new"] / both["value_old"] - 1), old_source=sources[0], new_source=sources[1]
    )[[*KEYS, "old", "new", "per_cent", "unit", "old_source", "new_source"]]
    whole = pd.concat([old, fresh], ignore_index=True).drop_duplicates(KEYS, keep="last")
    if before.currency == CURRENCY:
        whole["unit"] = whole["unit"].str.replace(CURRENCY, new.currency)
    panel = _read_again(whole, before, national, max(*before.years, *added["year"]), ", ".join(sources))
    return Update(
        before=before, panel=panel, added=added, revised=revised, unused=unused, is_national=bool(new.national)
    )


def factor_of(data: Data, name: str) -> float:
    """Factor from the unit that a panel's file gives for a column to that of the panel; 1 without a unit."""
    unit = units_of(data).get(name)
    return factor_for(parse_unit(unit), VARIABLES[name].kind) if unit and name in VARIABLES else 1.0


def units_of(data: Data) -> Texts:
    """Units of the columns in the file of a panel."""
    return cast("Texts", data.provenance.get("file_units", {}))


def _taken(before: Data, new: Data) -> tuple[list[str], tuple[str, ...]]:
    """Columns of the new figures that are used, and those that are ignored because the panel computes them."""
    own, observed = observed_in(before), observed_in(new)
    computed = [name for name in before.variables if name not in own]
    taken = [name for name in new.variables if name in own or (name in observed and name not in computed)]
    # A column that only serves to compute another one is not kept.
    served = {need for name in taken if name not in observed for need in VARIABLES[name].needs} - set(own)
    return [name for name in taken if name not in served], tuple(name for name in observed if name in computed)


def _keys_of(frame: "pd.DataFrame") -> "pd.MultiIndex":
    import pandas as pd

    return pd.MultiIndex.from_frame(frame[KEYS])


def _nothing(file: str, unused: Sequence[str]) -> InvalidPanel:
    if unused:
        return InvalidPanel(
            "{file} holds only {columns}, which the panel computes from other columns; give those",
            file=file,
            columns=", ".join(unused),
        )
    return InvalidPanel("{file} holds no figure for this panel", file=file)


def _check_money(before: Data, new: Data, file: str) -> None:
    """Reject figures in another currency, or in other prices."""
    for what, old, found in (
        (Message("currency"), before.currency, new.currency),
        (Message("prices"), before.price_basis, new.price_basis),
    ):
        if old not in ("", CURRENCY, found) and found not in ("", CURRENCY):
            raise InvalidPanel(
                "{file} is in another {what} than the panel: {found}, not {old}; convert it first",
                file=file,
                what=what,
                found=Message(found),
                old=Message(old),
            )


def _check_sizes(before: Data, new: Data, taken: Sequence[str], file: str) -> None:
    """Reject a year in which a column differs from the panel by a large factor in all regions: another unit."""
    rows = [before.codes.index(code) for code in new.codes]
    for name in taken:
        if name not in before or not before.years_with(name):
            continue
        known = before.years_with(name)
        for year in new.years_with(name):
            beside = year if year in known else max((at for at in known if at < year), default=known[0])
            old = before.array(name)[rows, before.years.index(beside)]
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios = new.array(name)[:, new.years.index(year)] / old
            ratios = ratios[np.isfinite(ratios) & (ratios > 0)]
            if ratios.size and ((ratios > JUMP).all() or (ratios < 1 / JUMP).all()):
                _refuse_size(before, new, name, (year, beside), float(np.median(ratios)), file)


def _refuse_size(before: Data, new: Data, name: str, years: tuple[int, int], ratio: float, file: str) -> None:
    read, of_panel = (units_of(data).get(name, "") for data in (new, before))
    told = {"name": name, "unit": _probable(new, name, ratio)}
    if not told["unit"]:
        advice = Message("; write the right one into the heading, or say it with --unit")
    elif read == of_panel:
        advice = Message("; the figures are probably in {unit}: say --unit {name}='{unit}'", **told)
    else:
        advice = Message("; the figures are probably in {unit}: write that into the heading", **told)
    raise InvalidPanel(
        "{file}: {name} of {year} is {ratio} times that of {before} in every region: the unit is wrong{read}{advice}",
        file=file,
        name=name,
        year=years[0],
        ratio=three_digits(ratio),
        before=years[1],
        read=Message("; it was read as {unit}", unit=read) if read else "",
        advice=advice,
    )


def _probable(new: Data, name: str, ratio: float) -> str:
    """The unit in which the new figures would be in line with the panel; empty if there is none."""
    kind = VARIABLES[name].kind if name in VARIABLES else "index"
    power = round(log10(factor_of(new, name) / ratio))
    if kind == "share":
        return _SHARES.get(power, "")
    if kind not in _NOUNS or (power and power not in _SCALES):
        return ""
    noun = _NOUNS[kind] if new.currency in (YUAN, CURRENCY) or kind not in MONEY else new.currency
    return Message("{scale} {noun}", scale=_SCALES[power], noun=noun) if power else noun


def _check_years(before: Data, added: "pd.DataFrame", file: str) -> None:
    """Reject figures that leave out a year between them and the panel."""
    years = sorted({*before.years, *added["year"]})
    usual = max(np.diff(before.years), default=1)
    for early, late in pairwise(years):
        if late - early > usual:
            raise InvalidPanel(
                "{file}: nothing is given for {lacking} between {early} and {late}; add it, changes are compared from "
                "year to year",
                file=file,
                lacking=spans(list(range(early + 1, late))),
                early=early,
                late=late,
            )


def _read_again(frame: "pd.DataFrame", before: Data, national: Record, last: int, where: str) -> Data:
    """Read the merged table as a panel, with all checks."""
    order = {name: place for place, name in enumerate(dict.fromkeys(frame["variable"]))}
    places = {code: place for place, code in enumerate(before.codes)}
    frame = frame.assign(_of=frame["variable"].map(order), _at=frame["region"].map(places))
    frame = frame.sort_values(["_of", "_at", "year"], kind="stable").drop(columns=["_of", "_at"])
    try:
        data = load_data(frame, regions=list(before.regions), national=national, panel=True)
    except InvalidData as error:
        # Row numbers of the merged table would not help the user.
        raise InvalidData([replace(item, row=None) for item in errors_of(error.problems)], where) from error
    stem = before.name.removesuffix(f"-{before.years[-1]}")
    doubts = tuple(replace(item, row=None, column="") for item in data.problems)
    return replace(data, name=f"{stem}-{last}", provenance=before.provenance, problems=doubts)


def spans(years: Sequence[int]) -> str:
    """Format years as text, consecutive years as ranges.

    >>> spans([2019, 2020, 2021, 2024])
    '2019-2021, 2024'
    """
    parts: list[list[int]] = []
    for year in years:
        if parts and year == parts[-1][-1] + 1:
            parts[-1].append(year)
        else:
            parts.append([year])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)
