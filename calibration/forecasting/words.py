"""One paragraph about a forecast, made from its numbers, in English and Chinese."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from calibration.forecasting.models import FILTERED
from calibration.forecasting.outlook import Outlook
from pysd_runner.indicators.events import is_gap_to_mean

_WORDS = {
    "en": {
        "spread": "From {origin} to {until} the dispersion of relative output per head (standard deviation of logs) "
        "{moves}, from {before:.3f} to {after:.3f}, with nine chances in ten between {low:.3f} and {high:.3f}; it "
        "falls with probability {falls}.",
        "silent": "No output was observed in {origin} of {names} ({count} of {regions} regions); the last level that "
        "was observed stands for it.",
        "more": " and {count} more",
        "up": "is expected to rise",
        "down": "is expected to fall",
        "flat": "is expected to change little",
        "movers": "Against the geometric mean of the regions, {riser} is expected to gain most ({rise} of its level) "
        "and {faller} to lose most ({fall}).",
        "sure": "For a single region nine futures in ten lie within about {width} of the middle one in {until}, "
        "while the expected moves average {move}: {weight}.",
        "unmoved": "For a single region nine futures in ten lie within about {width} of the middle one in {until}, and "
        "none is expected to move by as much as half a per cent: persistence is the best guess.",
        "mostly_chance": "most of what will happen is not foreseen",
        "mostly_known": "a good part of what will happen is foreseen",
        "event": "“{event}” has a probability of {probability} (looked at in {year}, not on the way{whom}).",
        "to_mean": "; the gap is that to the mean of the regions",
        "past": "On this very panel such forecasts have {verdict} so far: from past origins ({origins}) they had, by "
        "root mean square, {errors}.",
        "past_few": "Past origins ({origins}) are fewer than {least}, too few to judge this forecaster; for the "
        "record, it had, by root mean square, {errors}.",
        "error": "{change} {horizon} ahead ({range}{count}; intervals of 90% held {share} of what came)",
        "error_range": "{low} to {high} with nine chances in ten; ",
        "better": "done better than persistence",
        "worse": "done worse than persistence",
        "alike": "done neither better nor worse than persistence throughout",
        "smaller": "{change} smaller errors than persistence",
        "larger": "{change} larger errors than persistence",
        "same": "the same errors as persistence",
        "untold": "errors that cannot be set against persistence",
        "horizon": "{horizon} year",
        "horizons": "{horizon} years",
        "count": "{count} origin",
        "counts": "{count} origins",
        "few": ", too few to judge",
        "range": "{first} to {last}",
        "mixture": "The forecast is a mixture, weighed by how its parts did before: {parts}.",
        "reach": "Expected moves are cut to {reach} of what the parts foretell, because regions went less far before "
        "than was foretold.",
        "no_reach": "None of the moves that the parts foretell is kept, because regions did not go that way before.",
        "whole": "{weight} is the simulation model ({name!r})",
        "part": "{weight} is {name!r}",
        "model": "The model's momentum and pull to the mean are as strong as the years up to {origin} ask for; its "
        "other couplings (digital stocks, migration, capital) move this forecast of a region by {couplings:.2f}% on "
        "average.",
        "fit": "The model's other parameters come from the fit to {panel}, {first} to {last}; at origins before "
        "{last}, whose future the fit knows, the model had its priors.",
        "baseline": "This is the forecaster {model!r}.",
        "and": ", ",
        "gap": " ",
    },
    "zh": {
        "spread": "{origin} 至 {until} 年，相对人均产出的离散度（对数标准差）{moves}，由 {before:.3f} 变为 "
        "{after:.3f}，90% 的可能位于 {low:.3f} 与 {high:.3f} 之间；下降的概率为 {falls}。",
        "silent": "{names}没有 {origin} 年的观测值（{regions} 个地区中的 {count} 个），以最近一次观测的水平代替。",
        "more": "等 {count} 个",
        "up": "预计上升",
        "down": "预计下降",
        "flat": "预计基本不变",
        "movers": "相对各地区几何均值，预计{riser}升幅最大（{rise}），{faller}降幅最大（{fall}）。",
        "sure": "就单个地区而言，{until} 年九成的未来位于中位数上下约 {width} 之内，"
        "而预期变动平均为 {move}：{weight}。",
        "unmoved": "就单个地区而言，{until} 年九成的未来位于中位数上下约 {width} 之内，"
        "预计没有地区的变动达到 0.5%：维持不变是最好的猜测。",
        "mostly_chance": "多数变化无法预见",
        "mostly_known": "相当一部分变化可以预见",
        "event": "“{event}”的概率为 {probability}（仅看 {year} 年当年，不看途中{whom}）。",
        "to_mean": "；差距指与各地区均值的差距",
        "past": "就本面板而言，迄今此类预测{verdict}：以往的起点（{origins} 年）上，其误差（均方根）：{errors}。",
        "past_few": "以往的起点（{origins} 年）不足 {least} 个，太少，不足以评判该预测方法；"
        "仅供记录，其误差（均方根）：{errors}。",
        "error": "{horizon}期{change}（{range}{count}；90% 区间覆盖 {share}）",
        "error_range": "90% 的可能在 {low} 至 {high} 之间；",
        "better": "优于“维持不变”",
        "worse": "不如“维持不变”",
        "alike": "与“维持不变”互有优劣或相差无几",
        "smaller": "比“维持不变”小 {change}",
        "larger": "比“维持不变”大 {change}",
        "same": "与“维持不变”相同",
        "untold": "无法与“维持不变”相比",
        "horizon": "{horizon} 年",
        "horizons": "{horizon} 年",
        "count": "{count} 个起点",
        "counts": "{count} 个起点",
        "few": "，太少，不足以评判",
        "range": "{first} 至 {last}",
        "mixture": "本预测是若干方法的混合，权重取决于各方法以往的表现：{parts}。",
        "reach": "预计变动减至各部分预测的 {reach}，因为以往的变动小于预测。",
        "no_reach": "各部分预测的变动均不采用，因为以往各地区并未朝预测的方向变动。",
        "whole": "{weight} 来自仿真模型（“{name}”）",
        "part": "{weight} 来自“{name}”",
        "model": "模型中的动量与向均值的收敛，其强度由 {origin} 年以前的数据决定；其余联系（数字化存量、人口迁移、"
        "资本）使本预测中各地区的数值平均变动 {couplings:.2f}%。",
        "fit": "模型的其余参数取自对 {panel}（{first} 至 {last} 年）的校准；{last} 年以前的起点使用先验，"
        "因为校准已知其后的情况。",
        "baseline": "本预测由“{model}”给出。",
        "and": "，",
        "gap": "",
    },
}
# Moves of less than this are not told.
MOVE = 0.005
# A dispersion that moves by less than this share of itself is said to stay.
STILL = 0.01
# Regions that a sentence names before it counts the others.
NAMED = 3
# What a ratio of errors to those of persistence is away from 1 where the forecast did better or worse.
APART = 0.005
# Scores from fewer origins are reported, not counted.
LEAST_ORIGINS = 8


def paragraph(outlook: Outlook, lang: str = "en") -> str:
    """What is likely, how sure, how such forecasts did before, and what of it is the model."""
    words = _WORDS[lang]
    parts = [_spread(outlook, words), *_silent(outlook, words, lang), *_regions(outlook, words, lang)]
    parts += [
        words["event"].format(
            event=item.event,
            year=item.year,
            probability=chance(item.probability),
            whom=words["to_mean"] if is_gap_to_mean(item.event) else "",
        )
        for item in outlook.chances
    ]
    if outlook.past:
        parts.append(_past(outlook, words))
    parts += _made_of(outlook, words)
    return words["gap"].join(parts)


def percent(share: float, *, signed: bool = False) -> str:
    """A share in whole per cent, halves away from zero as a reader rounds them."""
    # What is a half in decimals is a little less in binary.
    whole = math.copysign(math.floor(abs(100 * share) + 0.5 + 1e-9), share) + 0.0
    return f"{whole:+.0f}%" if signed else f"{whole:.0f}%"


def chance(share: float) -> str:
    """A probability in whole per cent; what some draws show, or nearly all, is neither 0 nor 100 %."""
    whole = percent(share)
    return {"0%": "<1%", "100%": ">99%"}.get(whole, whole)


def _made_of(outlook: Outlook, words: Mapping[str, str]) -> list[str]:
    """How much of the forecast is the model, and what its couplings do."""
    found = []
    if len(outlook.weights) > 1:
        parts = [
            words["whole" if name == FILTERED else "part"].format(name=name, weight=percent(weight))
            for name, weight in outlook.weights.items()
        ]
        found.append(words["mixture"].format(parts=words["and"].join(parts)))
    if (reach := percent(outlook.reach)) != "100%":
        found.append(words["no_reach" if reach == "0%" else "reach"].format(reach=reach))
    if outlook.couplings is not None:
        found.append(words["model"].format(origin=outlook.origin, couplings=100 * np.expm1(outlook.couplings)))
    if outlook.fit is not None:
        fit = outlook.fit
        found.append(words["fit"].format(panel=fit.panel, first=fit.first_year, last=fit.last_year))
    return found or [words["baseline"].format(model=outlook.model)]


def _spread(outlook: Outlook, words: Mapping[str, str]) -> str:
    before = float(np.nanstd(outlook.last))
    after = np.nanstd(outlook.draws.to_numpy()[:, :, -1], axis=1)
    middle, low, high = (float(value) for value in np.quantile(after, (0.5, 0.05, 0.95)))
    way = "flat" if abs(middle - before) < STILL * before else "up" if middle > before else "down"
    return words["spread"].format(
        origin=outlook.origin,
        until=int(outlook.draws["year"].to_numpy()[-1]),
        moves=words[way],
        before=before,
        after=middle,
        low=low,
        high=high,
        falls=chance(float((after < before).mean())),
    )


def _silent(outlook: Outlook, words: Mapping[str, str], lang: str) -> list[str]:
    """Regions without output in the last year, whose level is older."""
    unseen = np.flatnonzero(np.isnan(outlook.history.to_numpy()[:, -1]) & np.isfinite(outlook.last))
    if not len(unseen):
        return []
    codes = outlook.draws["region"].to_numpy()[unseen]
    named = [outlook.names[str(code)][0 if lang == "en" else 1] for code in codes]
    names = (", " if lang == "en" else "、").join(named[:NAMED])
    if len(named) > NAMED:
        names += words["more"].format(count=len(named) - NAMED if lang == "en" else len(named))
    count = len(outlook.last)
    return [words["silent"].format(count=len(unseen), regions=count, origin=outlook.origin, names=names)]


def _regions(outlook: Outlook, words: Mapping[str, str], lang: str) -> list[str]:
    last = outlook.last
    draws = outlook.draws.to_numpy()[:, :, -1]
    known = np.flatnonzero(np.isfinite(last) & np.isfinite(draws).all(axis=0))
    if not len(known):
        return []
    # Medians, so that the table shows the same moves.
    moves = np.median(draws[:, known], axis=0) - last[known]
    low, high = np.quantile(draws[:, known], (0.05, 0.95), axis=0)
    half, move = float((high - low).mean()) / 2, float(np.abs(moves).mean())
    codes = outlook.draws["region"].to_numpy()[known]
    position = 0 if lang == "en" else 1
    named = [outlook.names[str(code)][position] for code in codes]
    top, bottom = int(np.argmax(moves)), int(np.argmin(moves))
    found = []
    until = int(outlook.draws["year"].to_numpy()[-1])
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


def _past(outlook: Outlook, words: Mapping[str, str]) -> str:
    first, last = outlook.past_origins[0], outlook.past_origins[-1]
    origins = str(first) if first == last else words["range"].format(first=first, last=last)
    all_few = all(_few(row) for row in outlook.past)
    errors = words["and"].join(_error(row, words, told=all_few) for row in outlook.past)
    text = words["past_few" if all_few else "past"]
    return text.format(verdict=words[_verdict(outlook.past)], origins=origins, errors=errors, least=LEAST_ORIGINS)


def _verdict(past: Sequence[Mapping[str, Any]]) -> str:
    """Whether forecasts from enough origins did better or worse than persistence, all of them."""
    ratios = [row["rmse_ratio_to_persistence"] for row in past if not _few(row)]
    ratios = [ratio for ratio in ratios if ratio is not None]
    if ratios and max(ratios) < 1 - APART:
        return "better"
    return "worse" if ratios and min(ratios) > 1 + APART else "alike"


def _few(row: Mapping[str, Any]) -> bool:
    return int(row["origins"]) < LEAST_ORIGINS


def _error(row: Mapping[str, Any], words: Mapping[str, str], *, told: bool) -> str:
    """What came of one horizon; `told` when the sentence says already that origins are few."""
    number, ahead = int(row["origins"]), int(row["horizon"])
    count = words["count" if number == 1 else "counts"].format(count=number)
    return words["error"].format(
        change=_change(row["rmse_ratio_to_persistence"], words),
        horizon=words["horizon" if ahead == 1 else "horizons"].format(horizon=ahead),
        range=_error_range(row, words),
        count=count + (words["few"] if _few(row) and not told else ""),
        share=percent(row["coverage_90"]),
    )


def _error_range(row: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Where the change of errors lies with nine chances in ten; nothing where origins are too few to tell."""
    low, high = row.get("rmse_ratio_low"), row.get("rmse_ratio_high")
    if low is None or high is None:
        return ""
    return words["error_range"].format(low=percent(low - 1, signed=True), high=percent(high - 1, signed=True))


def _change(ratio: float | None, words: Mapping[str, str]) -> str:
    """Errors beside those of persistence; None for a ratio to nothing."""
    if ratio is None:
        return words["untold"]
    change = percent(abs(ratio - 1))
    if change == "0%":
        return words["same"]
    return words["smaller" if ratio < 1 else "larger"].format(change=change)
