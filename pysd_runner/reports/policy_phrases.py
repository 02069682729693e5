"""Words of the policy analyses, in English and Chinese: one line a phrase."""

from pysd_runner.errors import InvalidInput

PHRASES: dict[str, dict[str, str]] = {
    "en": {
        "attribution": "What each lever contributes: {policy}",
        "attribution lead": (
            "Effect of “{policy}” by {year}: {outcome} {total} {unit} (90 % interval {interval}); most of it "
            "comes from {first} ({share})."
        ),
        "attribution ladder": (
            "The contribution is the mean over all orders in which the levers may come in, and sums to the "
            "effect in every draw. First in (alone) and last in (left out) do not: together they give {alone} "
            "and {left} {unit}."
        ),
        "attribution sampled": "The orders were drawn at random; the column error is the standard error.",
        "gradual": (
            "Turned up together the levers give nearly the same: the largest difference of a median is {apart} "
            "{unit}, and the sum misses the effect by {missed} {unit} at most."
        ),
        "synergy": "{one} and {two} {verb} each other most: {value} {unit}.",
        "support": "support",
        "replace": "replace",
        "who": (
            "Against the mean mix of its classes given per head, the policy changes the effect by {total} "
            "{unit}: who gets the money {who}, what it buys {what}, both together {interaction}."
        ),
        "loop": (
            "The loop that carries most of the effect is “{loop}”: without it the effect would be {value} {unit} less."
        ),
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
        "optimum": "The best policy found: {outcome}",
        "optimum label": "Optimised: {outcome}",
        "optimum lead": (
            "The best policy found {statistic} {outcome} {value} {unit} on the {draws} draws its search never "
            "saw ({inside} on those of the search)."
        ),
        "statistic mean": "reaches, as the mean over draws,",
        "statistic cvar": "reaches, as the mean of the worst draws,",
        "statistic regret": "falls short of the best known policy of a draw at most by (negative)",
        "statistic satisfied": "reaches the target, as a share of the draws, for",
        "optimum beats": (
            "It beats every policy it was compared with that keeps the constraints; next best is “{rival}” ({value})."
        ),
        "optimum beaten": "“{rival}” does better on these draws ({value}): take that one.",
        "optimum alone": (
            "No other policy keeps the constraints; without them the best of the others, “{rival}”, has {value}."
        ),
        "optimum relaxed": "The constraints cannot be met together. The least by which they give way: {parts}.",
        "optimum binding": "What holds it back: {parts}.",
        "optimum losers": "Worst off: {region}, below no policy in {share} of the draws (median {median} %).",
        "optimum flat": (
            "Shares are known loosely: within 2 per cent of the optimum they range as in the table (the others "
            "of a group scaled). Rounded to 5 per cent the policy loses {loss} of the objective."
        ),
        "optimum conditions": (
            "{count} searches from different starts end within {apart} of each other; residual of the "
            "conditions of optimality: {residual} of the gradient."
        ),
        "chosen": "chosen",
        "value": "share",
        "range": "near-optimal range",
        "effects": "Effects on draws the search never saw",
        "outcome": "outcome",
        "effect": "effect",
        "better in": "better in",
        "who loses": "Who loses",
        "region": "region",
        "worse in": "worse in",
        "median change": "median, %",
        "compared": "Compared with",
        "policy": "policy",
        "objective": "objective",
        "keeps": "keeps the constraints",
        "yes": "yes",
        "no": "no",
        "advice": "Which policy: {outcome} by {year}",
        "advice recommended": (
            "Recommendation: “{policy}”. In {futures} futures it is best in {first}; no other policy beats it "
            "in more than {beaten} of them (“{rival}” does most often). On average it brings {value} {unit}."
        ),
        "advice none": (
            "No policy is robust. “{policy}” is best on average ({value} {unit}), but “{rival}” beats it in "
            "{beaten} of {futures} futures."
        ),
        "advice regret": (
            "Whoever wants to lose least in the worst case takes “{policy}” (largest regret {value} {unit})."
        ),
        "advice switch": "{factor}: below {level} {factor_unit} “{below}” is best on average, above it “{above}”.",
        "advice no switch": "No unit cost between half and twice its median changes what is best on average.",
        "advice box": "“{rival}” is ahead in {density} of the futures in which {parts} (in {share} of all).",
        "advice no box": "No simple part of the futures explains when “{rival}” is ahead ({share} of all).",
        "advice losers": "Who loses most under “{policy}”: {region}, below no policy in {share} of the futures.",
        "advice output": "National output rises in {share} of the futures (median {median} %).",
        "advice measure": (
            "To measure next: {factor}. Knowing it before choosing is worth {value} ± {error} {unit}; knowing "
            "everything {all} {unit}."
        ),
        "advice nothing to measure": (
            "No single measurement is sure to pay: the largest value, of {factor}, is {value} ± {error} "
            "{unit}; knowing everything would be worth {all} {unit}."
        ),
        "what changes": "What would change it",
        "and": " and ",
        "at least": "{factor} is at least {value}",
        "at most": "{factor} is at most {value}",
        "between": "{factor} lies between {low} and {high}",
        "is on": "“{factor}” acts",
        "is off": "“{factor}” does not act",
        "is choice": "{factor}: {value}",
        "mean effect": "mean effect",
        "first in": "first in",
        "mean rank": "mean rank",
        "largest regret": "largest regret",
        "mean regret": "mean regret",
        "worth": "What knowing it is worth",
        "factor": "what",
        "worth column": "value",
        "futures note": (
            "A future is a draw of the posterior with unit costs between half and twice of what the draw says, "
            "one of the definitions of a skill, and assumptions about policy that hold or do not."
        ),
        "regret figure": "Regret of each policy in the futures",
        "switch figure": "Where another policy becomes best",
        "front": "Between two aims: {first} and {second}",
    },
    "zh": {
        "attribution": "各政策工具的贡献：{policy}",
        "attribution lead": (
            "到{year}年，“{policy}”的效果：{outcome} {total} {unit}（90% 区间 {interval}）；主要来自{first}（"
            "{share}）。"
        ),
        "attribution ladder": (
            "贡献是各工具按所有可能次序加入时的平均增量，在每次抽样中相加都等于总效果。最先加入（单独）与最后加"
            "入（剔除）则不然：两者合计分别为 {alone} 与 {left} {unit}。"
        ),
        "attribution sampled": "加入次序为随机抽取；“误差”一列为标准误。",
        "gradual": "各工具同步加大时结果相近：中位数最多相差 {apart} {unit}，合计与总效果最多相差 {missed} {unit}。",
        "synergy": "{one}与{two}之间{verb}作用最强：{value} {unit}。",
        "support": "相互促进",
        "replace": "相互替代",
        "who": (
            "与按人均发放的平均组合相比，该政策使效果变化 {total} {unit}：资金给谁 {who}，用于什么 {what}，两者"
            "共同 {interaction}。"
        ),
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
        "optimum": "所找到的最优政策：{outcome}",
        "optimum label": "优化：{outcome}",
        "optimum lead": (
            "所找到的最优政策在搜索未用过的 {draws} 次抽样上{statistic}{outcome} {value} {unit}（搜索所用抽样上"
            "为 {inside}）。"
        ),
        "statistic mean": "平均达到",
        "statistic cvar": "在最差抽样上平均达到",
        "statistic regret": "相对每次抽样中已知最优政策的最大差距（负值）：",
        "statistic satisfied": "达标抽样的比例：",
        "optimum beats": "在满足约束的比较政策中均占优；其次为“{rival}”（{value}）。",
        "optimum beaten": "“{rival}”在这些抽样上更好（{value}）：应采用它。",
        "optimum alone": "其他政策均不满足约束；若不计约束，其中最好的“{rival}”为 {value}。",
        "optimum relaxed": "各约束无法同时满足。最小让步：{parts}。",
        "optimum binding": "起约束作用的是：{parts}。",
        "optimum losers": "受损最多：{region}，在 {share} 的抽样中低于无政策情形（中位数 {median} %）。",
        "optimum flat": (
            "份额并不精确：在最优值 2% 以内的取值范围见表（同组其他份额按比例调整）。按 5% 取整后目标损失 {loss}。"
        ),
        "optimum conditions": (
            "从不同起点的 {count} 次搜索结果相差不超过 {apart}；最优性条件的残差为梯度的 {residual}。"
        ),
        "chosen": "选择",
        "value": "份额",
        "range": "近优范围",
        "effects": "在搜索未用过的抽样上的效果",
        "outcome": "结果",
        "effect": "效果",
        "better in": "改善比例",
        "who loses": "谁受损",
        "region": "地区",
        "worse in": "受损比例",
        "median change": "中位数，%",
        "compared": "与其他政策比较",
        "policy": "政策",
        "objective": "目标",
        "keeps": "满足约束",
        "yes": "是",
        "no": "否",
        "advice": "选择哪项政策：到{year}年的{outcome}",
        "advice recommended": (
            "建议：“{policy}”。在 {futures} 个未来情形中，它在 {first} 中最优；没有其他政策在超过 {beaten} 的情"
            "形中胜过它（最常胜过的是“{rival}”）。平均效果 {value} {unit}。"
        ),
        "advice none": (
            "没有稳健的政策。“{policy}”平均最好（{value} {unit}），但在 {futures} 个未来情形的 {beaten} 中“"
            "{rival}”更好。"
        ),
        "advice regret": "若要使最坏情形下的损失最小，应取“{policy}”（最大遗憾 {value} {unit}）。",
        "advice switch": "{factor}：低于 {level} {factor_unit} 时“{below}”平均最优，高于时“{above}”最优。",
        "advice no switch": "单位成本在其中位数的一半到两倍之间变化，都不改变平均最优的政策。",
        "advice box": "在{parts}的情形中，“{rival}”在 {density} 中领先（全部情形中为 {share}）。",
        "advice no box": "没有简单条件能说明“{rival}”何时领先（全部情形中为 {share}）。",
        "advice losers": "“{policy}”下受损最多的是{region}，在 {share} 的情形中低于无政策情形。",
        "advice output": "全国产出在 {share} 的情形中上升（中位数 {median} %）。",
        "advice measure": "下一步应测量：{factor}。事先得知它值 {value} ± {error} {unit}；得知一切值 {all} {unit}。",
        "advice nothing to measure": (
            "没有哪项单独的测量必然值得：最大的是{factor}，为 {value} ± {error} {unit}；得知一切值 {all} {unit}。"
        ),
        "what changes": "什么会改变结论",
        "and": "且",
        "at least": "{factor}不低于 {value}",
        "at most": "{factor}不高于 {value}",
        "between": "{factor}在 {low} 与 {high} 之间",
        "is on": "“{factor}”起作用",
        "is off": "“{factor}”不起作用",
        "is choice": "{factor}为 {value}",
        "mean effect": "平均效果",
        "first in": "最优比例",
        "mean rank": "平均名次",
        "largest regret": "最大遗憾",
        "mean regret": "平均遗憾",
        "worth": "得知它值多少",
        "factor": "内容",
        "worth column": "价值",
        "futures note": (
            "一个未来情形是后验的一次抽样，单位成本为该抽样的一半到两倍之间，取技能定义之一，并且各项政策假设成"
            "立或不成立。"
        ),
        "regret figure": "各政策在未来情形中的遗憾",
        "switch figure": "何处另一政策成为最优",
        "front": "两个目标之间：{first}与{second}",
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
