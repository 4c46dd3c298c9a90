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
from reports.page_words import address_words, circumstances, headline_versions, value_words
from reports.results import ReportError
from tests.sample_results import sample_results

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


@pytest.mark.parametrize("section", ["matrix", "agreement", "pairs", "conventions", "versions"])
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
    write_page(results, tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri() + f"#scenario={DIFFERING}")
    assert evil in find(driver, "#answer-keras-tensorflow").text
    assert find(driver, "#detail .lead").text == evil
    assert driver.execute_script("return window.broken") is None


def test_an_incomplete_run_says_so_first(driver, tmp_path):
    results = {**sample_results(), "complete": False, "run_cells": 15}
    write_page(results, tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri())
    assert "Incomplete run. 15 of 18 expected cells ran" in find(driver, ".banner.incomplete").text


def test_a_run_of_nothing_still_makes_a_page(driver, tmp_path):
    parts = ("implementations", "conventions", "scenarios", "cells", "agreement", "pairs")
    results = {**sample_results(), **{part: [] for part in parts}}
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
    assert html.count("</script") == 3
    assert len(SCRIPTS) > 1


def test_a_page_that_cannot_be_written_is_a_clear_sentence(tmp_path):
    with pytest.raises(ReportError, match="Could not write"):
        write_page(sample_results(), tmp_path)


def test_circumstances_are_told_in_words():
    assert circumstances({"rank": [2, 4], "fused": False}) == "rank 2 or 4, not fused"
    assert circumstances({"dtype": ["float16"], "fused": [True]}) == "dtype float16, fused"


def test_values_and_addresses_are_told_as_a_person_writes_them():
    assert value_words(1e-5) == "0.00001"
    assert value_words(1.0) == "1.0"
    assert value_words("n/(n-1)") == "n/(n-1)"
    assert address_words("https://www.example.org/a/b.html#c") == "example.org/…/b.html#c"
    assert address_words("https://example.org/a") == "example.org/a"
    assert headline_versions({"torch": "2", "numpy": "1"}) == {"torch": "2"}
    assert headline_versions({"numpy": "1"}) == {"numpy": "1"}
