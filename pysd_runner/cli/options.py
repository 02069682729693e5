"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Language(StrEnum):
    """Language of labels."""

    EN = "en"
    ZH = "zh"


Lang = Annotated[Language, typer.Option("--lang", help="Language of labels: en or zh.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Decides every random draw; the same seed gives the same numbers.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="COLUMN=NAME", help="What a heading of the panel means, for instance Jahr=year; repeatable."
    ),
]
Unit = Annotated[
    list[str] | None,
    typer.Option(
        "--unit", metavar="NAME=UNIT", help="Unit the panel does not give: output='100 million yuan'; repeatable."
    ),
]
MappingFile = Annotated[
    Path | None, typer.Option("--mapping", help="Mapping file (YAML) for the headings, units and regions of the panel.")
]
RegionFile = Annotated[
    str | None, typer.Option("--regions", help="Region file: code, names, class, tile; or the name of a shipped panel.")
]
NationalFile = Annotated[Path | None, typer.Option("--national", help="File of national series.")]
Encoding = Annotated[str | None, typer.Option("--encoding", help="Encoding of a text file, when it is not recognised.")]
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
