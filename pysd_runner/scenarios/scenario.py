"""A scenario: a named policy plus assumptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pysd_runner.scenarios.frozen import FrozenMapping
from pysd_runner.scenarios.policy import Policy
from pysd_runner.text import in_both

if TYPE_CHECKING:  # numpy and pydantic stay out of a session that only lists scenarios
    from pathlib import Path

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from pysd_runner.engine import TimePath
    from pysd_runner.scenarios.changes import ModelScenario
    from pysd_runner.scenarios.regions import ScenarioRegion
    from pysd_runner.scenarios.vocabulary import ScenarioModel, Vocabulary

    ModelValue = float | NDArray[np.float64] | TimePath

BASELINE = "baseline"
NO_POLICY = Policy()


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A named policy plus assumptions.

    Parameters
    ----------
    name
        Short name, unique in a run.
    label, note
        Name for people, and what the scenario is for; keys ``"en"`` and ``"zh"``.
    policy
        What is chosen.
    assumptions
        What is not chosen, by parameter key or name in the model. The baseline runs under the same ones.
    assumption_set
        Name of the scenario the assumptions came from; empty without any.
    changes
        Dotted keys of the policy that were written on top of the reference.
    reference
        The baseline the scenario is a delta on; None for a baseline.
    compare_with
        Shipped scenarios that must be shown beside this one.
    model
        Name of the model.
    warnings
        What was unusual in the files; no part of the scenario's identity.
    """

    name: str
    label: Mapping[str, str]
    note: Mapping[str, str] = FrozenMapping({"en": "", "zh": ""})
    policy: Policy = NO_POLICY
    assumptions: Mapping[str, float] = FrozenMapping()
    assumption_set: str = ""
    changes: tuple[str, ...] = ()
    reference: "Scenario | None" = None
    compare_with: tuple[str, ...] = ()
    model: str = "regional_digital"
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for name in ("label", "note", "assumptions"):
            object.__setattr__(self, name, FrozenMapping(getattr(self, name)))

    @staticmethod
    def of(name: str, changes: Mapping[str, Any], *, label: str = "", note: str = "") -> "ModelScenario":
        """Make a scenario of any model; see `pysd_runner.scenarios.changes.scenario_of`.

        Parameters
        ----------
        name
            Short name.
        changes
            By name of a constant: a number, a change such as ``"-20 %"``, or a schedule ``{20: 4, 40: 9}``.
        label, note
            Name for people, and what it is for.
        """
        from pysd_runner.scenarios.changes import scenario_of

        return scenario_of(name, changes, label=label, note=note)

    def baseline(self) -> "Scenario":
        """No-policy scenario under the same assumptions.

        Returns
        -------
        Scenario
            What this scenario must be compared with; itself when it spends nothing. It is called
            ``baseline``, or ``baseline_`` and the name of the set of assumptions.
        """
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

    def with_(self, *, name: str = "", assumptions: Mapping[str, float] | None = None, **policy: Any) -> "Scenario":
        """The same scenario with another policy or other assumptions: ``zoned.with_(budget=0.006)``.

        Parameters
        ----------
        name
            Of the new scenario; empty makes one of the old name and what changes.
        assumptions
            Added to those there are, by parameter key or name in the model.
        **policy
            Settings of `Policy`: ``budget``, ``mix``, ``redistribution``, ``start``, ``regions``, ...

        Returns
        -------
        Scenario
            Of the same baseline.

        Raises
        ------
        InvalidScenario
            If nothing is changed, there is no such setting, or the policy cannot be.
        """
        from pysd_runner.scenarios.changes import with_changes

        return with_changes(self, name, assumptions or {}, policy)

    def values(
        self,
        model: "ScenarioModel",
        regions: "Sequence[ScenarioRegion]",
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
            Year in which a policy starts that names none; usually the first year after the origin.
        times
            Years of the run, shape (k,); a policy that would not act in any of them is refused.

        Returns
        -------
        dict
            From variable to a number, an array shaped like the variable, or a `TimePath`. Give them to the
            simulation after inputs and parameters, so that they win.

        Raises
        ------
        InvalidScenario
            If names do not exist in the model or the regions, or the policy never acts; lists all of it.
        """
        from pysd_runner.scenarios.lowering import lower

        return lower(self, model, regions, default_start=default_start, times=times)

    def describe(self, lang: str = "en", *, vocabulary: "Vocabulary | None" = None) -> tuple[str, ...]:
        """Scenario in words: every lever, its path over time, and what differs from the baseline.

        Parameters
        ----------
        lang
            ``"en"`` or ``"zh"``.
        vocabulary
            Labels of levers and classes; default: those of the shipped model of that name.

        Returns
        -------
        tuple of str
            Lines.

        Raises
        ------
        InvalidInput
            If there is no such language.
        """
        from pysd_runner.scenarios.description import describe

        return describe(self, lang, vocabulary)

    def to_dict(self) -> dict[str, Any]:
        """Scenario as plain data that JSON keeps exactly.

        Returns
        -------
        dict
            Self-contained: it replays without any file.
        """
        from pysd_runner.scenarios.stored import to_dict

        return to_dict(self)

    def save(self, path: "str | Path") -> "Path":
        """Write the scenario to a file that ``gapsim run`` takes, whole or not at all.

        Parameters
        ----------
        path
            File to write, with the ending ``.yaml``.

        Returns
        -------
        Path
            The file.
        """
        from pysd_runner.export.files import write_text_whole
        from pysd_runner.scenarios.stored import to_yaml

        return write_text_whole(path, to_yaml(self))

    @staticmethod
    def from_dict(stored: Mapping[str, Any]) -> "Scenario":
        """Scenario from what `to_dict` gave.

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
            If the data are not those of a scenario; lists everything found.
        """
        from pysd_runner.scenarios.stored import from_dict

        return from_dict(stored)
