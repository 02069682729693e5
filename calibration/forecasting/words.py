"""One paragraph about a forecast, made from its numbers, in English and Chinese."""

from collections.abc import Mapping

import numpy as np

from calibration.forecasting.models import FILTERED
from calibration.forecasting.outlook import Outlook

_WORDS = {
    "en": {
        "spread": "From {origin} to {until} the dispersion of relative output per head (standard deviation of logs) "
        "{moves}, from {before:.3f} to {after:.3f}, with nine chances in ten between {low:.3f} and {high:.3f}; it "
        "falls with probability {falls:.0%}.",
        "up": "is expected to rise",
        "down": "is expected to fall",
        "flat": "is expected to change little",
        "movers": "Against the mean of the regions, {riser} is expected to gain most ({rise:+.0f} % of its level) and "
        "{faller} to lose most ({fall:+.0f} %).",
        "sure": "For a single region nine futures in ten lie within about {width:.0f} % of the middle one in {until}, "
        "while the expected moves average {move:.0f} %: {weight}.",
        "mostly_chance": "most of what will happen is not foreseen",
        "mostly_known": "a good part of what will happen is foreseen",
        "event": "“{event}” has a probability of {probability:.0%}.",
        "past": "From the origins {first} to {last} the same forecaster had {errors}; its intervals of 90 % held "
        "{cover} of what came.",
        "error": "{change:.0f} % {way} errors than persistence {horizon} years ahead",
        "smaller": "smaller",
        "larger": "larger",
        "held": "{share:.0%}",
        "mixture": "The forecast is a mixture, weighed by how its parts did before: {parts}.",
        "whole": "{weight:.0%} is the simulation model ({name!r})",
        "part": "{weight:.0%} is {name!r}",
        "model": "The model's momentum and pull to the mean are as strong as the years up to {origin} ask for; its "
        "other couplings (digital stocks, migration, capital) move this forecast of a region by {couplings:.2f} % on "
        "average.",
        "fit": "The model's other parameters come from the fit to {panel}, {first} to {last}; at origins before "
        "{last}, whose future the fit knows, the model had its priors.",
        "baseline": "This is the forecaster {model!r}.",
        "and": ", ",
    },
    "zh": {
        "spread": "{origin} 至 {until} 年，相对人均产出的离散度（对数标准差）{moves}，由 {before:.3f} 变为 "
        "{after:.3f}，90% 的可能位于 {low:.3f} 与 {high:.3f} 之间；下降的概率为 {falls:.0%}。",
        "up": "预计上升",
        "down": "预计下降",
        "flat": "预计基本不变",
        "movers": "相对各地区均值，预计{riser}升幅最大（{rise:+.0f}%），{faller}降幅最大（{fall:+.0f}%）。",
        "sure": "就单个地区而言，{until} 年九成的未来位于中位数上下约 {width:.0f}% 之内，"
        "而预期变动平均为 {move:.0f}%：{weight}。",
        "mostly_chance": "多数变化无法预见",
        "mostly_known": "相当一部分变化可以预见",
        "event": "“{event}”的概率为 {probability:.0%}。",
        "past": "以 {first} 至 {last} 年为起点，同一预测方法的误差：{errors}；其 90% 区间的覆盖率：{cover}。",
        "error": "{horizon} 年期比“维持不变”{way} {change:.0f}%",
        "smaller": "小",
        "larger": "大",
        "held": "{horizon} 年期 {share:.0%}",
        "mixture": "本预测是若干方法的混合，权重取决于各方法以往的表现：{parts}。",
        "whole": "{weight:.0%} 来自仿真模型（“{name}”）",
        "part": "{weight:.0%} 来自“{name}”",
        "model": "模型中的动量与向均值的收敛，其强度由 {origin} 年以前的数据决定；其余联系（数字化存量、人口迁移、"
        "资本）使本预测中各地区的数值平均变动 {couplings:.2f}%。",
        "fit": "模型的其余参数取自对 {panel}（{first} 至 {last} 年）的校准；{last} 年以前的起点使用先验，"
        "因为校准已知其后的情况。",
        "baseline": "本预测由“{model}”给出。",
        "and": "，",
    },
}
# A dispersion that moves by less than this share of itself is said to stay.
STILL = 0.01


