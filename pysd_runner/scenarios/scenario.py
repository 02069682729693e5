"""Scenarios: a named policy plus assumptions, or changes to the constants of a model."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, fields, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pysd_runner.core.errors import InvalidScenario, Message, suggest
from pysd_runner.core.types import Array, Numbers, Record, Texts, frozen
from pysd_runner.scenarios.policy import (
    CHANGES_SCHEMA,
    SCHEMA_VERSION,
    Change,
    FrozenMapping,
    Policy,
    Schedule,
    plain_change,
    read_change,
    said_change,
)
from pysd_runner.text import LANGUAGES, in_both

if TYPE_CHECKING:  # numpy is not imported by a session that only lists scenarios
    from pathlib import Path

    from numpy.typing import ArrayLike

    from pysd_runner.data import Entity
    from pysd_runner.engine import TimePath
    from pysd_runner.model import Model

    ModelValue = float | Array | TimePath

BASELINE = "baseline"
NO_POLICY = Policy()
NO_CHANGES: FrozenMapping[Change] = FrozenMapping()
# Keys of a stored scenario that scenario files do not have.
_EXTRA = ("assumption_set", "changes", "reference", "model")


@frozen
class Scenario:
    """A named policy plus assumptions; for a model without a policy, changes to its constants.

    Parameters
    ----------
    name
        Short name, unique in a run.
    label, note
        Display name, and purpose of the scenario; keys ``"en"`` and ``"zh"``.
    policy
        The policy.
    assumptions
        Values of constants that are not policy, by parameter key or name in the model; the baseline shares them.
    assumption_set
        Name of the scenario that defined the assumptions; empty without any.
    changes
        Changes to constants, by name of a constant or of an element of one; those that are not read yet, as in
        ``Scenario({"Contact Rate": "x0.5"})``, are read as by `of`.
    equations
        Equations of change files for tables and texts, each with the file and line it is from.
    written
        Dotted keys of the policy settings that differ from the reference.
    reference
        The baseline that the scenario modifies; None for a baseline.
    compare_with
        Shipped scenarios with which results of this one must be shown.
    model
        Name of the model whose policy it is; empty for a scenario of `changes`, which works with any model.
    warnings
        Unusual settings in the files; ignored when scenarios are compared.
    """

    name: str = "scenario"
    label: Texts = FrozenMapping()
    note: Texts = FrozenMapping({"en": "", "zh": ""})
    policy: Policy = NO_POLICY
    assumptions: Numbers = FrozenMapping()
    assumption_set: str = ""
    changes: Mapping[str, Change] = field(default=NO_CHANGES, kw_only=False)
    equations: tuple[tuple[str, str], ...] = ()
    written: tuple[str, ...] = ()
    reference: "Scenario | None" = None
    compare_with: tuple[str, ...] = ()
    model: str = "regional_digital"
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        changes = _read(self.name, self.changes)
        if changes and self.model:
            object.__setattr__(self, "model", "")
            object.__setattr__(self, "label", both_languages(self.label, self.name))
        object.__setattr__(self, "changes", changes)
        for name in ("label", "note", "assumptions", "changes"):
            object.__setattr__(self, name, FrozenMapping(getattr(self, name)))

    @classmethod
    def of(cls, name: str, changes: Record, *, label: str | Texts = "", note: str | Texts = "") -> "Scenario":
        """Make a scenario of any model.

        Parameters
        ----------
        name
            Short name.
        changes
            By name of a constant, or of an element as ``"Contact Rate[north]"``: a number; a text such as ``"x0.8"`` or
            ``"-20 %"``; or a schedule ``{20: 4, 40: "x0.5", "interpolate": "linear"}``, whose times are moments of the
            model, or years and dates such as ``"2026-06-01"``.
        label, note
            Display name, and purpose of the scenario; one for both languages, or keys ``"en"`` and ``"zh"``.

        Returns
        -------
        Scenario
            The scenario; names of constants are checked when it is used with a model.

        Raises
        ------
        InvalidScenario
            If a value is none of these.

        Examples
        --------
        >>> Scenario.of("lockdown", {"Contact Rate": {20: "x0.5", 40: 9}}).describe()
        ('Contact Rate: -50 % from 20 then 9 from 40',)
        """
        if not isinstance(name, str) or not name.strip():
            raise InvalidScenario("a scenario needs a name; found {found!r}", found=name)
        return cls(changes, name=name, label=both_languages(label, name), note=both_languages(note), model="")

    def baseline(self) -> "Scenario":
        """Build the no-policy scenario under the same assumptions.

        Returns
        -------
        Scenario
            The scenario with which this one must be compared; itself if it spends nothing. Its name is
            ``baseline``, or ``baseline_`` and the name of the set of assumptions.
        """
        if not self.model:
            return Scenario.of(BASELINE, {}, label=in_both("scenario.none"))
        if not self.policy.spends:
            return self
        root = self.reference or self
        if root is not self and root.assumptions == self.assumptions and not root.policy.spends:
            return root
        under = self.assumption_set
        return replace(
            root,
            name=f"{BASELINE}_{under}" if under else BASELINE,
            label=FrozenMapping(
                in_both("scenario.no_policy_under", assumptions=under) if under else in_both("scenario.no_policy")
            ),
            policy=replace(root.policy, budget=0.0) if root.policy.spends else root.policy,
            assumptions=self.assumptions,
            assumption_set=under,
            compare_with=(),
            warnings=(),
        )

    @property
    def baseline_name(self) -> str:
        """Name of the scenario that this one must be compared with."""
        return self.baseline().name

    def with_(self, *, name: str = "", assumptions: Numbers | None = None, **policy: Any) -> "Scenario":
        """Copy the scenario with changed policy settings or assumptions: ``zoned.with_(budget=0.006)``.

        Parameters
        ----------
        name
            Name of the new scenario; empty composes one from the old name and the changes.
        assumptions
            Assumptions to add or override, by parameter key or name in the model.
        **policy
            Settings of `Policy`: ``budget``, ``mix``, ``redistribution``, ``start``, ``regions``, ...

        Returns
        -------
        Scenario
            The new scenario, with the same reference.

        Raises
        ------
        InvalidScenario
            If nothing is changed, there is no such setting, or the policy is invalid.
        """
        known = tuple(item.name for item in fields(Policy))
        for key in policy:
            if key not in known:
                raise InvalidScenario(
                    "a policy has no setting {setting!r}; it has {known}.{suggestion}",
                    setting=key,
                    known=", ".join(known),
                    suggestion=suggest(key, known),
                )
        assumed = assumptions or {}
        if not policy and not assumed:
            raise InvalidScenario("nothing is changed; name a setting, as in with_(budget=0.006)")
        parts = [f"{key} {_short(value)}" for key, value in (*policy.items(), *assumed.items())]
        called = name or "_".join([self.name, *(re.sub(r"[^\w.-]+", "_", part) for part in parts)])
        label = {lang: name or f"{text} ({', '.join(parts)})" for lang, text in (self.label or {"en": called}).items()}
        made = replace(self.policy, **policy)
        before, after = self.policy.settings(), made.settings()
        written = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return notices(
            replace(
                self,
                name=called,
                label=label,
                policy=made,
                assumptions={**self.assumptions, **assumed},
                assumption_set=called if assumed else self.assumption_set,
                written=tuple(dict.fromkeys([*self.written, *written])),
                reference=self.reference or self,
                warnings=(),
            )
        )

    def values(
        self,
        model: "Model",
        regions: "Sequence[Entity]",
        *,
        default_start: float | None = None,
        times: "ArrayLike | None" = None,
    ) -> "dict[str, ModelValue]":
        """Values of the model's variables under this scenario.

        Parameters
        ----------
        model
            The loaded model.
        regions
            Regions in the order of the model's ``Region`` range.
        default_start
            Start year of a policy without one; usually the first year after the origin.
        times
            Years of the run, shape (year,); a policy that spends nothing in any of them is refused.

        Returns
        -------
        dict
            A number, an array with the dimensions of the variable, or a `TimePath`, by model variable. Pass them to
            the simulation after inputs and parameters, which they override.

        Raises
        ------
        InvalidScenario
            If names do not exist in the model or the regions, or the policy never spends; lists all problems.
        """
        from pysd_runner.scenarios.lowering import lower

        return lower(self, model, regions, default_start=default_start, times=times)

    def describe(self, lang: str = "en") -> tuple[str, ...]:
        """Describe the scenario in words: every lever, its path over time, and the differences from the baseline.

        Parameters
        ----------
        lang
            ``"en"`` or ``"zh"``.

        Returns
        -------
        tuple of str
            Lines of text.

        Raises
        ------
        InvalidInput
            If there is no such language.
        """
        if not self.model:
            changed = (f"{name}: {said_change(change, lang)}" for name, change in self.changes.items())
            return (*changed, *(text for text, _ in self.equations))
        from pysd_runner.scenarios.vocabulary import describe

        return describe(self, lang)

    def to_dict(self) -> Record:
        """Convert the scenario to plain data that JSON stores exactly.

        Returns
        -------
        dict
            Self-contained data, from which `from_dict` restores the scenario without any file.
        """
        if not self.model:
            changes = {name: plain_change(change) for name, change in self.changes.items()}
            texts = {"label": dict(self.label), "note": dict(self.note)}
            equations = {"equations": [list(item) for item in self.equations]} if self.equations else {}
            return {"schema": CHANGES_SCHEMA, "name": self.name, **texts, "changes": changes, **equations}
        from pysd_runner.scenarios.document import plain_policy

        return {
            "schema": SCHEMA_VERSION,
            "name": self.name,
            "label": dict(self.label),
            "note": dict(self.note),
            "extends": [],
            "compare_with": list(self.compare_with),
            "policy": plain_policy(self.policy),
            "assumptions": dict(self.assumptions),
            "assumption_set": self.assumption_set,
            "changes": list(self.written),
            "reference": None if self.reference is None else self.reference.to_dict(),
            "model": self.model,
        }

    def save(self, path: "str | Path") -> "Path":
        """Write the scenario to a file for ``gapsim run`` (atomic write).

        Parameters
        ----------
        path
            File to write, with the extension ``.yaml``.

        Returns
        -------
        Path
            The file.
        """
        import io

        from ruamel.yaml import YAML

        from pysd_runner.export.files import write_text_whole

        left_out = _EXTRA if self.model else ()
        plain = {key: value for key, value in self.to_dict().items() if key not in left_out and value not in ([], {})}
        stream = io.StringIO()
        writer = YAML()
        writer.default_flow_style = False
        writer.allow_unicode = True
        writer.width = 120
        writer.dump(plain, stream)
        return write_text_whole(path, stream.getvalue())

    @staticmethod
    def from_dict(stored: Record) -> "Scenario":
        """Restore a scenario from the data of `to_dict`.

        Parameters
        ----------
        stored
            Plain data.

        Returns
        -------
        Scenario
            Equal to the one that was stored.

        Raises
        ------
        InvalidScenario
            If the data are not those of a scenario; lists all problems.
        """
        if isinstance(stored, Mapping) and stored.get("schema") == CHANGES_SCHEMA:
            plain = Scenario.of(stored["name"], stored["changes"], label=stored["label"], note=stored["note"])
            return replace(plain, equations=tuple((text, place) for text, place in stored.get("equations", ())))
        from pysd_runner.scenarios.checks import stored_file
        from pysd_runner.scenarios.document import as_list, policy_settings
        from pysd_runner.scenarios.vocabulary import Vocabulary

        file = stored_file(stored, _EXTRA)
        reference = stored.get("reference")
        return Scenario(
            name=file["name"],
            label=both_languages(file.get("label"), file["name"]),
            note=both_languages(file.get("note")),
            policy=Policy.from_settings(policy_settings(file.get("policy") or {}, Vocabulary())),
            assumptions={key: float(value) for key, value in (file.get("assumptions") or {}).items()},
            assumption_set=str(stored.get("assumption_set", "")),
            written=tuple(stored.get("changes", ())),
            reference=None if reference is None else Scenario.from_dict(reference),
            compare_with=as_list(file.get("compare_with", ())),
            model=str(stored.get("model", "")),
        )


def _read(name: str, changes: Record) -> dict[str, Change]:
    """Changes of constants in stored form, from stored ones and those that a caller wrote."""
    if not isinstance(changes, Mapping):
        raise InvalidScenario(
            "scenario {scenario!r}: changes are a mapping from constants to values; found {found!r}",
            scenario=name,
            found=changes,
        )
    found = {}
    for variable, value in changes.items():
        if not isinstance(variable, str):
            raise InvalidScenario(
                "scenario {scenario!r}: a constant is named by a text; found {found!r}", scenario=name, found=variable
            )
        found[variable] = read_change(value, Message("scenario {name!r}: {variable}", name=name, variable=variable))
    return found


def both_languages(text: str | Texts | None, default: str = "") -> FrozenMapping[str]:
    """Text by language; a missing language falls back to the other, then to `default`."""
    given = {"en": text} if text is None or isinstance(text, str) else dict(text)
    other = next((item for item in given.values() if item), default)
    return FrozenMapping((lang, given.get(lang) or other) for lang in LANGUAGES)


def _short(value: Any) -> str:
    """Format a changed setting for the name of a scenario."""
    if isinstance(value, int | float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "changed"


def notices(scenario: Scenario) -> Scenario:
    """Add warnings about settings without effect to a scenario."""
    return replace(scenario, warnings=(*scenario.warnings, *_without_effect(scenario)))


def _paid(policy: Policy) -> set[str]:
    """Levers with a positive share in a mix that is in use."""
    used: list[Any] = [] if policy.differentiation == 1 else [policy.mix]
    used += list(policy.class_mixes.values()) if policy.differentiation else []
    mixes: list[Numbers] = []
    for item in used:
        mixes += item.values if isinstance(item, Schedule) else [item or {}]
    return {lever for mix in mixes for lever, share in mix.items() if share > 0}


def _without_effect(scenario: Scenario) -> Iterator[str]:
    policy = scenario.policy
    changed = set(scenario.written)
    if not policy.spends:
        if changed:
            yield Message("no money is spent, so the policy changes nothing; set `policy.budget`.")
        return
    if policy.levers and not any(policy.levers.get(key, True) for key in _paid(policy)):
        yield Message("every lever with money is off, so nothing is spent; see `policy.levers`.")
    if policy.differentiation == 0 and any(key.startswith("class_mixes.") for key in changed):
        yield Message("the class mixes have no effect at differentiation 0; set `policy.differentiation`.")
    if policy.differentiation == 1 and "mix" in changed:
        yield Message("the mix has no effect at differentiation 1; write `policy.class_mixes`, or lower that.")


def scenario_template(lang: str = "en") -> str:
    """Return a commented example of a scenario file, which can be loaded unchanged.

    Parameters
    ----------
    lang
        Language of the comments, ``"en"`` or ``"zh"``.

    Returns
    -------
    str
        YAML.
    """
    return files("pysd_runner.scenarios").joinpath(f"template{'.zh' * (lang == 'zh')}.yaml").read_text("utf-8")
