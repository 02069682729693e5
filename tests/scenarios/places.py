"""Regions, a small model and a way to write scenario files, for the tests of scenarios."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pysd_runner.core.errors import UnknownName, suggest
from pysd_runner.core.paths import model_folder
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.spec import ModelSpec, load_spec
from pysd_runner.spec.design import StudyDesign, design_of

SPEC = load_spec(model_folder("regional_digital") / "model.toml")
assert SPEC.bindings is not None
POLICY_VARIABLES = SPEC.bindings.policy
LEVERS = tuple(lever.element for lever in SPEC.levers.values())
CLASSES = ("Frontier", "Transition", "Lagging")


@dataclass(frozen=True)
class Place:
    code: str
    name_en: str
    name_zh: str
    group: str


REGIONS = (
    Place("110000", "Beijing", "北京", "East"),
    Place("620000", "Gansu", "甘肃", "West"),
    Place("150000", "Inner Mongolia", "内蒙古", "West"),
    Place("0110", "Ostrava", "俄斯特拉发", "North"),
    Place("NO", "Norway", "挪威", "North"),
    Place("on", "Ontario", "安大略", ""),
)


@dataclass(frozen=True)
class Named:
    name: str
    dims: tuple[str, ...] = ()
    kind: str = "constant"


_DIMS: dict[str, tuple[str, ...]] = {
    "Uniform Mix": ("Lever",),
    "Mix by Class": ("Lever", "Class"),
    "Region Target": ("Region",),
    "Class Target": ("Class",),
    "Pilot Region": ("Region",),
    "Initial Access Share": ("Region",),
}
_OTHERS = ("Homogenisation Sensitivity", "Initial Access Share", "Skill Obsolescence Rate")


def _variables() -> dict[str, Named]:
    constants = {name: Named(name, _DIMS.get(name, ())) for name in (*POLICY_VARIABLES.values(), *_OTHERS)}
    return constants | {
        "Output": Named("Output", ("Region",), "auxiliary"),
        "TIME STEP": Named("TIME STEP", (), "control"),
    }


@dataclass(frozen=True)
class SmallModel:
    """What scenarios need of a model, without a simulation behind it."""

    name: str = "regional_digital"
    path: Path = field(default_factory=lambda: model_folder("regional_digital") / "model.mdl")
    spec: ModelSpec | None = field(default_factory=lambda: load_spec(model_folder("regional_digital") / "model.toml"))
    ranges: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "Region": tuple(f"R{position + 1:03d}" for position in range(len(REGIONS))),
            "Lever": LEVERS,
            "Class": CLASSES,
        }
    )
    variables: Mapping[str, Named] = field(default_factory=_variables)

    @property
    def declarations(self) -> ModelSpec:
        return self.spec or ModelSpec(name=self.name)

    def find(self, name: str) -> str:
        keys = {} if self.spec is None else {key: item.variable for key, item in self.spec.parameters.items()}
        known = {variable.casefold(): variable for variable in self.variables}
        found = known.get(name.casefold(), keys.get(name))
        if found is None:
            raise UnknownName(f"model.mdl has no variable {name!r}.{suggest(name, self.variables)}")
        return found

    @property
    def design(self) -> StudyDesign:
        return design_of(self.spec)


def write(folder: Path, body: str, name: str = "mine.yaml") -> Path:
    """Write a scenario file; a body without `schema` gets it as its first line."""
    file = folder / name
    file.write_text(body if "schema" in body else f"schema: 1\n{body}", encoding="utf-8")
    return file


def loaded(folder: Path, body: str, **options: object) -> Scenario:
    return load_scenario(write(folder, body), **options)  # type: ignore[arg-type]
