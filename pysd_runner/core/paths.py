"""Paths of models: those shipped with the package (in a checkout or installed), and those of the user."""

from pathlib import Path

from pysd_runner.core.errors import UnknownName

FILE = "model.mdl"


def models_folder() -> Path:
    """Folder that holds one folder per shipped model."""
    package = Path(__file__).parents[1]
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def model_file(name: str | Path) -> Path:
    """Return the file of a shipped model, of a folder with a ``model.mdl``, or of a path."""
    path = Path(name)
    # The name of a shipped model takes precedence over a folder of the same name.
    is_own = is_there(path / FILE) and not is_shipped(name)
    if path.suffix and not is_own:
        return path
    return (path if is_own else model_folder(str(name))) / FILE


def is_there(path: Path) -> bool:
    """Whether a file exists; False for an invalid file name, such as one that is too long."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_shipped(name: str | Path) -> bool:
    """Whether a model of this name is shipped with the package."""
    return (models_folder() / name / FILE).is_file() and Path(name).name == str(name)


def declarations_beside(file: Path) -> Path:
    """Path of the declarations of a model file, whether or not they exist."""
    return file.with_suffix(".toml")


def model_folder(name: str) -> Path:
    """Folder of one shipped model."""
    shipped = sorted(path.parent.name for path in models_folder().glob(f"*/{FILE}"))
    if name not in shipped:
        raise UnknownName(
            "no shipped model is called {name!r}; shipped: {known}.{suggestion}", name=name, among=shipped
        )
    return models_folder() / name
