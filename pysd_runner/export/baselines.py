"""What each scenario is compared with: one baseline for all, or one for each."""

from collections.abc import Mapping, Sequence

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest


def baselines_of(scenarios: Sequence[str], baseline: str | Mapping[str, str]) -> dict[str, str]:
    """Baseline of each scenario that has one.

    >>> baselines_of(["baseline", "zoned"], "baseline")
    {'zoned': 'baseline'}
    """
    # Scenarios under other assumptions need a baseline of their own: a policy and its baseline must share everything
    # but the policy.
    found = dict.fromkeys(scenarios, baseline) if isinstance(baseline, str) else dict(baseline)
    lacking = [name for name in scenarios if name not in found]
    if lacking:
        raise InvalidInput(f"baseline: no entry for {', '.join(map(repr, lacking))}; each scenario needs one")
    pairs = {name: found[name] for name in scenarios}
    for name in pairs.values():
        if name not in scenarios:
            known = ", ".join(scenarios)
            raise UnknownName(f"no scenario is called {name!r}; there are {known}.{suggest(name, scenarios)}")
    references = set(pairs.values())
    compared = {name: other for name, other in pairs.items() if name not in references}
    if not compared:
        raise InvalidInput(f"there is no scenario besides {', '.join(sorted(references))} to compare with it")
    return compared
