"""The words of the report of a fit, in English and Chinese; what the fit itself says stays in its own words."""

REPORT = {
    "en": {
        "title": "Calibration of {model} on {panel}, {first} to {last}",
        "lead": "{regions} regions, {cells} cells of {series} series. Of {count} parameters the panel settles or "
        "mostly determines {settled}; {prior} rest mostly or wholly on their prior. {message}",
        "passed": "All diagnostics hold.",
        "failed": "{count} diagnostics failed: look at them before you use anything below.",
        "findings": "What to keep in mind",
        "contents": "What was estimated from what",
        "observed": "Observed",
        "absent": "Not observed, and so not used",
        "estimated": "Estimated: {keys}",
        "unobserved": "In blocks that no series observes, so close to their priors",
        "set": "Set by you",
        "imputed": "Start values that nobody observed, and what stands in for them",
        "notes": "Notes",
        "panel": "What the reader of the panel said",
        "none": "nothing",
        "parameters": "Parameters",
        "parameters_note": "The estimate is the mode of the posterior. Intervals hold 90 of 100 values; those of the "
        "estimate are the normal approximation at the mode, on the scale on which the parameter has no bounds, unless "
        "something else is said. "
        "Contraction is the share of the prior variance that the panel took away: 0 means that the estimate is the "
        "prior, whatever its interval looks like.",
        "profile_note": "Where a parameter was profiled, the interval is that of its profile, and the last column says "
        "what the data alone rule out along it: flat where they cannot tell values apart.",
        "profile": "data alone",
        "others": "{count} further parameters were estimated with these; the panel took less than a twentieth of their "
        "prior variance. parameters.csv lists them all.",
        "parameter": "parameter",
        "unit": "unit",
        "estimate": "estimate",
        "interval": "90 %",
        "prior_median": "prior median",
        "prior_interval": "prior 90 %",
        "contraction": "contraction",
        "rests": "rests on",
        "correlations": "Pairs the panel tells apart badly (posterior correlation)",
        "correlation": "correlation",
        "and": "and",
        "by_series": "Fit by series",
        "series_note": "Errors are fitted less observed, in log points relative to the mean of the regions of the year "
        "(output: yearly changes of them), or in the unit of a national series; 0.01 is about one percent. Efficiency "
        "is one minus squared errors over squared deviations from the mean: at 0 the fit follows no better than a "
        "constant; for yearly changes that is persistence. These cells were used in the fit: nothing here is a test of "
        "a forecast.",
        "series": "series",
        "cells": "cells",
        "missing": "missing",
        "rmse": "RMSE",
        "bias": "bias",
        "efficiency": "efficiency",
        "r2": "squared correlation",
        "theil": "Theil: mean / spread / rest",
        "declared_sd": "declared error",
        "sd": "estimated error",
        "persistence": "persistence",
        "residuals": "Residual tests",
        "residuals_note": "Of the innovations: what is left of an error after the share that stays from the year "
        "before, in standard deviations. Durbin-Watson is 2 when they do not follow each other; memory is their "
        "correlation with the year before and should lie within the band; of the Ljung-Box tests about 5 in 100 "
        "regions should reject; the root mean square should be near 1. Beyond {bend} standard deviations a cell counts "
        "less.",
        "watson": "Durbin-Watson",
        "memory": "memory",
        "band": "band",
        "rejecting": "regions rejecting",
        "rms": "root mean square",
        "wild": "beyond {bend} sd",
        "verdict": "verdict",
        "quiet": "no pattern found",
        "patterned": "they follow each other",
        "unknown": "too few to tell",
        "shocks": "Shocks",
        "by_region": "Fit by region",
        "region_note": "Root mean squared error and bias (in brackets) by region and series, in the terms of the "
        "series. Worst in output: {worst}.",
        "region": "region",
        "figures": "Figures",
        "searches": "How the optimum was found",
        "optima": "Searches that converged ended at {count} places:",
        "start": "start",
        "cost": "cost",
        "outcome": "outcome",
        "distance": "largest distance, posterior sd",
        "provenance": "Provenance",
        "made": "Model {model} (SHA-256 {model_hash}), panel {panel} (SHA-256 {panel_hash}).",
        "file": "File {file} (SHA-256 {hash}), read as {encoding}, layout {shape}.",
        "versions": "gapsim {gapsim}, Python {python}, NumPy {numpy}, SciPy {scipy}; seed {seed}, {starts} searches, "
        "{seconds:.1f} s.",
        "money": "Money in {currency}{basis}; {rate:g} yuan for one unit of it.",
        "unnamed": "a currency the file does not name",
    },
    "zh": {
        "title": "模型 {model} 在面板 {panel} 上的校准（{first}—{last} 年）",
        "lead": "{regions} 个地区，{series} 个序列共 {cells} 个观测值。"
        "{count} 个参数中，面板确定或主要决定了 {settled} 个；{prior} 个主要或完全取决于先验。{message}",
        "passed": "全部诊断通过。",
        "failed": "{count} 项诊断未通过：使用以下结果之前请先查看。",
        "findings": "须注意之处",
        "contents": "由何数据估计了什么",
        "observed": "有观测",
        "absent": "无观测，因而未用",
        "estimated": "被估计：{keys}",
        "unobserved": "所在模块没有序列观测，因而接近先验",
        "set": "由用户设定",
        "imputed": "无观测的起始值及其替代",
        "notes": "说明",
        "panel": "读入面板时的提示",
        "none": "无",
        "parameters": "参数",
        "parameters_note": "估计值为后验众数。区间含 90% 的取值；估计值的区间为众数处的正态近似（在参数无界的刻度上）。"
        "收缩率为面板使先验方差减少的比例：为 0 时估计值就是先验，与区间的外观无关。",
        "profile_note": "做过剖面的参数，区间取自剖面；最后一列说明仅凭数据沿剖面能排除什么，"
        "平坦表示数据无法区分各取值。",
        "profile": "仅凭数据",
        "others": "另有 {count} 个参数一同估计，面板消除的先验方差不到二十分之一；全部参数见 parameters.csv。",
        "parameter": "参数",
        "unit": "单位",
        "estimate": "估计值",
        "interval": "90%",
        "prior_median": "先验中位数",
        "prior_interval": "先验 90%",
        "contraction": "收缩率",
        "rests": "依据",
        "correlations": "面板难以区分的参数对（后验相关系数）",
        "correlation": "相关系数",
        "and": "与",
        "by_series": "各序列的拟合",
        "series_note": "误差为拟合减观测，单位为相对于当年各地区均值的对数点（产出为其年变化），"
        "或全国序列自身的单位；0.01 约为 1%。"
        "效率为 1 减误差平方和与离均差平方和之比：为 0 时不优于常数；对年变化而言即持续性预测。"
        "这些值已用于拟合，不是对预测的检验。",
        "series": "序列",
        "cells": "观测数",
        "missing": "缺失",
        "rmse": "均方根误差",
        "bias": "偏差",
        "efficiency": "效率",
        "r2": "相关系数平方",
        "theil": "泰尔分解：均值 / 离散 / 其余",
        "declared_sd": "声明误差",
        "sd": "估计误差",
        "persistence": "持续性",
        "residuals": "残差检验",
        "residuals_note": "检验对象为新息：误差减去上年延续的部分，以标准差计。互不相关时杜宾-沃森统计量为 2；"
        "记忆为与上年的相关系数，应在带宽之内；Ljung-Box 检验约有 5% 的地区拒绝属正常；均方根应接近 1。"
        "超出 {bend} 个标准差的值权重较小。",
        "watson": "杜宾-沃森",
        "memory": "记忆",
        "band": "带宽",
        "rejecting": "拒绝的地区",
        "rms": "均方根",
        "wild": "超出 {bend} 个标准差",
        "verdict": "结论",
        "quiet": "未发现规律",
        "patterned": "前后相关",
        "unknown": "数据太少，无法判断",
        "shocks": "冲击",
        "by_region": "各地区的拟合",
        "region_note": "各地区、各序列的均方根误差及偏差（括号内），单位同该序列。产出误差最大：{worst}。",
        "region": "地区",
        "figures": "图",
        "searches": "最优点的搜索",
        "optima": "收敛的搜索停在 {count} 处：",
        "start": "起点",
        "cost": "目标值",
        "outcome": "结果",
        "distance": "最大距离（后验标准差）",
        "provenance": "来源",
        "made": "模型 {model}（SHA-256 {model_hash}），面板 {panel}（SHA-256 {panel_hash}）。",
        "file": "文件 {file}（SHA-256 {hash}），编码 {encoding}，版式 {shape}。",
        "versions": "gapsim {gapsim}，Python {python}，NumPy {numpy}，SciPy {scipy}；"
        "种子 {seed}，{starts} 次搜索，{seconds:.1f} 秒。",
        "money": "货币为{currency}{basis}；一单位合 {rate:g} 元人民币。",
        "unnamed": "文件未注明的货币",
    },
}


def words(key: str, lang: str, **parts: object) -> str:
    """Text of a key in a language, with its blanks filled in."""
    return REPORT[lang][key].format(**parts)
