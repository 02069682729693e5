"""What a caller may give for a model and its data, wherever one is taken: objects, paths, names, frames."""

from pathlib import Path
from typing import TYPE_CHECKING

from pysd_runner.data import Data, load_data
from pysd_runner.model import Model, load_model

if TYPE_CHECKING:
    from pysd_runner.data.sources import AnySource


def loaded(model: Model | str | Path, data: "Data | AnySource | None") -> tuple[Model, Data | None]:
    """Load the model and data if needed; a model given by name gets as many regions as the panel."""
    if not (data is None or isinstance(data, Data)):
        known = model if isinstance(model, Model) else load_model(model)
        data = load_data(data, panel=True if known.design.entity else None)
    if isinstance(model, Model):
        return model, data if data is None else data.for_model(regional=bool(model.design.entity))
    return load_model(model, regions=len(data.regions) if data is not None and data.regions else None), data
