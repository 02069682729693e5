"""Where the shipped models lie, in a checkout and when installed."""

from pathlib import Path

from pysd_runner.core.errors import UnknownName, suggest


def models_folder() -> Path:
    """Folder that holds one folder per shipped model."""
    package = Path(__file__).parents[1]
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def model_folder(name: str) -> Path:
    """Folder of one shipped model."""
    shipped = sorted(path.parent.name for path in models_folder().glob("*/model.mdl"))
    if name not in shipped:
        raise UnknownName(
            f"no shipped model is called {name!r}; shipped: {', '.join(shipped)}.{suggest(name, shipped)}"
        )
    return models_folder() / name
