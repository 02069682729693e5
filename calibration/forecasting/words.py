"""Summarise a forecast in words: one paragraph for a panel of regions, a list of sentences for a table."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from calibration.forecasting.models import FILTERED, FINAL, MODEL
from pysd_runner.core.calendar import said_time
from pysd_runner.core.errors import Message, joined
from pysd_runner.core.numbers import spoken
from pysd_runner.core.types import Array, Record, Texts
from pysd_runner.indicators.events import is_gap_to_mean
from pysd_runner.text import texts, translated

if TYPE_CHECKING:
    from calibration.forecasting.model_forecaster import LearntModel, StockFilter
    from calibration.forecasting.outlook import Outlook
    from calibration.forecasting.target import Target

# Smallest relative change of a region that is reported.
MOVE = 0.005
# Relative change of dispersion below which it is reported as unchanged.
DISPERSION_CHANGE = 0.01
# Maximum number of regions named in a sentence; further ones are counted.
NAMED = 3
# Minimum distance from 1 of the error ratio to persistence for a forecast to be called better or worse.
RATIO_DIFFERENCE = 0.005
# Brier score of a constant probability of 1/2.
COIN = 0.25
# Minimum number of origins for a score to count in the verdict; scores from fewer are only reported.
LEAST_ORIGINS = 8
# Maximum ratio of error and CRPS to those of persistence for a mixture to count as better.
GAIN = 0.98


def paragraph(outlook: "Outlook", lang: str = "en") -> str:
    """Describe the forecast of a panel, its uncertainty, event probabilities, past scores and members."""
    words = texts(lang, "forecast")
    parts = [_spread(outlook, words), *_silent(outlook, words, lang), *_regions(outlook, words, lang)]
    parts += [
        words["event"].format(
            event=item.event,
            when=words["until_then" if item.is_ever else "then_alone"].format(year=item.year),
            probability=chance(item.probability),
            whom=words["to_mean"] if is_gap_to_mean(item.event) else "",
        )
        for item in outlook.chances
    ]
    if outlook.past:
        parts.append(_past(outlook, words))
    return words["gap"].join([*parts, _made_of(outlook, words, lang)])


def percent(share: float, *, signed: bool = False) -> str:
    """A share in whole per cent, halves rounded away from zero."""
    # A decimal half may be slightly less in binary.
    whole = math.copysign(math.floor(abs(100 * share) + 0.5 + 1e-9), share) + 0.0
    return f"{whole:+.0f}%" if signed else f"{whole:.0f}%"


def chance(share: float) -> str:
    """A probability in whole per cent; "<1%" instead of 0 % and ">99%" instead of 100 %."""
    whole = percent(share)
    return {"0%": "<1%", "100%": ">99%"}.get(whole, whole)


def _made_of(outlook: "Outlook", words: Texts, lang: str) -> str:
    """Name the forecaster, or the members of the mixture with their weights."""
    named = texts(lang, "forecaster")
    if len(outlook.weights) == 1:
        return words["baseline"].format(model=named.get(outlook.model, outlook.model))
    parts = [
        words["whole" if name == FILTERED else "part"].format(name=named.get(name, name), weight=percent(weight))
        for name, weight in outlook.weights.items()
    ]
    return words["mixture"].format(parts=words["and"].join(parts))


def _spread(outlook: "Outlook", words: Texts) -> str:
    before = float(np.nanstd(outlook.last))
    after = np.nanstd(outlook.paths.to_numpy()[:, :, -1], axis=1)
    middle, low, high = (float(value) for value in np.quantile(after, (0.5, 0.05, 0.95)))
    way = "flat" if abs(middle - before) < DISPERSION_CHANGE * before else "up" if middle > before else "down"
    return words["spread"].format(
        origin=outlook.origin,
        until=int(outlook.paths["year"].to_numpy()[-1]),
        moves=words[way],
        before=before,
        after=middle,
        low=low,
        high=high,
        odds=_odds(
            outlook.dispersion, chance(float((after < before).mean())), after=len(outlook.paths["year"]), words=words
        ),
    )


def _odds(past: Record, falls: str, *, after: int, words: Texts) -> str:
    """How often the direction of dispersion was predicted correctly, and the probability of a fall if skilful."""
    steps = [step for step in past.get("held", ()) if step <= after]
    if not steps:
        return ""
    ahead = max(steps)
    right, origins = past["held"][ahead]
    horizon = words["horizon" if ahead == 1 else "horizons"].format(horizon=ahead)
    text = words["held"].format(horizon=horizon, held=right, origins=origins)
    return text + (words["falls"].format(falls=falls) if past["brier"] < min(past["brier_base"], COIN) else "")


def _silent(outlook: "Outlook", words: Texts, lang: str) -> list[str]:
    """Name the regions without output in the last year, whose last level is from an earlier year."""
    unseen = np.flatnonzero(np.isnan(outlook.history.to_numpy()[:, -1]) & np.isfinite(outlook.last))
    if not len(unseen):
        return []
    codes = outlook.paths["region"].to_numpy()[unseen]
    named = [outlook.names[str(code)][0 if lang == "en" else 1] for code in codes]
    names = words["list"].join(named[:NAMED])
    if len(named) > NAMED:
        names += words["more"].format(count=len(named) - NAMED if lang == "en" else len(named))
    count = len(outlook.last)
    return [words["silent"].format(count=len(unseen), regions=count, origin=outlook.origin, names=names)]


def _regions(outlook: "Outlook", words: Texts, lang: str) -> list[str]:
    last = outlook.last
    draws = outlook.paths.to_numpy()[:, :, -1]
    known = np.flatnonzero(np.isfinite(last) & np.isfinite(draws).all(axis=0))
    if not len(known):
        return []
    # Medians, so that the changes agree with the table.
    moves = np.median(draws[:, known], axis=0) - last[known]
    low, high = np.quantile(draws[:, known], (0.05, 0.95), axis=0)
    half, move = float((high - low).mean()) / 2, float(np.abs(moves).mean())
    codes = outlook.paths["region"].to_numpy()[known]
    position = 0 if lang == "en" else 1
    named = [outlook.names[str(code)][position] for code in codes]
    top, bottom = int(np.argmax(moves)), int(np.argmin(moves))
    found = []
    until = int(outlook.paths["year"].to_numpy()[-1])
    width, moved = percent(float(np.expm1(half))), percent(float(np.expm1(move)))
    if np.abs(np.expm1(moves)).max() < MOVE:
        return [words["unmoved"].format(until=until, width=width)]
    if np.expm1(moves[top]) >= MOVE and np.expm1(moves[bottom]) <= -MOVE:
        found.append(
            words["movers"].format(
                riser=named[top],
                rise=percent(np.expm1(moves[top]), signed=True),
                faller=named[bottom],
                fall=percent(np.expm1(moves[bottom]), signed=True),
            )
        )
    weight = words["mostly_known" if move > half / 2 else "mostly_chance"]
    found.append(words["sure"].format(until=until, width=width, move=moved, weight=weight))
    return found


def _past(outlook: "Outlook", words: Texts) -> str:
    first, last = outlook.past_origins[0], outlook.past_origins[-1]
    origins = str(first) if first == last else words["range"].format(first=first, last=last)
    all_few = all(_few(row) for row in outlook.past)
    errors = words["and"].join(_error(row, words, told=all_few) for row in outlook.past)
    text = words["past_few" if all_few else "past"]
    return text.format(verdict=words[_verdict(outlook.past)], origins=origins, errors=errors, least=LEAST_ORIGINS)


def _verdict(past: Sequence[Record]) -> str:
    """Whether forecasts were better or worse than persistence at all horizons with enough origins."""
    ratios = [row["rmse_ratio_to_persistence"] for row in past if not _few(row)]
    ratios = [ratio for ratio in ratios if ratio is not None]
    if ratios and max(ratios) < 1 - RATIO_DIFFERENCE:
        return "better"
    return "worse" if ratios and min(ratios) > 1 + RATIO_DIFFERENCE else "alike"


def _few(row: Record) -> bool:
    return int(row["origins"]) < LEAST_ORIGINS


def _error(row: Record, words: Texts, *, told: bool) -> str:
    """Errors at one horizon; `told` if the sentence already says that there are few origins."""
    number, ahead = int(row["origins"]), int(row["horizon"])
    count = words["count" if number == 1 else "counts"].format(count=number)
    return words["error"].format(
        change=_change(row["rmse_ratio_to_persistence"], words),
        horizon=words["horizon" if ahead == 1 else "horizons"].format(horizon=ahead),
        range=_error_range(row, words),
        count=count + (words["few"] if _few(row) and not told else ""),
        share=percent(row["coverage_90"]),
    )


def _error_range(row: Record, words: Texts) -> str:
    """The 90 % interval of the change of errors; empty if there are too few origins for one."""
    low, high = row.get("rmse_ratio_low"), row.get("rmse_ratio_high")
    if low is None or high is None:
        return ""
    return words["error_range"].format(low=percent(low - 1, signed=True), high=percent(high - 1, signed=True))


def _change(ratio: float | None, words: Texts) -> str:
    """Describe the errors relative to those of persistence; a ratio of None is undefined."""
    if ratio is None:
        return words["untold"]
    change = percent(abs(ratio - 1))
    if change == "0%":
        return words["same"]
    return words["smaller" if ratio < 1 else "larger"].format(change=change)


def sentences(outlook: "Outlook", lang: str = "en") -> tuple[str, ...]:
    """Describe the forecast of a table: its values, events, skill and disturbance."""
    found: list[str] = []
    for name, values in outlook.draws.items():
        end, unit = values.isel(time=-1), str(values["time"].attrs.get("units", ""))
        for place, who in enumerate(values["entity"].to_numpy()):
            low, median, high = np.quantile(end.isel(entity=place).to_numpy(), (0.05, 0.5, 0.95))
            found.append(
                Message(
                    "{what} at {when}: {middle}, with 90 % probability between {low} and {high}.",
                    what=Message("{name} of {who}", name=name, who=who) if who else name,
                    when=said_time(end["time"].to_numpy()[()], unit),
                    middle=spoken(float(median), lang),
                    low=spoken(float(low), lang),
                    high=spoken(float(high), lang),
                )
            )
    found += [outlook.moved] if outlook.moved else []
    found += [
        Message("{event}: probability {probability:.2f}.", event=event, probability=probability)
        for event, probability in outlook.events.items()
    ]
    return (
        *(translated(text, lang) for text in found),
        translated(outlook.verdict, lang, texts(lang, "forecaster")),
        translated(outlook.disturbance, lang),
    )


def moved(until: float, later: Array, target: "Target") -> str:
    """Explain why the forecast ends at another time than requested; empty if it does not."""
    told, spacing = target.calendar.said, target.spacing
    if abs(later[-1] - until) <= 1e-6 * spacing:
        return ""
    return Message(
        "It ends at {end} and not at {until}: it goes on in whole intervals of the data, {spacing:g} each.",
        end=told(later[-1]),
        until=told(until),
        spacing=spacing,
    )


def verdict(rows: Sequence[Record]) -> str:
    """Say whether a mixture was better than persistence, from rows of `Backtest.skill`."""
    import pandas as pd

    if not rows:
        return Message("Too few observations to say how such forecasts did before.")
    skill = pd.DataFrame(list(rows))
    own = skill[skill["model"] == FINAL]
    error, score = (float(np.exp(np.log(own[f"{name}_ratio_to_persistence"]).mean())) for name in ("rmse", "crps"))
    origins, held = int(own["origins"].max()), float(np.average(own["coverage_90"], weights=own["origins"]))
    is_narrow = held < 0.9 - 2 * np.sqrt(0.9 * 0.1 / origins)
    gain = Message(
        "Over {origins} past origins its error was {error:.2f} times that of holding the last value, its CRPS "
        "{score:.2f} times; 90 % intervals held {held:.0f} % of the realisations{narrow}",
        origins=origins,
        error=error,
        score=score,
        held=100 * held,
        narrow=Message(", which is too narrow") if is_narrow else "",
    )
    if not max(error, score) <= GAIN:
        return Message("{gain}. Nothing is gained over that.", gain=gain)
    best = skill[~skill["model"].isin([FINAL, MODEL])].groupby("model")["crps_ratio_to_persistence"].mean()
    other = float(best.min())
    text = Message("{gain}. The CRPS of the best baseline ({best}) was {other:.2f} times.")
    if score > GAIN * other:
        text = Message("{gain}. {best}, which knows no model, did as well (CRPS {other:.2f}).")
    return Message(text, gain=gain, best=best.idxmin(), other=other)


def disturbance(known: "LearntModel", spacing: float) -> str:
    """Describe how the stocks of a model are disturbed."""
    from calibration.filtering.ensemble import FAR

    if known.filter is None:
        return Message(
            "The model holds fixed delays or samples, so its state is not filtered: the fitted path goes on."
        )
    law, found = known.filter.law, known.filter.disturbance
    parts: list[str] = [_size(known.filter, spacing)]
    if found.size == 0:
        parts = [Message("The observations show no process noise: the model is taken as exact.")]
    if law.replaced:
        parts.append(
            Message(
                " {count} of {all} draws of the parameters overshoot at the time step of {step:g}; others stand in for "
                "them.",
                count=law.replaced,
                all=law.members,
                step=law.step,
            )
        )
    resampled = sum(item.resampled for item in known.filter.passes)
    if resampled:
        parts.append(
            Message(
                " {count} times a member left the data by more than {far:g} robust deviations and was resampled.",
                count=resampled,
                far=FAR,
            )
        )
    return joined(parts, "")


def _size(known: "StockFilter", spacing: float) -> str:
    setup, found = known.setup, known.disturbance
    stocks = list(dict.fromkeys(known.law.element_of(int(place))[0] for place in setup.disturbed))
    logs = bool(setup.logs[setup.disturbed].all())
    size = f"{100 * found.size:.2g} %" if logs else Message("{size:.3g} of their spread", size=found.size)
    return Message(
        "Process noise of {stocks}: standard deviation {size} per interval of {spacing:g}, "
        "autocorrelation {memory:.2f}.",
        stocks=", ".join(stocks[:4]),
        size=size,
        spacing=spacing,
        memory=found.memory,
    )
