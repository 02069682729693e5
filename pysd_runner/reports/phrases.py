"""What reports say, in English and Chinese."""

from pysd_runner.errors import InvalidInput

PHRASES = {
    "en": {
        "since origin": "{label}: change from {origin} to {year}",
        "against": "{label}: against “{baseline}” in {year}",
        "how": "Median, and below it the 5th … 95th percentile of {draws} draws; comparisons are paired, draw by draw.",
        "how single": "One run at central values, without shocks: it says nothing about uncertainty.",
        "gap": "gap closed, percentage points",
        "nation": "nation",
        "theil": "Theil",
        "sigma": "sigma",
        "output": "national",
        "gap word": "gap",
        "falls": "falls",
        "thousandth": "×1000",
        "percent of output": "output, %",
        "probability": "{percent} %",
        "gap note": "gap: shortfall of output per head, of the nation from the leading region, of a class from the "
        "leading class",
        "falls note": "gap falls: share of draws in which the nation's gap is smaller in {year} than in {origin}",
        "equal shares": "population was not observed: what it weights, such as the gap of the nation and of classes, "
        "Theil and national output, is left out",
        "evidence": "How much is data, how much is prior",
        "data": "data: {all} uncertain parameters were calibrated together to {panel}, {first}-{last}; the panel took "
        "more than half of the prior variance from {narrowed} of them",
        "no data": "data: the starting state of {origin} alone; no parameter was calibrated",
        "prior": "prior: {rest} parameters, among them most of those that carry digital policy to output and every "
        "unit cost, rest on the literature and on judgement: the panel took less than a twentieth of their prior "
        "variance",
        "prior alone": "prior: all {rest} parameters come from the literature and from judgement",
        "certainty": "The calibrated parameters these results rest on ({panel}, {first}-{last})",
        "column parameter": "parameter",
        "column estimate": "estimate",
        "column interval": "{level} % interval",
        "column from data": "data",
        "column profile": "data alone",
        "column moves with": "moves with",
        "column verdict": "rests on",
        "profile bounded": "bounded",
        "profile bounded below": "bounded below",
        "profile bounded above": "bounded above",
        "profile flat": "flat",
        "profile two modes": "two modes",
        "verdict settled": "settled by the panel",
        "verdict mostly panel": "mostly the panel",
        "verdict panel and prior": "panel and prior",
        "verdict mostly prior": "mostly prior",
        "verdict prior only": "prior",
        "certainty note": "data: share of the prior variance the panel took away; data alone: what the likelihood "
        "rules out along the profile, flat where it cannot tell values apart; moves with: strongest posterior "
        "correlation",
        "certainty directions": "the data see {seen} of {count} directions better than the prior; least of all: "
        "{weakest}",
        "certainty all seen": "the data see all {count} directions better than the prior",
        "certainty others": "{count} other parameters keep their priors: the panel says next to nothing about them",
        "sampled": "{draws} draws of the posterior, largest R-hat {rhat:.3f}, smallest effective sample size {ess:.0f}",
        "sampled badly": "WARNING: THE POSTERIOR SAMPLE HAS NOT CONVERGED: largest R-hat {rhat:.3f}, smallest "
        "effective sample size {ess:.0f}; do not quote intervals from its draws",
        "imputed": "filled in at the start: {count} of the inputs were not observed (listed in summary.md)",
        "report": "Projection to {year} from {panel}",
        "warnings": "Read before quoting",
        "inferred": "What was not observed at the start, and how it was filled",
        "figures": "Figures",
        "figures note": "Each as PNG and SVG, with the numbers behind it (CSV) and in words (TXT).",
        "files": "Files",
        "table": "Each scenario against its baseline",
        "losers": "Who may lose",
        "model": "model {name} ({hash}), panel {panel} ({panel_hash}), seed {seed}, {draws} draws, gapsim {version}",
    },
    "zh": {
        "since origin": "{label}：{origin} 至 {year} 年的变化",
        "against": "{label}：{year} 年与“{baseline}”相比",
        "how": "中位数，其下为 {draws} 次抽样的第 5 … 第 95 百分位；比较逐次配对。",
        "how single": "以中心值模拟一次，不含冲击：不表示不确定性。",
        "gap": "差距缩小（百分点）",
        "nation": "全国",
        "theil": "泰尔指数",
        "sigma": "σ 离散度",
        "output": "全国产出",
        "gap word": "差距",
        "falls": "下降",
        "thousandth": "×1000",
        "percent of output": "（%）",
        "probability": "{percent} %",
        "gap note": "差距：人均产出的不足，全国与领先地区相比，各类地区与领先的一类相比",
        "falls note": "差距下降：{year} 年全国差距小于 {origin} 年的抽样所占比例",
        "equal shares": "没有人口数据：全国及各类地区的差距、泰尔指数和全国产出等按人口加权的结果不予给出",
        "evidence": "多少来自数据，多少来自先验",
        "data": "数据：{all} 个不确定参数按 {panel} {first}-{last} 年共同校准；"
        "面板使其中 {narrowed} 个的方差降至先验的一半以下",
        "no data": "数据：仅 {origin} 年的初始状态；没有校准任何参数",
        "prior": "先验：{rest} 个参数（包括数字政策影响产出的大部分参数和全部单位成本）取决于文献和判断，"
        "面板消除的方差不到先验的二十分之一",
        "prior alone": "先验：全部 {rest} 个参数来自文献和判断",
        "certainty": "这些结果所依据的校准参数（{panel}，{first}-{last} 年）",
        "column parameter": "参数",
        "column estimate": "估计",
        "column interval": "{level}% 区间",
        "column from data": "数据",
        "column profile": "仅凭数据",
        "column moves with": "相关",
        "column verdict": "取决于",
        "profile bounded": "两侧有界",
        "profile bounded below": "仅下侧有界",
        "profile bounded above": "仅上侧有界",
        "profile flat": "平坦",
        "profile two modes": "双峰",
        "verdict settled": "由面板确定",
        "verdict mostly panel": "主要来自面板",
        "verdict panel and prior": "面板与先验",
        "verdict mostly prior": "主要来自先验",
        "verdict prior only": "先验",
        "certainty note": "数据：面板消除的先验方差份额；"
        "仅凭数据：似然沿剖面能排除的取值，平坦表示无法区分；相关：最强的后验相关系数",
        "certainty directions": "{count} 个方向中，数据比先验看得更清楚的有 {seen} 个；最看不清的：{weakest}",
        "certainty all seen": "全部 {count} 个方向上数据都比先验看得更清楚",
        "certainty others": "其余 {count} 个参数保持先验：面板几乎没有提供信息",
        "sampled": "{draws} 次后验抽样，最大 R-hat {rhat:.3f}，最小有效样本量 {ess:.0f}",
        "sampled badly": "警告：后验抽样尚未收敛：最大 R-hat {rhat:.3f}，最小有效样本量 {ess:.0f}；"
        "请勿引用由其得到的区间",
        "imputed": "起点的填补：{count} 项输入没有观测值（见 summary.md）",
        "report": "由 {panel} 推算至 {year} 年",
        "warnings": "引用前请读",
        "inferred": "起点未观测的量及其填补方法",
        "figures": "图",
        "figures note": "每幅图有 PNG、SVG，图中数据（CSV）和文字说明（TXT）。",
        "files": "文件",
        "table": "各情景与其基准相比",
        "losers": "谁可能受损",
        "model": "模型 {name}（{hash}），面板 {panel}（{panel_hash}），种子 {seed}，{draws} 次抽样，gapsim {version}",
    },
}


def say(key: str, lang: str, **parts: object) -> str:
    """Text of a key in a language, with its blanks filled in.

    Parameters
    ----------
    key
        A key of `PHRASES`.
    lang
        ``"en"`` or ``"zh"``.
    parts
        What to put into the blanks.

    Returns
    -------
    str
        The text.

    Raises
    ------
    InvalidInput
        If there is no such language.
    """
    if lang not in PHRASES:
        raise InvalidInput(f"no reports in language {lang!r}; expected one of {', '.join(PHRASES)}")
    return PHRASES[lang][key].format(**parts)
