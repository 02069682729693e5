"""The words of the pictures of a fit, in English and Chinese."""

from calibration.fitting.estimates import PRIOR_ONLY, SeriesFit
from calibration.fitting.results import FitResult

_WORDING = {
    "en": {
        "predictive": "Does the model make panels like the observed one?",
        "predictive_subtitle": "Statistics of panels the model makes over that of the observed one; {panel}, {first} "
        "to {last}",
        "predictive_caption": "Light: 90 of 100 panels made with parameters from the prior. Dark: from the posterior. "
        "At 1 they are as observed. Errors of the series are those of the fit. Spread: over regions and years; "
        "movement: from year to year.",
        "spread": "spread",
        "movement": "movement",
        "sentence_predictive": "Of {count} statistics of the series {inside} lie within the 5th to 95th percentile of "
        "panels made with the posterior.",
        "parameters": "What the panel says about each parameter",
        "parameters_subtitle": "Estimate over prior median, logarithmic; {panel}, {first} to {last}",
        "parameters_caption": "Thick, light: where the prior puts 90 of 100 values. Thin, dark: where they lie after "
        "the panel was seen. The words say how much of the prior variance the panel took away.",
        "prior": "prior, 90 of 100",
        "posterior": "estimate, 90 of 100",
        "series": "Fitted against observed",
        "series_subtitle": "Each dot a region and year, {panel}, {first} to {last}; the line is a perfect fit",
        "series_caption": "Log points relative to the mean of the regions of the year, yearly changes of them for "
        "output, or national levels. These values were used in the fit: this is no test of a forecast.",
        "observed": "observed",
        "fitted": "fitted",
        "sentence_parameters": "Of {count} parameters the panel settles or mostly determines {settled}; {prior} rest "
        "mostly on their prior.",
        "sentence_series": "Fitted against observed values of {count} series.",
        "regions": "Fitted and observed by region: {series}",
        "regions_subtitle_levels": "Log points relative to the mean of the regions; {panel}, {first} to {last}",
        "regions_subtitle_changes": "Log points relative to the mean of the regions, change since {first}; {panel}, "
        "{first} to {last}",
        "regions_caption": "The fit starts from the observed state of the first year and runs on without looking at "
        "later years; regions that move by shocks alone leave it. These values were used in the fit: this is no test "
        "of a forecast.",
        "sentence_regions": "Fitted and observed {series} of {count} regions; they part most in {worst}.",
        "residuals": "What the fit leaves, by region and year",
        "residuals_subtitle": "Innovations in standard deviations: fitted less observed, less what was left the year "
        "before; {panel}, {first} to {last}",
        "residuals_caption": "Blue: the fit is below what was observed. Orange: above. Deepest from {bend} standard "
        "deviations on, where a cell counts less in the fit ({wild} of {count} cells). Grey: not observed.",
        "below": "fit below observed",
        "above": "fit above observed",
        "sentence_residuals": "Standardised innovations of {count} series by region and year; {wild} of {cells} are "
        "beyond {bend} standard deviations.",
    },
    "zh": {
        "predictive": "模型能否生成与观测相似的面板？",
        "predictive_subtitle": "模型生成面板的统计量与观测值之比；{panel}，{first} 至 {last} 年",
        "predictive_caption": "浅色：参数取自先验时 90% 的面板；深色：取自后验。1 表示与观测相同。"
        "误差与拟合所得相同。离散：各地区各年份；变动：逐年变化。",
        "spread": "离散",
        "movement": "变动",
        "sentence_predictive": "{count} 个序列统计量中，{inside} 个位于后验生成面板的第 5 至第 95 百分位之间。",
        "parameters": "面板对各参数的信息",
        "parameters_subtitle": "估计值与先验中位数之比（对数刻度）；{panel}，{first} 至 {last} 年",
        "parameters_caption": "浅色粗线：先验 90% 所在范围；深色细线：看到面板之后的范围。"
        "文字说明面板使先验方差减少了多少。",
        "prior": "先验，90%",
        "posterior": "估计，90%",
        "series": "拟合值与观测值",
        "series_subtitle": "每点为一个地区一年，{panel}，{first} 至 {last} 年；直线为完全拟合",
        "series_caption": "相对于当年各地区均值的对数点，产出为其年变化，或为全国水平。"
        "这些值用于拟合，不是对预测的检验。",
        "observed": "观测",
        "fitted": "拟合",
        "sentence_parameters": "{count} 个参数中，面板确定或主要决定了 {settled} 个；{prior} 个主要取决于先验。",
        "sentence_series": "{count} 个序列的拟合值与观测值。",
        "regions": "各地区拟合值与观测值：{series}",
        "regions_subtitle_levels": "相对于各地区均值的对数点；{panel}，{first} 至 {last} 年",
        "regions_subtitle_changes": "相对于各地区均值的对数点，{first} 年以来的变化；{panel}，{first} 至 {last} 年",
        "regions_caption": "拟合从首年的观测状态出发，之后不再使用观测值；仅因冲击而变动的地区会偏离拟合线。"
        "这些值用于拟合，不是对预测的检验。",
        "sentence_regions": "{count} 个地区的拟合值与观测值（{series}）；{worst}相差最大。",
        "residuals": "拟合未能解释的部分：按地区与年份",
        "residuals_subtitle": "新息（以标准差计）：拟合减观测，再减去上年延续的部分；{panel}，{first} 至 {last} 年",
        "residuals_caption": "蓝色：拟合低于观测；橙色：拟合高于观测。{bend} 个标准差以外颜色最深，且在拟合中权重较小"
        "（{count} 格中有 {wild} 格）。灰色：无观测。",
        "below": "拟合低于观测",
        "above": "拟合高于观测",
        "sentence_residuals": "{count} 个序列按地区与年份的标准化新息；{cells} 格中有 {wild} 格超过 {bend} 个标准差。",
    },
}
_EVIDENCE_ZH = {
    "settled by the panel": "由面板确定",
    "mostly the panel": "主要来自面板",
    "panel and prior": "面板与先验",
    "mostly prior": "主要来自先验",
    PRIOR_ONLY: "先验",
}
_INDICATORS = {
    "output_per_head": ("output per head", "人均产出"),
    "population": ("population", "人口"),
    "mobile_internet_per_100": ("mobile internet users per 100", "每百人移动互联网用户"),
    "broadband_ports_per_100": ("broadband ports per 100", "每百人宽带端口"),
    "ict_employment_share": ("share of ICT employment", "信息业就业占比"),
    "firms_with_ecommerce": ("firms with e-commerce", "开展电子商务的企业占比"),
    "internet_penetration": ("internet penetration", "互联网普及率"),
    "access": ("access", "接入率"),
    "skills": ("skills", "技能人口比例"),
    "application": ("application", "应用比例"),
}


def say(key: str, lang: str, **parts: object) -> str:
    """Text of a key in a language, with its blanks filled in."""
    return _WORDING[lang][key].format(**parts)


def say_evidence(words: str, lang: str) -> str:
    """What an estimate rests on, in a language."""
    return words if lang == "en" else _EVIDENCE_ZH.get(words, words)


def window(result: FitResult) -> dict[str, object]:
    """Panel and years of a fit, for the blanks of subtitles."""
    return {"panel": result.fitted.panel, "first": result.fitted.first_year, "last": result.fitted.last_year}


def series_name(series: SeriesFit, lang: str) -> str:
    """Short name of a series."""
    names = _INDICATORS.get(series.indicator)
    if names is None:
        return series.indicator.replace("_", " ")
    return names[0] if lang == "en" else names[1]
