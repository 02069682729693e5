"""What an evaluation says, in English and Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pysd_runner.core.errors import InvalidInput

LANGUAGES = ("en", "zh")

# Titles of tests and what they are held against: "test.<key>" and "criterion.<key>".
_TESTS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "efficiency": (
        ("closer than the mean of the observations", "优于观测均值"),
        ("1 - SSE/SST above 0, all regions pooled", "1 - SSE/SST 大于 0（各地区合并）"),
    ),
    "bias": (
        ("errors are not systematic", "误差非系统性"),
        (
            "share of bias in the mean squared error (Theil's Um) at most 0.1",
            "均方误差中偏差所占份额（Theil Um）不超过 0.1",
        ),
    ),
    "no_change": (
        ("closer than no change", "优于“不变”预测"),
        (
            "Theil's U2 of yearly changes below 1 in more than half of the series; no change may look at the year "
            "before, the simulation runs on from its first year without looking",
            "过半序列的年变化 Theil U2 小于 1；“不变”可参照上一年，模拟自首年起不再参照观测",
        ),
    ),
    "autocorrelation": (
        ("innovations have no memory of one year", "新息无一年期自相关"),
        (
            "p-value of the sum of products of neighbouring innovations over all regions at least 0.05",
            "各地区相邻新息乘积之和的 p 值不低于 0.05",
        ),
    ),
    "ljung_box": (
        ("innovations have no memory of three years", "新息无三年期自相关"),
        (
            "no more regions with a Ljung-Box p-value below 0.05 than chance gives in 95 of 100 panels",
            "Ljung-Box p 值低于 0.05 的地区数不多于偶然所致（100 个面板中的 95 个）",
        ),
    ),
    "heteroscedasticity": (
        ("the size of innovations does not go with the fitted value", "新息大小与拟合值无关"),
        ("p-value of Breusch and Pagan's test (Koenker) at least 0.05", "Breusch-Pagan 检验（Koenker）p 值不低于 0.05"),
    ),
    "cross_dependence": (
        ("regions do not err together", "各地区误差不相关"),
        ("p-value of Pesaran's CD test at least 0.05", "Pesaran CD 检验 p 值不低于 0.05"),
    ),
    "pattern_trend": (
        ("Barlas 1: the trend agrees", "Barlas 1：趋势一致"),
        (
            "linear trends within 2 standard errors or 5 % of each other, in more than half of the paths",
            "过半路径的线性趋势相差在 2 个标准误或 5% 之内",
        ),
    ),
    "pattern_period": (
        ("Barlas 2: the period agrees", "Barlas 2：周期一致"),
        (
            "autocorrelation functions within their errors, in more than half of the paths whose trend agrees",
            "趋势一致的路径中过半自相关函数相差在误差之内",
        ),
    ),
    "pattern_mean": (
        ("Barlas 4: the mean agrees", "Barlas 4：均值一致"),
        ("means within 5 %, in more than half of the paths that came so far", "到达此步的路径中过半均值相差在 5% 之内"),
    ),
    "pattern_variation": (
        ("Barlas 5: the variation about the trend agrees", "Barlas 5：围绕趋势的变异一致"),
        (
            "standard deviations within 30 %, in more than half of the paths that came so far",
            "到达此步的路径中过半标准差相差在 30% 之内",
        ),
    ),
    "pattern_discrepancy": (
        ("Barlas 6: the discrepancy is small", "Barlas 6：差异系数小"),
        (
            "discrepancy coefficient within its limit, in more than half of the paths that came so far",
            "到达此步的路径中过半差异系数在界限之内",
        ),
    ),
    "units": (
        ("units of every equation fit", "各方程单位一致"),
        ("no equation adds, compares or equates different units", "任何方程均不相加、比较或等同不同单位"),
    ),
    "rule": (
        ("behaviour rule in the base run", "基准运行中的行为规则"),
        ("holds in every region and year", "在每个地区和年份成立"),
    ),
    "extreme": (
        ("extreme condition", "极端条件"),
        ("finite, every behaviour rule holds, and what is expected follows", "有限、所有行为规则成立且得到预期结果"),
    ),
    "reality": (
        ("reality check", "现实性检查"),
        ("what the test input must imply follows", "测试输入所必然蕴含的结果成立"),
    ),
    "unit_of_measure": (
        ("the unit of measure does not matter", "计量单位无关紧要"),
        (
            "with inputs in a unit seven times as small, every variable is its old value in the new unit",
            "以七分之一大小的单位计量输入时，各变量为原值换算为新单位",
        ),
    ),
    "order": (
        ("the order of the regions does not matter", "地区顺序无关紧要"),
        ("with the regions in another order, every region has its old values", "地区换序后各地区取值不变"),
    ),
    "parameter": (
        ("the estimate is plausible", "估计值合理"),
        (
            "inside its bounds and within 3 standard deviations of the prior that states its source",
            "位于边界之内，且在表述其来源的先验 3 个标准差之内",
        ),
    ),
    "loop": (
        ("the loop does something", "回路起作用"),
        (
            "without it, what it is there to move moves by more than a thousandth of its own variation",
            "关闭后其应影响的变量变化超过自身变异的千分之一",
        ),
    ),
    "finite": (
        ("every value is finite", "所有值有限"),
        ("no NaN or infinity in the base run; otherwise the first is named", "基准运行无 NaN 或无穷大；否则指出首个"),
    ),
    "halving": (
        ("half the step changes little", "步长减半变化甚小"),
        ("largest change at most 1 % of the outcome's largest value", "最大变化不超过该结果最大值的 1%"),
    ),
    "runge_kutta": (
        ("Runge and Kutta's method changes little", "改用龙格-库塔法变化甚小"),
        ("largest change at most 1 % of the outcome's largest value", "最大变化不超过该结果最大值的 1%"),
    ),
    "balance": (
        ("flows that only move something sum to zero", "仅作转移的流量之和为零"),
        (
            "what came in more than went out over all years, relative to the largest flow",
            "历年流入超出流出的累计值，相对于最大流量",
        ),
    ),
    "non_negative": (
        ("stocks stay non-negative", "存量保持非负"),
        ("no stock that starts at or above zero falls below it", "起始不低于零的存量不降至零以下"),
    ),
    "draws_fail": (
        ("no run of the designs fails", "设计中的运行均未失败"),
        ("every run is finite", "所有运行均有限"),
    ),
    "modes": (
        ("the pattern of behaviour does not hang on one parameter", "行为模式不取决于单个参数"),
        ("moving any one parameter by 10 % leaves the behaviour mode as it is", "任一参数变动 10% 不改变行为模式"),
    ),
    "best_policy": (
        ("the best policy stays the best", "最优政策保持最优"),
        ("another one is best in at most 10 of 100 draws", "100 次抽样中其他政策最优不超过 10 次"),
    ),
    "policy_order": (
        ("the order of policies holds", "政策排序稳定"),
        ("no pair is the other way round in more than 25 of 100 draws", "任一对政策在 100 次抽样中颠倒不超过 25 次"),
    ),
    "back_test": (
        ("forecasts beat strong baselines", "预测优于强基准"),
        ("not part of this report", "不属于本报告"),
    ),
    "guideline": (
        ("all that is required at least is reported", "最低要求均已报告"),
        (
            "every minimum requirement of Rahmandad and Sterman has an answer",
            "Rahmandad 与 Sterman 的各项最低要求均有答复",
        ),
    ),
}

_PHRASES: dict[str, tuple[str, str]] = {
    "": ("", ""),
    "verbatim": ("{text}", "{text}"),
    "declared": ("{en}", "{zh}"),
    "declared_broken": ("{en} Found: {text}", "{zh}发现：{text}"),
    "undefined": ("the number is not defined for these values", "对这些值没有定义"),
    "bias_by_construction": (
        "the mean over regions is taken away on both sides, so the mean error is zero whatever the model",
        "两侧均已减去各地区均值，无论模型如何平均误差均为零",
    ),
    "not_fitted": (
        "levels are not fitted: the calibration compares regions with each other",
        "水平值未参与拟合：校准仅比较各地区之间的差异",
    ),
    "better_in": ("in {better} of {all} series", "{all} 个序列中的 {better} 个"),
    "outside_in": ("{count} of {all} regions; chance allows {most}", "{all} 个地区中的 {count} 个；偶然允许 {most} 个"),
    "too_short": ("{years} years; at least {least} are needed", "{years} 年；至少需要 {least} 年"),
    "mean_removed": (
        "the mean over regions is taken away, which alone correlates them by {expected} and hides what they share",
        "已减去各地区均值，仅此即产生 {expected} 的相关，并掩盖其共同部分",
    ),
    "paths_pass": (
        "{passed} of {done} paths; {skipped} others failed at an earlier step",
        "{done} 条路径中的 {passed} 条；另有 {skipped} 条止于更早步骤",
    ),
    "units_fit": (
        "{equations} equations; {silent} places say nothing about their unit",
        "{equations} 个方程；{silent} 处未给出单位",
    ),
    "units_silent": ("{count} places without a unit, or that could not be read", "{count} 处无单位或无法读取"),
    "no_rules": ("no checks.toml beside the model", "模型旁没有 checks.toml"),
    "not_declared": ("none is declared in a checks.toml beside the model", "模型旁的 checks.toml 未声明"),
    "no_fit": ("the model is evaluated by itself, without a fit to observations", "仅评估模型本身，没有对观测的拟合"),
    "no_ranges": (
        "without a fit nothing says how far parameters may be off",
        "没有拟合，无从得知参数可能的偏差范围",
    ),
    "no_scenarios": ("without a fit and shipped scenarios there is nothing to rank", "没有拟合和所附情景，无可排序"),
    "base_fails": ("the base run is not finite", "基准运行含非有限值"),
    "prior_only": ("at its prior: the panel says next to nothing about it", "保持先验：面板几乎没有提供信息"),
    "at_bound": ("ended at a bound; bounds {low} to {high} {unit}", "终止于边界；边界 {low} 至 {high} {unit}"),
    "plausible": (
        "bounds {low} to {high} {unit}; {score} prior standard deviations from the prior median",
        "边界 {low} 至 {high} {unit}；与先验中位数相差 {score} 个先验标准差",
    ),
    "departs": ("{count} of {all} variables depart, among them {names}", "{all} 个变量中有 {count} 个偏离，如 {names}"),
    "departs_not": ("{all} variables", "{all} 个变量"),
    "worst_of": (
        "{wrong} of {count} outcomes move by more; step {step}",
        "{count} 个结果中有 {wrong} 个变化超过界限；步长 {step}",
    ),
    "stocks_positive": (
        "{count} of {all} stocks start at or above zero and stay there",
        "{all} 个存量中有 {count} 个起始不低于零并保持",
    ),
    "stock_negative": (
        "first below zero in {year}; a checks.toml beside the model says which stocks may be",
        "于 {year} 首次低于零；模型旁的 checks.toml 可声明哪些存量可以为负",
    ),
    "runs_failed": (
        "{failed} of {runs} runs were not finite and were left out",
        "{runs} 次运行中有 {failed} 次非有限，已略去",
    ),
    "modes_change": ("changes with {names}", "随以下参数改变：{names}"),
    "modes_stay": ("no parameter, moved by {percent} % either way, changes it", "任一参数上下变动 {percent}% 均不改变"),
    "best_flips": (
        "of {used} draws ({failed} failed); mean rank correlation with the order (Kendall) {kendall}",
        "{used} 次抽样（{failed} 次失败）；与该排序的平均秩相关（Kendall）{kendall}",
    ),
    "pairs_flip": ("{unsure} of {all} pairs are less sure than that", "{all} 对中有 {unsure} 对不够确定"),
    "back_tests": (
        "forecast back-tests with re-calibration are not part of this report",
        "带重新校准的预测回测不属于本报告",
    ),
    "reported": ("{reported} of {all} requirements are reported", "{all} 项要求中已报告 {reported} 项"),
    "unreported": ("not reported: {names}", "未报告：{names}"),
    # Headings and sentences of the report.
    "title": ("Evaluation of {title}", "{title} 的评估"),
    "summary": (
        "passed {passed}, failed {failed}, not tested {untested}",
        "通过 {passed}，未通过 {failed}，未测试 {untested}",
    ),
    "how": (
        "Each row is one test with its criterion. A test that fails says where the model departs from what it is held "
        "against; it does not say that the model is useless, and passing does not prove it.",
        "每行为一项检验及其判据。未通过说明模型在何处偏离判据，并不表示模型无用；通过也不证明模型正确。",
    ),
    "what": (
        "Fit {fit} to panel {panel}, {first} to {last}, {regions} regions; run without policy from {last} to {until}.",
        "拟合 {fit}，面板 {panel}，{first} 至 {last} 年，{regions} 个地区；自 {last} 至 {until} 年无政策运行。",
    ),
    "what_alone": ("The model by itself, run as its file says.", "仅模型本身，按文件设定运行。"),
    "passed": ("passed", "通过"),
    "failed": ("failed", "未通过"),
    "not tested": ("not tested", "未测试"),
    "heading.failed": ("What failed", "未通过的检验"),
    "heading.not tested": ("What was not tested, and why", "未测试的项目及原因"),
    "heading.overview": ("Overview", "概览"),
    "heading.fit": ("Point fit", "逐点拟合"),
    "heading.residuals": ("Residuals", "残差"),
    "heading.patterns": ("Behaviour patterns", "行为模式"),
    "heading.structure": ("Structure", "结构"),
    "heading.numerics": ("Numerics", "数值计算"),
    "heading.sensitivity": ("Sensitivity", "敏感性"),
    "heading.ranking": ("Ranking of policies", "政策排序"),
    "heading.forecasts": ("Forecasts", "预测"),
    "heading.guidelines": ("Reporting guidelines", "报告规范"),
    "heading.made": ("How this was made", "生成方式"),
    "heading.files": ("Files", "文件"),
    "nothing_failed": ("No test failed.", "没有检验未通过。"),
    "all_tested": ("Everything was tested.", "全部均已测试。"),
    "column.section": ("part", "部分"),
    "column.title": ("test", "检验"),
    "column.subject": ("of", "对象"),
    "column.verdict": ("verdict", "结论"),
    "column.value": ("value", "数值"),
    "column.bound": ("held against", "界限"),
    "column.criterion": ("criterion", "判据"),
    "column.note": ("found", "说明"),
    "more_rows": ("{shown} of {all} rows; all of them in `{file}`.", "{all} 行中的 {shown} 行；全部见 `{file}`。"),
    "table.point_fit": (
        "Every series with its regions pooled. Error = simulated - observed. Percentages are left out where values are "
        "relative to the mean of the regions.",
        "各序列（各地区合并）。误差 = 模拟 - 观测。相对于各地区均值的数值不给出百分比误差。",
    ),
    "table.point_fit_regions": ("The same by region.", "按地区。"),
    "table.residuals": (
        "Memory of errors and innovations by region; a Durbin-Watson statistic of 2 is none.",
        "各地区误差与新息的自相关；Durbin-Watson 统计量为 2 表示无。",
    ),
    "table.cross_correlation": ("Correlation of innovations between regions.", "地区间新息的相关。"),
    "table.patterns": ("Every step of every path.", "各路径的各步骤。"),
    "table.units": ("Places where units do not fit or are not known.", "单位不一致或未知之处。"),
    "table.parameters": ("Estimates, bounds, priors and sources.", "估计值、边界、先验与来源。"),
    "table.loops": (
        "What is lost without each loop; `change`: root mean square of the difference over that of the base run's own "
        "variation.",
        "关闭各回路后失去的行为；`change` 为差值均方根与基准运行自身变异均方根之比。",
    ),
    "table.integration": (
        "Change of outcomes with half the step and with Runge and Kutta's method, relative to their largest value; "
        "order 1 is that of Euler's method.",
        "步长减半及改用龙格-库塔法时结果的变化（相对于最大值）；欧拉法的阶为 1。",
    ),
    "table.elasticities": ("Elasticities, one parameter at a time.", "弹性（逐个参数）。"),
    "table.modes": ("Behaviour modes, one parameter at a time.", "行为模式（逐个参数）。"),
    "table.ranges": (
        "Ranges of the parameters: 90 % intervals of the fit or of the prior.",
        "参数范围：拟合或先验的 90% 区间。",
    ),
    "table.morris": (
        "Morris's elementary effects on the gaps in the last year: mean size, mean, spread.",
        "Morris 基本效应（末年差距）：平均绝对值、均值、离散。",
    ),
    "table.morris_regions": ("The same by region and year.", "按地区与年份。"),
    "table.sobol": (
        "Sobol's indices of the gaps in the last year: share of variance by itself (S1), with others (ST).",
        "Sobol 指数（末年差距）：单独方差份额（S1）、含交互（ST）。",
    ),
    "table.sobol_regions": ("The same by region and year.", "按地区与年份。"),
    "table.ranking": (
        "Shipped policies by the national gap to the leading region they close in the last year, percentage points. "
        "They need not cost the same.",
        "所附政策按末年缩小的全国与领先地区差距（百分点）排序；成本未必相同。",
    ),
    "table.ranking_flips": ("Share of draws in which a pair is the other way round.", "各对政策颠倒的抽样份额。"),
    "table.ranking_parameters": (
        "Parameters whose values differ between draws that flip a pair and draws that do not.",
        "使某对政策颠倒与不颠倒的抽样之间取值不同的参数。",
    ),
    "table.model": ("Reporting the model.", "模型的报告。"),
    "table.simulation": ("Reporting the simulations.", "模拟的报告。"),
    "table.optimisation": ("Reporting the optimisation.", "优化的报告。"),
}


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence of the report, in whatever language it is read."""

    key: str = ""  # which sentence; empty for none
    parts: Mapping[str, Any] = field(default_factory=dict)  # what goes into its blanks

    def text(self, lang: str) -> str:
        """The sentence in a language, ``"en"`` or ``"zh"``."""
        if lang not in LANGUAGES:
            raise InvalidInput(f"no language {lang!r}; there are {', '.join(LANGUAGES)}")
        kind, _, rest = self.key.partition(".")
        both = _TESTS[rest][kind == "criterion"] if kind in ("test", "criterion") else _PHRASES[self.key]
        return both[LANGUAGES.index(lang)].format(**self.parts)


NOTHING = Phrase()


def has_phrase(key: str) -> bool:
    """Whether there is a sentence of that key."""
    return key in _PHRASES