def paragraph(outlook: Outlook, lang: str = "en") -> str:
    """What is likely, how sure, how such forecasts did before, and what of it is the model.

    Parameters
    ----------
    outlook
        What `forecast` found.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    str
        Sentences; every number is of the forecast or its back-test.
    """
    words = _WORDS[lang]
    parts = [_spread(outlook, words), *_regions(outlook, words, lang)]
    parts += [words["event"].format(event=item.event, probability=item.probability) for item in outlook.chances]
    if outlook.past:
        parts.append(_past(outlook, words))
    parts += _made_of(outlook, words)
    return (" " if lang == "en" else "").join(parts)


def _made_of(outlook: Outlook, words: Mapping[str, str]) -> list[str]:
    """How much of the forecast is the model, and what its couplings do."""
    found = []
    if len(outlook.weights) > 1:
        parts = [
            words["whole" if name == FILTERED else "part"].format(name=name, weight=weight)
            for name, weight in outlook.weights.items()
        ]
        found.append(words["mixture"].format(parts=words["and"].join(parts)))
    if outlook.couplings is not None:
        found.append(words["model"].format(origin=outlook.origin, couplings=100 * np.expm1(outlook.couplings)))
    if outlook.fit is not None:
        fit = outlook.fit
        found.append(words["fit"].format(panel=fit.panel, first=fit.first_year, last=fit.last_year))
    return found or [words["baseline"].format(model=outlook.model)]


def _spread(outlook: Outlook, words: Mapping[str, str]) -> str:
    before = float(np.nanstd(outlook.history.to_numpy()[:, -1]))
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
        falls=float((after < before).mean()),
    )


def _regions(outlook: Outlook, words: Mapping[str, str], lang: str) -> list[str]:
    last = outlook.history.to_numpy()[:, -1]
    draws = outlook.draws.to_numpy()[:, :, -1]
    known = np.flatnonzero(np.isfinite(last) & np.isfinite(draws).all(axis=0))
    if not len(known):
        return []
    moves = draws[:, known].mean(axis=0) - last[known]
    low, high = np.quantile(draws[:, known], (0.05, 0.95), axis=0)
    half, move = float((high - low).mean()) / 2, float(np.abs(moves).mean())
    codes = outlook.draws["region"].to_numpy()[known]
    position = 0 if lang == "en" else 1
    named = [outlook.names[str(code)][position] for code in codes]
    top, bottom = int(np.argmax(moves)), int(np.argmin(moves))
    found = []
    if moves[top] > 0 > moves[bottom]:
        found.append(
            words["movers"].format(
                riser=named[top],
                rise=100 * np.expm1(moves[top]),
                faller=named[bottom],
                fall=100 * np.expm1(moves[bottom]),
            )
        )
    weight = words["mostly_known" if move > half / 2 else "mostly_chance"]
    until = int(outlook.draws["year"].to_numpy()[-1])
    found.append(
        words["sure"].format(until=until, width=100 * np.expm1(half), move=100 * np.expm1(move), weight=weight)
    )
    return found


def _past(outlook: Outlook, words: Mapping[str, str]) -> str:
    errors, cover = [], []
    for row in outlook.past:
        change = 100 * (float(str(row["rmse_ratio_to_persistence"])) - 1)
        way = words["smaller" if change < 0 else "larger"]
        text = words["error"].format(change=abs(change), way=way, horizon=row["horizon"])
        errors.append(text.replace(" 1 years", " 1 year"))
        cover.append(words["held"].format(share=float(str(row["coverage_90"])), horizon=row["horizon"]))
    return words["past"].format(
        first=outlook.past_origins[0],
        last=outlook.past_origins[-1],
        errors=words["and"].join(errors),
        cover=words["and"].join(cover),
    )
