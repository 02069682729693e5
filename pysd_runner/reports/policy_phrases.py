"""Words of the policy analyses, in English and Chinese: one line a phrase."""

from pysd_runner.errors import InvalidInput

PHRASES: dict[str, dict[str, str]] = {
    "en": {
        "attribution": "What each lever contributes: {policy}",
        "attribution lead": (
            "By {year} “{policy}” changes {outcome} by {total} {unit} (90 % interval {interval}); most of it comes from "
            "{first} ({share})."
        ),
        "attribution ladder": (
            "The contribution is the mean over all orders in which the levers may come in, and sums to the effect in "
            "every draw. First in (alone) and last in (left out) do not: together they give {alone} and {left} {unit}."
        ),
        "attribution sampled": "The orders were drawn at random; the column error is the standard error.",
        "gradual": (
            "Turned up together the levers give nearly the same: the largest difference of a median is {apart} {unit}, "
            "and the sum misses the effect by {missed} {unit} at most."
        ),
        "synergy": "{one} and {two} {verb} each other most: {value} {unit}.",
        "support": "support",
        "replace": "replace",
        "who": (
            "Against the mean mix of its classes given per head, the policy changes the effect by {total} {unit}: who "
            "gets the money {who}, what it buys {what}, both together {interaction}."
        ),
        "loop": "The loop that carries most of the effect is “{loop}”: without it the effect would be {value} {unit} less.",
        "lever": "lever",
        "shapley": "contribution",
        "alone": "first in",
        "left out": "last in",
        "gradual column": "turned up together",
        "total": "total",
        "unit": "{outcome}, {unit}; median and 90 % interval of {draws} draws; positive is better",
        "synergies": "Synergy of pairs",
        "pair": "pair",
        "synergy column": "synergy",
        "split": "Who gets the money and what it buys",
        "part": "part",
        "change": "change",
        "part who": "who gets it",
        "part what": "what it buys",
        "part interaction": "both together",
        "part total": "total",
        "loops": "Feedback loops",
        "loop column": "loop",
        "notes": "Read with care",
        "error": "error",
    },
    "zh": {
        "attribution": "各政策工具的贡献：{policy}",
        "attribution lead": "到{year}年，“{policy}”使{outcome}变化 {total} {unit}（90%区间 {interval}）；主要来自{first}（{share}）。",
        "attribution ladder": (
            "贡献是各工具按所有可能次序加入时的平均增量，在每次抽样中相加都等于总效果。最先加入（单独）与最后加入（剔除）则不然："
            "两者合计分别为 {alone} 与 {left} {unit}。"
        ),
        "attribution sampled": "加入次序为随机抽取；“误差”一列为标准误。",
        "gradual": "各工具同步加大时结果相近：中位数最多相差 {apart} {unit}，合计与总效果最多相差 {missed} {unit}。",
        "synergy": "{one}与{two}之间{verb}作用最强：{value} {unit}。",
        "support": "相互促进",
        "replace": "相互替代",
        "who": "与按人均发放的平均组合相比，该政策使效果变化 {total} {unit}：资金给谁 {who}，用于什么 {what}，两者共同 {interaction}。",
        "loop": "承载效果最多的反馈回路是“{loop}”：没有它效果将减少 {value} {unit}。",
        "lever": "政策工具",
        "shapley": "贡献",
        "alone": "最先加入",
        "left out": "最后加入",
        "gradual column": "同步加大",
        "total": "合计",
        "unit": "{outcome}，{unit}；{draws} 次抽样的中位数与 90% 区间；正值为改善",
        "synergies": "两两协同",
        "pair": "组合",
        "synergy column": "协同",
        "split": "资金给谁、用于什么",
        "part": "部分",
        "change": "变化",
        "part who": "资金给谁",
        "part what": "用于什么",
        "part interaction": "两者共同",
        "part total": "合计",
        "loops": "反馈回路",
        "loop column": "回路",
        "notes": "使用须知",
        "error": "误差",
    },
}


def phrase(key: str, lang: str, **parts: object) -> str:
    """Text in a language, with its blanks filled in.

    Parameters
    ----------
    key
        A key of `PHRASES`.
    lang
        ``"en"`` or ``"zh"``.
    parts
        What to put into the blanks.

    Raises
    ------
    InvalidInput
        If there is no such language.
    """
    if lang not in PHRASES:
        raise InvalidInput(f"no texts in language {lang!r}; expected one of {', '.join(PHRASES)}")
    return PHRASES[lang][key].format(**parts)
