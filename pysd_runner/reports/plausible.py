"""Whether effects of policies lie where evidence from outside the model puts them."""

from collections.abc import Iterator

import numpy as np

from pysd_runner.core.numbers import interval, written
from pysd_runner.policy.comparison import Comparison
from pysd_runner.reports.phrases import say
from pysd_runner.spec import ModelSpec


def implausible(comparison: Comparison, spec: ModelSpec, lang: str) -> Iterator[str]:
    """Name the policies whose median effect lies outside the declared range."""
    for key, item in spec.plausible.items():
        if key not in comparison.effects:
            continue
        medians = comparison.effects[key].median("draw").to_series()
        outside = medians[(medians < item.lower) | (medians > item.upper)]
        if outside.empty:
            continue
        worst = str(outside.index[int(np.argmax(np.abs(outside.to_numpy())))])
        yield say(
            "implausible",
            lang,
            effect=getattr(item, lang),
            range=interval(item.lower, item.upper, 1),
            count=len(outside),
            all=len(medians),
            policy=str(comparison.scenarios[worst].label.get(lang, worst)),
            value=written(float(outside[worst]), 1),
        )
