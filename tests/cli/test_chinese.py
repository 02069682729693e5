"""What a reader sees with ``--lang zh`` is Chinese: screen, pages, captions, problems of a file."""

import pytest

from tests.english import latin, sentences_in, visible

BROKEN = """地区,年份,人均GDP [元],population [persons],extra
北京,2010,abc,1000000,1
北京,2010,50000,1000000,1
北京,2012,52000,1000000,1
上海,20x1,52000,1000000,1
上海,2011,-5,1000000,1
上海,2012,500000000,1000000,1
"""


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.csv"
    path.write_text(BROKEN, encoding="utf-8")
    return path


def written(folder):
    """Pages and captions of a folder of results, by path."""
    found = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.suffix in {".md", ".txt"}}
    return found | {path: visible(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}


def test_english_is_found_where_there_is_some():
    assert sentences_in("错误：the year is empty；应为 1234.5") == ["the year is empty"]
    assert sentences_in("`gapsim run zoned_need --out results`，output_per_head 与 R-hat") == []
    assert visible("<p title='a b c d'>中文</p><script>let a b c</script>").strip() == "中文"


def test_problems_of_a_file(gapsim, broken):
    answer = gapsim("data", "check", broken.name, "--lang", "zh", code=2)
    assert not sentences_in(answer.out), answer.out
    assert "broken.csv：5 个错误，2 个提示" in answer.out
    assert "错误：第 5 行、'年份' 列：不是整年；实际为 '20x1'；应为：1800 至 2100 的整年" in answer.out
    assert "error: row 5, column '年份': not a whole year; found '20x1'" in gapsim("data", "check", broken.name).out


def test_a_file_that_is_refused(gapsim, broken):
    answer = gapsim("run", "zoned_need", "--data", broken.name, "--lang", "zh", code=2)
    assert not sentences_in(answer.err), answer.err
    assert answer.err.startswith("错误：broken.csv：5 个错误")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "zoned_neeed"), "没有名为 'zoned_neeed' 的情景；"),
        (("run", "zoned_need", "--data", "nowhere.csv"), "没有名为 'nowhere.csv' 的文件或内置面板；内置面板：china。"),
        (("run", "zoned_need", "--region", "Bejing"), "面板中没有地区 'Bejing'；"),
        (("brief", "四穿"), "'四川'"),
        (
            ("run", "bad.yaml"),
            "bad.yaml:2：policy.budget：不是数字；实际为 '0,3'；应为：不带引号的数字。请使用小数点。",
        ),
        (("run", "--drawz"), "没有选项 --drawz（可用：--data, --draws）\n  `gapsim run --help` 说明其用法并附示例。"),
        (("brief", "Gansu", "--format", "pfd"), "--format 'pfd'：应为 html, docx, xlsx 中的一个或几个，以逗号分隔"),
    ],
)
def test_a_command_that_cannot_be_done(gapsim, tmp_path, words, said):
    (tmp_path / "bad.yaml").write_text('schema: 1\npolicy: {budget: "0,3"}\nname: bad\n')
    answer = gapsim(*words, "--lang", "zh", code=2)
    assert answer.err.startswith("错误：")
    assert said in answer.err
    assert gapsim(*words).err.startswith("error: ")


def test_the_language_is_that_of_the_environment(gapsim, monkeypatch):
    """Each variable decides before the ones given so far, and an option before all of them."""
    monkeypatch.delenv("GAPSIM_LANG")
    monkeypatch.delenv("LC_ALL", raising=False)
    for name, value, said in (("LANG", "zh_CN.UTF-8", "没有"), ("LC_ALL", "C", "No"), ("GAPSIM_LANG", "zh", "没有")):
        monkeypatch.setenv(name, value)
        assert said in gapsim("rum", code=2).err
        assert ("没有" if said == "No" else "scenario") in gapsim(
            "run", "x", "--lang", "zh" if said == "No" else "en"
        ).err


def test_what_a_panel_holds(gapsim):
    answer = gapsim("data", "check", "china", "--lang", "zh")
    assert answer.out.startswith("china：没有问题\n31 个地区，2000—2024 年")
    assert not sentences_in(answer.out)


def test_a_run_and_its_brief(gapsim, small, tmp_path):
    options = (*small, "--draws", 2, "--until", 2026, "--lang", "zh")
    answer = gapsim("run", "zoned_need", *options, "--out", "run", code=0)
    told = gapsim("brief", "nation", "--run", "run", "--lang", "zh", "--out", "brief", code=0)
    for text in (answer.out, answer.err, told.out, told.err):
        assert not sentences_in(text), text
    pages = written(tmp_path / "run") | written(tmp_path / "brief")
    assert {path.suffix for path in pages} == {".md", ".txt", ".html"}
    for path, text in pages.items():
        assert not sentences_in(text), path


# A school's influenza: a small model and counts of one's own.
OWN = """{UTF-8}
Contact Rate = 9
  ~ 1/day [0,20] ~|
Duration = 4
  ~ day ~|
Infection = Contact Rate * 0.1 * Susceptible * Infected / 1000
  ~ person/day ~|
Susceptible = INTEG(-Infection, 995)
  ~ person ~|
Infected = INTEG(Infection - Infected / Duration, 5)
  ~ person ~|
INITIAL TIME = 0 ~ day ~|
FINAL TIME = 40 ~ day ~|
TIME STEP = 0.25 ~ day ~|
SAVEPER = 1 ~ day ~|
"""
COUNTED = (5, 9, 17, 27, 39, 73, 112, 182, 225, 338, 395, 469, 419, 398, 306, 362, 224, 243, 184, 148, 126, 105)
# Names in the model, its data and the folder of the fit, units, and the name of a distribution.
OF_OWN = {
    "mine",
    "obs",
    "fit",
    "infected",
    "Infected",
    "Contact",
    "Rate",
    "Duration",
    "temperature",
    "day",
    "person",
    "Huber",
}


def test_a_fit_and_a_forecast_with_a_model_of_ones_own(gapsim, tmp_path):
    (tmp_path / "mine.mdl").write_text(OWN)
    rows = [f"{day},{count},{20 + day % 3}" for day, count in enumerate(COUNTED)]
    (tmp_path / "obs.csv").write_text("\n".join(["day,infected,temperature", *rows]))
    asked = ("obs.csv", "--model", "mine.mdl", "--lang", "zh")
    fit = gapsim("calibrate", *asked, "--window", ":18", "--starts", 2, "--without", "profiles", "--out", "fit")
    ahead = gapsim(
        "forecast", *asked, "--until", 24, "--draws", 50, "--event", "infected above 50 at 24", "--out", "on"
    )
    pages = written(tmp_path / "fit") | written(tmp_path / "on")
    assert {path.name for path in pages} >= {"report.md", "report.html", "forecast.md", "forecast.html"}
    for text in (fit.out, fit.err, ahead.out, ahead.err, *pages.values()):
        assert latin(text) <= OF_OWN, text
