"""The page works from a file, alone: clicked through in a real browser."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from reports.page import SCRIPTS, render_page, write_page
from reports.page_conventions import convention_groups
from reports.page_words import (
    address_words,
    circumstances,
    few,
    headline_versions,
    quoted,
    value_words,
)
from reports.results import ReportError
from tests.sample_results import older_results, sample_results

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
)
DIFFERING = "running-variance-takes-the-sample-variance"


def program(*names):
    found = next(filter(None, map(shutil.which, names)), None)
    assert found, (
        f"The page is tested in a real browser, but {names[0]} is not on PATH. "
        "On Debian: apt-get install chromium chromium-driver"
    )
    return found


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium", "chromium-browser", "google-chrome")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(program("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    write_page(sample_results(), path)
    return path.as_uri()


def is_foreign(message):
    if message["method"] != "Network.requestWillBeSent":
        return False
    return not message["params"]["request"]["url"].startswith(("file:", "data:"))


@pytest.fixture
def browser(driver, address):
    """Open the page anew; afterwards nothing was complained of and nothing was fetched."""
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(address)
    yield driver
    assert driver.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    assert messages
    assert [message for message in messages if is_foreign(message)] == []


def find(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def visible(browser, selector):
    found = browser.find_elements(By.CSS_SELECTOR, selector)
    return [entry.text for entry in found if entry.is_displayed()]


def shown_scenarios(browser):
    return visible(browser, "#matrix tr.scenario th a")


def choose(browser, form, name, value):
    Select(find(browser, f"#{form} [name={name}]")).select_by_visible_text(value)


def back(browser):
    before = browser.current_url
    browser.back()
    WebDriverWait(browser, 5).until(lambda there: there.current_url != before)


def names(suite):
    return [entry["name"] for entry in sample_results()["scenarios"] if entry["suite"] == suite]


ALL = names("running-statistics") + names("defaults")


def test_a_suite_opens_and_closes_by_keyboard(browser):
    assert shown_scenarios(browser) == []
    button = find(browser, "tbody[data-suite=defaults] .fold")
    button.send_keys(Keys.ENTER)
    assert shown_scenarios(browser) == names("defaults")
    assert button.get_attribute("aria-expanded") == "true"
    browser.refresh()
    assert shown_scenarios(browser) == names("defaults")
    find(browser, "tbody[data-suite=defaults] .fold").send_keys(Keys.SPACE)
    assert shown_scenarios(browser) == []


def test_all_suites_open_and_close_at_once(browser):
    find(browser, "#expand").click()
    assert shown_scenarios(browser) == ALL
    find(browser, "#collapse").click()
    assert shown_scenarios(browser) == []


def test_a_suite_counts_its_verdicts_in_words(browser):
    cell = "tbody[data-suite=running-statistics] td[data-implementation=keras-tensorflow]"
    assert visible(browser, f"{cell} li") == ["✓ 2 conforms", "≠ 1 differs"]


@pytest.mark.parametrize(
    ("name", "value", "scenarios"),
    [
        ("suite", "defaults", names("defaults")),
        ("verdict", "crashed", ["infinite-input-reaches-the-statistics"]),
    ],
)
def test_a_chosen_filter_is_kept_in_the_address(browser, name, value, scenarios):
    choose(browser, "filters", name, value)
    assert shown_scenarios(browser) == scenarios
    assert f"{name}={value}" in browser.current_url
    browser.refresh()
    assert shown_scenarios(browser) == scenarios
    assert find(browser, f"#filters [name={name}]").get_attribute("value") == value
    back(browser)
    assert shown_scenarios(browser) == []


def test_text_is_searched_in_questions_and_conventions(browser):
    find(browser, "#filters [name=text]").send_keys("FREEZING")
    assert shown_scenarios(browser) == ["trainable-false-forces-inference-mode"]
    browser.refresh()
    assert shown_scenarios(browser) == ["trainable-false-forces-inference-mode"]
    assert find(browser, "#shown").text == "1 of 6 scenarios"


def test_text_that_nothing_contains_says_so(browser):
    find(browser, "#filters [name=text]").send_keys("dropout")
    assert visible(browser, ".nothing") == ["No scenario passes these filters."]


def test_an_implementation_is_shown_alone(browser):
    choose(browser, "filters", "implementation", "torch")
    browser.refresh()
    headers = visible(browser, "#matrix thead th[data-implementation]")
    assert [header.split()[0] for header in headers] == ["torch"]


def test_a_verdict_is_looked_for_in_the_chosen_implementation(browser):
    choose(browser, "filters", "implementation", "torch")
    choose(browser, "filters", "verdict", "differs")
    assert shown_scenarios(browser) == ["infinite-input-reaches-the-statistics"]


def test_disagreements_are_shown_alone(browser):
    find(browser, "#filters [name=disagreements]").click()
    browser.refresh()
    disagreeing = [DIFFERING, "default-epsilon", "trainable-false-forces-inference-mode"]
    assert shown_scenarios(browser) == disagreeing
    assert visible(browser, "#agreement tr.scenario th a") == disagreeing
    assert visible(browser, "#agreement tr.standing") == ["Implementations disagree 3"]


def test_reset_shows_everything_again(browser):
    choose(browser, "filters", "suite", "defaults")
    find(browser, "#filters [type=reset]").click()
    assert find(browser, "#shown").text == "6 scenarios"
    assert "suite=" not in browser.current_url


def test_a_filter_counts_only_what_it_shows(browser):
    choose(browser, "filters", "verdict", "not expressible")
    cell = "tbody[data-suite=running-statistics] td[data-implementation=torch]"
    assert visible(browser, f"{cell} li") == ["– 1 not expressible"]


def test_an_address_from_elsewhere_does_no_harm(browser, address):
    browser.get(address + "#verdict=excellent&suite=&from=mxnet&open=nowhere")
    assert find(browser, "#shown").text == "6 scenarios"
    assert visible(browser, "#pair-lists h3")


def test_a_cell_opens_its_scenario_and_back_returns(browser):
    choose(browser, "filters", "verdict", "differs")
    cell = f"tr[data-scenario={DIFFERING}] td[data-implementation=keras-tensorflow] a"
    find(browser, f"#matrix {cell}").click()
    assert find(browser, "#detail h1").text == DIFFERING
    assert "verdict=differs" in browser.current_url
    assert "at=keras-tensorflow" in browser.current_url
    browser.refresh()
    assert find(browser, "#detail h1").text == DIFFERING
    back(browser)
    assert find(browser, "#overview").is_displayed()
    assert DIFFERING in shown_scenarios(browser)


def test_a_row_opens_its_scenario_and_the_link_returns(browser):
    find(browser, "#expand").click()
    find(browser, f"#matrix tr[data-scenario={DIFFERING}] .question").click()
    assert find(browser, "#detail h1").text == DIFFERING
    find(browser, "#detail .back a").click()
    assert shown_scenarios(browser) == ALL


def test_a_scenario_tells_verdict_reason_explanation_and_first_disagreement(browser, address):
    browser.get(f"{address}#scenario={DIFFERING}")
    answer = find(browser, "#answer-keras-tensorflow").text
    assert "≠ differs unexpected" in answer
    assert "the running variance is 1.5 where 1.25 was expected" in answer
    assert "It would agree if the running variance were fed n/(n-1)" in answer
    (row,) = visible(browser, "#answer-keras-tensorflow .first-disagreement")
    assert "running variance" in row
    assert visible(browser, "#answer-keras-tensorflow .first-disagreement mark") == ["1.25", "1.5"]
    groups = " ".join(find(browser, "#detail .groups").text.split())
    assert groups == "tf-contrib torch paper ≠ differs from keras-tensorflow odd one out"
    assert visible(browser, "#answer-torch table") == []
    find(browser, "#answer-torch summary").click()
    WebDriverWait(browser, 5).until(lambda there: visible(there, "#answer-torch table"))


def test_what_is_not_finite_is_told_in_words(browser, address):
    browser.get(f"{address}#scenario=infinite-input-reaches-the-statistics&at=torch")
    (row,) = visible(browser, "#answer-torch .first-disagreement")
    assert "Infinity" in row
    assert "NaN" in row


def test_an_expected_refusal_agrees(browser, address):
    browser.get(f"{address}#scenario=one-value-per-channel-in-training&at=torch")
    rows = visible(browser, "#answer-torch tbody tr")
    assert "✓ agrees raised ValueError: Expected more than 1 value" in rows[-1]


def test_a_scenario_that_is_not_there_says_so(browser, address):
    browser.get(f"{address}#scenario=dropout")
    assert "no scenario called “dropout”" in find(browser, "#detail").text


def test_a_convention_is_reached_from_a_scenario(browser, address):
    browser.get(f"{address}#scenario={DIFFERING}")
    find(browser, "#detail .facts .axis").click()
    assert find(browser, "#overview").is_displayed()
    focused = browser.switch_to.active_element
    assert focused.get_attribute("id") == "axis-running-variance-factor"


def test_a_pair_is_chosen_swapped_and_kept(browser):
    choose(browser, "pair", "from", "keras-tensorflow")
    choose(browser, "pair", "to", "torch")
    find(browser, "#swap").click()
    browser.refresh()
    titles = ["✓ Same 2", "⇄ Same once translated 2", "≠ Cannot be matched 1", "– Not comparable 1"]
    assert visible(browser, "#pair-lists h3") == titles
    advice = "Write epsilon=0.00001 out."
    assert advice in find(browser, "#pair-lists").text
    find(browser, "#pair-lists td summary").click()
    assert visible(browser, "#pair-lists td li") == ["default-epsilon"]


def test_a_pair_that_was_not_compared_says_so(browser):
    choose(browser, "pair", "from", "torch")
    choose(browser, "pair", "to", "torch")
    assert find(browser, "#pair-lists").text == "Choose two different implementations."


def does(browser, axis, implementation):
    """Return what the page says at once of an implementation on a convention, line by line."""
    return find(browser, f"#axis-{axis} [data-implementation={implementation}]").text.split("\n")


@pytest.mark.parametrize(
    ("axis", "implementation", "lines"),
    [
        ("default-epsilon", "torch", ["0.00001", "✓ as declared", "1 scenario, 1 source"]),
        (
            "running-variance-factor",
            "keras-tensorflow",
            [
                "n/(n-1)",
                "≠ otherwise than declared unexpected",
                "declared: 1",
                "1 scenario, 1 source",
            ],
        ),
        (
            "trainable-false-mode",
            "tf-contrib",
            [
                "inference even with training=True",
                "≠ otherwise than declared known",
                "declared: no effect",
                "1 scenario, 1 source",
            ],
        ),
        (
            "trainable-false-mode",
            "keras-tensorflow",
            [
                "‘no effect’ or ‘inference even with training=True’",
                "? not told apart",
                "declared: inference even with training=True",
                "1 source",
            ],
        ),
        ("default-epsilon", "tf-contrib", ["0.001", "· declared, not measured", "1 source"]),
        ("zero-debias-argument", "torch", ["neither", "! measured, not declared"]),
        (
            "zero-debias-argument",
            "keras-tensorflow",
            ["– not applicable", "No such argument.", "1 source"],
        ),
        (
            "zero-debias-argument",
            "tf-contrib",
            [
                "mean only",
                "✓ as declared",
                "! default-epsilon showed otherwise.",
                "1 scenario, 1 source",
            ],
        ),
        (
            "running-variance-factor",
            "tf-contrib",
            [
                "n/(n-1)",
                "✓ as declared",
                "rank 4; rank 4, float16; rank 4, float64 and 1 more",
                "1",
                "✓ as declared",
                "rank 2",
                "1 scenario, 1 source",
            ],
        ),
    ],
)
def test_a_convention_shows_what_was_measured_before_what_is_declared(
    browser, axis, implementation, lines
):
    assert does(browser, axis, implementation) == [implementation, *lines]


def test_conventions_are_asked_as_questions_in_their_groups(browser):
    assert visible(browser, "#conventions summary h3") == [
        "Arguments and defaults",
        "Running statistics",
        "Freezing",
    ]
    asked = find(browser, "#axis-running-variance-factor .asked").text.split("\n")
    assert asked[:3] == [
        "Is the running variance fed the sample variance?",
        "running-variance-factor · the paper: n/(n-1)",
        "Small batches leave another variance behind.",
    ]
    find(browser, "#axis-running-variance-factor .asked summary").click()
    assert "Whether the running variance is fed" in find(browser, "#conventions .asked [open]").text


def test_a_group_says_what_is_otherwise_and_each_implementation_is_counted(browser):
    words = ["Running statistics 2 conventions", "1 otherwise than declared", "1 measured"]
    summary = visible(browser, ".convention-group > summary")[1]
    assert [word in summary for word in words] == [True, True, True]
    assert visible(browser, ".standings li")[0].split("\n") == [
        "keras-tensorflow",
        "≠ 1 otherwise than declared",
        "✓ 1 as declared",
        "? 1 not told apart",
        "– 1 not applicable",
    ]


def test_a_measured_value_leads_to_its_scenario_and_its_source(browser):
    place = "#axis-default-epsilon [data-implementation=torch]"
    find(browser, f"{place} summary").click()
    assert visible(browser, f"{place} li") == [
        "default-epsilon",
        "docs.pytorch.org/…/torch.nn.BatchNorm2d.html",
    ]
    find(browser, f"{place} li a").click()
    assert find(browser, "#detail h1").text == "default-epsilon"
    assert browser.switch_to.active_element.get_attribute("id") == "answer-torch"


def lines_on(axis, implementation, *findings):
    """Return the lines on a convention where these are all its findings, and those elsewhere."""
    results = sample_results()
    (found,) = [e for e in results["identified"] if e["implementation"] == implementation]
    empty = {"expected": True, "decided_by": [], "contradicted_by": []}
    found["conventions"] = [{**empty, "axis": axis, **finding} for finding in findings]
    rows = [row for group in convention_groups(results) for row in group["rows"]]
    (cell,) = [row["cells"][implementation] for row in rows if row["axis"]["id"] == axis]
    keys = ("mark", "values", "contexts")
    return [
        [tuple(line[key] for key in keys) for line in lines]
        for lines in (cell["lines"], cell["elsewhere"])
    ]


def finding(status, declared, measured, *contexts):
    return {"status": status, "declared": declared, "measured": measured, "contexts": contexts}


def test_another_value_declared_where_nothing_was_measured_is_shown_too():
    shown, elsewhere = lines_on(
        "running-variance-factor",
        "tf-contrib",
        finding("as declared", "n/(n-1)", ["n/(n-1)"], "rank 4"),
        finding("not reached", "1", ["1", "n/(n-1)"], "rank 3"),
        finding("not told apart", "n/(n-1)", ["1", "n/(n-1)"], "rank 2"),
    )
    assert shown == [
        ("as declared", ["n/(n-1)"], ["rank 4"]),
        ("declared, not measured", ["1"], ["rank 3"]),
    ]
    assert elsewhere == [("not told apart", ["1", "n/(n-1)"], ["rank 2"])]


def test_contexts_that_read_the_same_are_told_together():
    shown, elsewhere = lines_on(
        "default-epsilon",
        "torch",
        finding("not reached", 1e-5, [1e-5, 0.001], "rank 2"),
        finding("not reached", 1e-5, [1e-5, 0.001, 0.002], "rank 3"),
    )
    assert shown == [("declared, not measured", [1e-5], ["rank 2", "rank 3"])]
    assert elsewhere == []


def test_a_question_that_does_not_arise_is_not_applicable_whatever_was_not_told_apart():
    not_told = finding("not told apart", "not applicable", ["mean only", "neither"], "rank 2")
    shown, _ = lines_on("zero-debias-argument", "keras-tensorflow", not_told)
    assert shown == [("not applicable", [], ["rank 2"])]


def test_contexts_that_add_nothing_are_folded(browser):
    place = "#axis-default-epsilon [data-implementation=keras-tensorflow]"
    assert "rank 4" not in find(browser, place).text
    find(browser, f"{place} summary").click()
    assert "Declared, not measured\nwith rank 4; rank 5" in find(browser, place).text


def test_a_convention_in_a_folded_group_is_unfolded_when_it_is_reached(browser):
    find(browser, "#conventions-2 > summary").click()
    assert not find(browser, "#axis-running-variance-factor").is_displayed()
    find(browser, "#agreement .axis").click()
    assert find(browser, "#axis-running-variance-factor").is_displayed()
    focused = browser.switch_to.active_element
    assert focused.get_attribute("id") == "axis-running-variance-factor"


def test_what_is_unexpected_is_told_in_sentences_above_the_matrix(browser):
    assert (
        "Unexpected: 1 verdict, 1 convention and 1 unnamed behaviour."
        in find(browser, "#counts").text
    )
    place = find(browser, "#unexpected")
    assert place.location["y"] < find(browser, "#matrix").location["y"]
    assert visible(browser, "#unexpected h3") == [
        "Conventions measured otherwise than declared 1",
        "Behaviours that no combination of conventions explains 1",
        "Verdicts 1",
    ]
    convention, unnamed, verdict = visible(browser, "#unexpected li")
    assert convention == (
        "keras-tensorflow · running-variance-factor: running-variance-factor, of which otherwise "
        f"(rank 2), by {DIFFERING}.\nIs the running variance fed the sample variance?"
    )
    assert unnamed == (
        "keras-tensorflow · default-epsilon: Nothing explains the output after step 2."
    )
    assert verdict == (
        f"keras-tensorflow · {DIFFERING}: ≠ differs. After step 2 the running variance is 1.5 "
        "where 1.25 was expected. It would agree if the running variance were fed n/(n-1) times "
        "the population variance."
    )
    find(browser, "#unexpected a.axis").click()
    focused = browser.switch_to.active_element
    assert focused.get_attribute("id") == "axis-running-variance-factor"


def test_a_scenario_tells_what_has_no_name_and_the_closest_fit(browser, address):
    browser.get(f"{address}#scenario=default-epsilon&at=keras-tensorflow")
    answer = find(browser, "#answer-keras-tensorflow .unnamed")
    assert "Nothing explains the output after step 2." in answer.text
    assert "unexpected" in answer.text
    find(browser, "#answer-keras-tensorflow .unnamed summary").click()
    assert visible(browser, ".unnamed li li") == [
        "running-variance-factor: 1",
        "default-epsilon: 0.001",
    ]
    assert visible(browser, "#answer-torch .unnamed") == []
    browser.get(f"{address}#scenario=infinite-input-reaches-the-statistics&at=torch")
    answer = find(browser, "#answer-torch .unnamed").text
    assert answer.endswith("Nothing explains the running_mean after step 2.")


def test_many_unexpected_verdicts_are_folded(driver, tmp_path):
    results = sample_results()
    for cell in results["cells"]:
        cell["expected"] = False
    results["cells"][0]["verdict"] = "did not run"
    write_page(results, tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri())
    assert len(visible(driver, "#unexpected h3:last-of-type + ul li")) == 5
    assert visible(driver, "#unexpected summary") == ["12 more"]
    assert visible(driver, "#unexpected > .small") == ["Besides, 1 did not run: see the matrix."]
    find(driver, "#unexpected summary").click()
    assert len(visible(driver, "#unexpected details li")) == 12


def test_nothing_unexpected_is_not_a_section(driver, tmp_path):
    results = sample_results()
    for part in (results["cells"], *(found["conventions"] for found in results["identified"])):
        for entry in part:
            entry["expected"] = True
    for found in results["identified"]:
        found["unnamed"] = []
    write_page(results, tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri())
    assert driver.find_elements(By.CSS_SELECTOR, "#unexpected") == []
    assert "Every verdict is as expected" in find(driver, "#counts").text


def test_results_from_before_conventions_were_measured_show_what_is_declared(driver, tmp_path):
    write_page(older_results(), tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri())
    driver.get_log("browser")
    lines = ["tf-contrib", "n/(n-1)", "rank 4, fused", "1", "rank 2, not fused", "1 source"]
    assert does(driver, "running-variance-factor", "tf-contrib") == lines
    torch = does(driver, "zero-debias-argument", "torch")
    assert torch == ["torch", "– not declared"]
    assert "older kind, which measures no conventions" in find(driver, "#conventions").text
    assert "Whether the running variance" in find(driver, "#axis-running-variance-factor").text
    assert visible(driver, ".standings") == []
    assert "Unexpected: 1 verdict." in find(driver, "#counts").text
    driver.get((tmp_path / "page.html").as_uri() + f"#scenario={DIFFERING}")
    assert find(driver, "#detail h1").text == DIFFERING
    assert driver.get_log("browser") == []


def test_without_a_measurement_what_is_declared_says_so(driver, tmp_path):
    results = sample_results()
    del results["identified"][1]
    write_page(results, tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri())
    assert does(driver, "default-epsilon", "tf-contrib") == [
        "tf-contrib",
        "0.001",
        "· declared, not measured",
        "1 source",
    ]


SECTIONS = ["unexpected", "matrix", "agreement", "pairs", "conventions", "versions"]


@pytest.mark.parametrize("section", SECTIONS)
def test_no_section_is_wider_than_a_narrow_screen(browser, section):
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        width = browser.execute_script("return document.documentElement.scrollWidth")
        box = browser.execute_script(f"return {section}.getBoundingClientRect().right")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width <= 360
    assert box <= 360


def test_hostile_text_stays_text(driver, tmp_path):
    evil = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
    results = sample_results()
    results["banners"] = [evil]
    results["scenarios"][0]["question"] = evil
    results["cells"][0]["reason"] = evil
    results["conventions"][0]["question"] = evil
    results["identified"][0]["conventions"][0]["measured"] = [evil]
    results["identified"][0]["unnamed"][0]["scenario"] = DIFFERING
    results["identified"][0]["unnamed"][0]["context"] = evil
    write_page(results, tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri() + f"#scenario={DIFFERING}")
    assert evil in find(driver, "#answer-keras-tensorflow").text
    assert find(driver, "#detail .lead").text == evil
    assert evil in find(driver, ".unnamed").text
    find(driver, "#detail .back a").click()
    assert find(driver, "#axis-default-epsilon h4").text == evil
    assert evil in find(driver, "#axis-default-epsilon .value").text
    assert driver.execute_script("return window.broken") is None


def test_an_incomplete_run_says_so_first(driver, tmp_path):
    results = {**sample_results(), "complete": False, "run_cells": 15}
    write_page(results, tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri())
    assert "Incomplete run. 15 of 18 expected cells ran" in find(driver, ".banner.incomplete").text


def test_a_run_of_nothing_still_makes_a_page(driver, tmp_path):
    parts = ("implementations", "conventions", "scenarios", "cells", "agreement", "pairs")
    results = {**sample_results(), **{part: [] for part in (*parts, "identified")}}
    write_page(results, tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri())
    assert find(driver, "#shown").text == "0 scenarios"
    assert find(driver, "#pair-lists").text == "These results compare no implementations."


def test_the_page_is_the_same_each_time():
    assert render_page(sample_results()) == render_page(sample_results())


def test_the_page_names_no_file_or_address_to_load():
    html = render_page(sample_results())
    assert re.findall(r"<(?:script|img|iframe|link)[^>]+(?:src|href)=(?!\"data:)", html) == []
    assert "@import" not in html
    assert "url(" not in html


def test_no_script_ends_the_element_it_is_in():
    html = render_page(sample_results())
    assert html.count("</script") == 4
    assert len(SCRIPTS) > 1


def test_a_page_that_cannot_be_written_is_a_clear_sentence(tmp_path):
    with pytest.raises(ReportError, match="Could not write"):
        write_page(sample_results(), tmp_path)


def test_circumstances_are_told_in_words():
    assert circumstances({"rank": [2, 4], "fused": False}) == "rank 2 or 4, not fused"
    assert circumstances({"dtype": ["float16"], "fused": [True]}) == "dtype float16, fused"


def test_values_and_addresses_are_told_as_a_person_writes_them():
    assert value_words(1e-5) == "0.00001"
    assert value_words(1.0) == "1"
    assert value_words("n/(n-1)") == "n/(n-1)"
    assert quoted("stop") == "‘stop’"
    assert quoted(0.001) == "0.001"
    assert few(["a", "b", "c"]) == "a, b, c"
    assert few(["a", "b", "c", "d"], "; ") == "a; b; c and 1 more"
    assert address_words("https://www.example.org/a/b.html#c") == "example.org/…/b.html#c"
    assert address_words("https://example.org/a") == "example.org/a"
    assert headline_versions({"torch": "2", "numpy": "1"}) == {"torch": "2"}
    assert headline_versions({"numpy": "1"}) == {"numpy": "1"}
