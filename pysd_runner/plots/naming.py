"""Names as they can be printed: in the language wanted and in glyphs the fonts have."""

from dataclasses import dataclass

import xarray as xr

from pysd_runner.plots.arrays import position_of, region_label, scenario_label
from pysd_runner.plots.fonts import can_draw
from pysd_runner.text import say


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Printed names of the scenarios and regions of an array."""

    values: xr.DataArray  # an array in layout
    lang: str
    is_drawn: bool = True  # whether the fonts have to draw the names; a sentence needs none

    def scenario(self, name: str) -> str:
        """Printed name of a scenario."""
        wanted = (scenario_label(self.values, name, self.lang), scenario_label(self.values, name, "en"), name)
        return next((text for text in wanted if self._fits(text)), f"#{self._position('scenario', name)}")

    def region(self, code: str) -> str:
        """Printed name of a region."""
        wanted = (region_label(self.values, code, self.lang), region_label(self.values, code, "en"), code)
        fitting = next((text for text in wanted if self._fits(text)), None)
        return fitting or say("region.position", self.lang, position=self._position("region", code))

    def _fits(self, text: str) -> bool:
        """Whether a name can be used."""
        return not self.is_drawn or can_draw(text)

    def _position(self, dim: str, label: str) -> int:
        """Position from one."""
        return position_of(self.values, dim, label) + 1
