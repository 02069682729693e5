"""Options that several commands share."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

SHIPPED_PANEL = "china"


class Language(StrEnum):
    """Language of labels."""

    EN = "en"
    ZH = "zh"


Lang = Annotated[Language, typer.Option("--lang", help="Language of labels: en or zh.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Decides every random draw; the same seed gives the same numbers.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results [default: a new one under results/].")]
Draws = Annotated[
    int | None, typer.Option("--draws", min=1, help="Number of draws; 1 gives central values alone [default: 2500].")
]
# A search runs the model hundreds of times with every draw.
SearchDraws = Annotated[
    int | None, typer.Option("--draws", min=1, help="Number of draws; 1 gives central values alone [default: 200].")
]
Until = Annotated[int | None, typer.Option("--until", metavar="YEAR", help="Last year [default: 2040].")]
YuanPerUnit = Annotated[
    float | None,
    typer.Option(
        "--yuan-per-unit", help="Yuan for one unit of the panel's currency: the money of cost parameters [default: 1]."
    ),
]
OptionalSeed = Annotated[
    int | None,
    typer.Option("--seed", min=0, help="Decides every random draw; the same seed gives the same numbers [default: 0]."),
]
ShownRegions = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        metavar="REGION",
        help="Region shown in figures, by name or code; repeatable [default: six of them].",
    ),
]
ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor",
        metavar="threads|processes|tcp://HOST:PORT",
        help="Where independent parts of the work are done at the same time; an address is that of a dask scheduler. "
        "Results do not depend on it.",
    ),
]
StoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--store",
        "--checkpoint",
        metavar="FOLDER",
        file_okay=False,
        help="Keeps finished parts of the work; the same command again goes on where it stopped.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run starts from: panel, fit, horizon, draws; None stands for what is usual."""

    panel: Annotated[
        str | None, typer.Option("--panel", help="Panel file, or the name of a shipped panel [default: china].")
    ] = None
    fit: Annotated[
        Path | None,
        typer.Option("--fit", help="What `gapsim calibrate` wrote; without it every parameter has its prior."),
    ] = None
    until: Until = None
    draws: Draws = None
    seed: OptionalSeed = None
    yuan_per_unit: YuanPerUnit = None
    is_open: Annotated[
        bool, typer.Option("--open-loop", help="Follow the model alone instead of starting from a forecast.")
    ] = False

    @property
    def settings(self) -> dict[str, Any]:
        """Numbers of the run."""
        names = ("until", "draws", "seed", "yuan_per_unit")
        return {name: getattr(self, name) for name in names}

    @property
    def source(self) -> str:
        """The panel: its file or shipped name."""
        return self.panel or SHIPPED_PANEL

    @property
    def folder(self) -> Path | None:
        """Folder of the fit, which keeps the forecast without policy."""
        return self.fit if self.fit is not None and self.fit.is_dir() else None
