"""What is declared of every implementation is complete, cited and read without surprises."""

from __future__ import annotations

from pathlib import Path

import pytest

import adapters
from harness import known
from harness.complaint import Complaint
from harness.declarations import Declarations, context_of, contexts, load
from harness.implementations import registered, untransformed
from reference.axis import NOT_APPLICABLE
from suites.catalogue import SCENARIOS

FILES = sorted((Path(adapters.__file__).parent / "declared").glob("*.toml"))
CITED = 'cite = ["https://example.org/"]'

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def convention(axis="bare-call", value='"training"', more=CITED):
    return f'[[convention]]\naxis = "{axis}"\nvalue = {value}\n{more}\n'


@pytest.fixture
def written(tmp_path):
    """A function that returns the path of a file of declarations with this text."""

    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_there_are_declarations():
    assert len(FILES) >= 4


@every_file
def test_every_context_and_version_has_one_value_for_every_axis(path):
    implementation = registered()[path.stem]

    def driven(versions):
        return all(implementation.drives(package, at) for package, at in versions.items())

    assert implementation.declared.gaps(driven) == []


@every_file
def test_every_declaration_rests_on_a_public_source_or_says_why_it_has_none(path):
    for entry in load(path).entries:
        public = [source for source in entry.cite if source.startswith("https://")]
        assert public == list(entry.cite), entry
        assert public or entry.why, entry


@every_file
def test_every_axis_that_does_not_apply_says_why(path):
    silent = [each for each in load(path).entries if each.value == NOT_APPLICABLE and not each.why]
    assert silent == []


@every_file
def test_every_declaration_speaks_of_contexts_that_exist(path):
    for entry in load(path).entries:
        assert any(entry.holds(context) for context in contexts()), entry


@every_file
def test_the_version_measured_is_named(path):
    assert load(path).measured


def test_every_implementation_is_declared_and_every_declaration_is_of_one():
    declared = {path.stem for path in FILES}
    assert set(untransformed()) <= declared <= set(registered())


def test_every_scenario_is_asked_in_a_context_that_declarations_are_checked_for():
    known_contexts = list(contexts())
    for each in registered().values():
        for scenario in SCENARIOS:
            assert context_of(scenario, each.execution, each.device) in known_contexts


def of_versions(*pairs):
    return "".join(
        convention(value=f'"{value}"', more=f'{CITED}\nwhen = {{ version = "{limit}" }}')
        for value, limit in pairs
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[convention", "mine.toml are not valid TOML: "),
        (convention(axis="bare-cal"), "mine.toml: there is no convention called 'bare-cal'."),
        (
            convention(value='"learning"'),
            "mine.toml: bare-call has no value 'learning'; it admits 'training', 'inference'.",
        ),
        (
            convention("default-decay", '"0.9"'),
            "mine.toml: default-decay takes a number, not '0.9'.",
        ),
        (convention("default-decay", "true"), "mine.toml: default-decay takes a number, not True."),
        (
            convention(more=CITED + '\nwhen = { scenario = ["bare-call"] }'),
            "mine.toml: when of bare-call has no key 'scenario'; it has device, ",
        ),
        (convention(more=""), "mine.toml: bare-call is declared without a citation."),
        (
            convention(more='why = "Obvious."'),
            "mine.toml: bare-call is declared without a citation.",
        ),
        (
            convention(value=f'"{NOT_APPLICABLE}"', more=""),
            "mine.toml: bare-call is declared without a citation.",
        ),
        (convention() + convention(value='"inference"'), "bare-call is declared twice for "),
        (
            convention(more=CITED + "\nwhen = { rank = [2, 4] }")
            + convention(more=CITED + '\nwhen = { fused = ["true"] }'),
            "bare-call is declared twice for rank 2, rank 4, fused true.",
        ),
        (
            of_versions(("training", "torch<1.5"), ("inference", "torch>=1.4")),
            "bare-call is declared twice for torch<1.5, torch>=1.4.",
        ),
        (
            of_versions(("training", "torch")),
            "when of bare-call: version must be like 'torch>=1.5', not 'torch'.",
        ),
        (
            convention(more=CITED + "\nwhen = { version = [] }"),
            "when of bare-call: version must be like 'torch>=1.5', or a list of such.",
        ),
    ],
)
def test_bad_declaration_is_a_complaint_that_says_where(text, sentence, written):
    with pytest.raises(Complaint) as complaint:
        load(written(text))
    assert sentence in str(complaint.value)


@pytest.mark.parametrize(
    "text",
    [
        '[convention]\naxis = "bare-call"\n',
        convention().replace("[[convention]]", "[[conventions]]"),
        convention(more=CITED + "\nwhen = { rank = 2 }"),
        convention(more=CITED + "\nwhen = { rank = [7] }"),
        convention(more=CITED + '\nwhen = { fused = "absent" }'),
        convention(more='cite = "https://example.org/"'),
        convention(more='cite = ["the documentation"]'),
        convention(more=CITED + "\nwhne = { rank = [2] }"),
        convention("default-decay", "nan"),
    ],
)
def test_declaration_of_the_wrong_form_is_a_complaint(text, written):
    with pytest.raises(Complaint):
        load(written(text))


def test_missing_value_is_said_to_be_missing(written):
    text = convention().replace('value = "training"\n', "")
    with pytest.raises(Complaint, match=r"mine\.toml: bare-call"):
        load(written(text))


def test_file_that_is_not_there_is_a_complaint(tmp_path):
    with pytest.raises(Complaint, match=r"nowhere\.toml cannot be read: No such file"):
        load(tmp_path / "nowhere.toml")


def test_value_holds_only_when_its_context_does(written):
    path = written(
        convention(more=CITED + "\nwhen = { rank = [2] }")
        + convention(value='"inference"', more=CITED + "\nwhen = { rank = [3, 4, 5] }")
    )
    declared = load(path)
    values = {context["rank"]: declared.at(context)["bare-call"] for context in contexts()}
    assert values == {2: "training", 3: "inference", 4: "inference", 5: "inference"}


def test_axis_declared_for_some_contexts_only_is_a_gap(written):
    declared = load(written(convention(more=CITED + "\nwhen = { rank = [2, 3, 5] }")))
    assert dict(declared.gaps(every_version))["bare-call"]["rank"] == 4


def every_version(_):
    return True


def test_value_holds_only_at_its_versions(written):
    declared = load(written(of_versions(("training", "torch<1.5"), ("inference", "torch>=1.5"))))
    at = {text: declared.of({"torch": text}).at({}) for text in ("1.4.0", "1.5.0", "2.13.0+cpu")}
    values = {text: conventions["bare-call"] for text, conventions in at.items()}
    assert values == {"1.4.0": "training", "1.5.0": "inference", "2.13.0+cpu": "inference"}
    assert "bare-call" not in dict(declared.gaps(every_version))


@pytest.mark.parametrize(
    "missing", [("torch<1.5", "torch>1.5"), ("torch<1.5", "torch==1.5"), ("torch>=1.5", "torch>2")]
)
def test_axis_declared_for_some_versions_only_is_a_gap(missing, written):
    first, second = missing
    if second == "torch>2":
        declared = load(written(of_versions(("training", first))))
    else:
        declared = load(written(of_versions(("training", first), ("inference", second))))
    assert "torch" in dict(declared.gaps(every_version))["bare-call"]


def test_version_that_the_adapter_cannot_drive_is_no_gap(written):
    declared = load(written(of_versions(("training", "torch>=1.5"))))
    gaps = dict(declared.gaps(lambda versions: versions.get("torch", "2") >= "1.5"))
    assert "bare-call" not in gaps


def test_value_that_holds_for_two_packages_needs_both(written):
    limit = '["keras>=3.3", "tensorflow<2.18"]'
    text = convention(more=f"{CITED}\nwhen = {{ version = {limit} }}")
    (entry,) = load(written(text)).entries
    assert entry.version.holds({"keras": "3.3.3", "tensorflow": "2.17.1"})
    assert not entry.version.holds({"keras": "3.3.3", "tensorflow": "2.18.0"})
    assert not entry.version.holds({"keras": "3.3.3"})


def test_reason_stands_in_for_a_citation_where_an_axis_does_not_apply(written):
    value = f'"{NOT_APPLICABLE}"'
    (entry,) = load(written(convention(value=value, more='why = "It has no modes."'))).entries
    assert entry.why == "It has no modes."


@pytest.mark.parametrize(
    ("installed", "assumed"),
    [
        ({"torch": "2.13.0"}, False),
        ({"torch": "2.13.1"}, True),
        ({"torch": "2.14.0"}, True),
        ({"torch": "2.9.0"}, False),
        ({"torch": "2.13.0", "numpy": "99"}, False),
        ({}, False),
    ],
)
def test_values_are_assumed_for_a_later_version(installed, assumed):
    assert Declarations((), {"torch": "2.13.0"}).assumed(installed) is assumed


def test_one_later_version_of_two_is_enough_for_values_to_be_assumed():
    measured = Declarations((), {"keras": "3.15.1", "tensorflow": "2.21.0"})
    assert measured.assumed({"keras": "3.15.1", "tensorflow": "2.22.0"})


def test_build_of_the_measured_version_is_not_a_later_one():
    assert not Declarations((), {"torch": "2.13.0"}).assumed({"torch": "2.13.0+cpu"})


ISSUE = """[[issue]]
implementation = "{}"
scenario = "{}"
verdict = "differs"
axis = "bare-call"
value = "inference"
link = "https://example.org/issue"
note = "It differs."
"""


@pytest.fixture
def known_issues(monkeypatch, tmp_path):
    """A function that puts a text in the place of the known issues."""

    def pretend(text):
        path = tmp_path / "known_issues.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr(known, "FILE", path)
        known.issues.cache_clear()

    yield pretend
    known.issues.cache_clear()


def strangers():
    """The known issues of an implementation or in a scenario that does not exist."""
    scenarios = {scenario.name for scenario in SCENARIOS}
    named = [(issue.implementation, issue.scenario) for issue in known.issues()]
    return [key for key in named if not (key[0] in registered() and key[1] in scenarios)]


def test_known_issues_are_of_implementations_and_scenarios_that_exist():
    assert strangers() == []


def test_known_issue_of_no_implementation_is_found(known_issues):
    known_issues(ISSUE.format("torhc", "bare-call"))
    assert strangers() == [("torhc", "bare-call")]


@pytest.mark.parametrize(
    "text",
    [
        ISSUE.format("torch", "bear-call"),
        ISSUE.format("torch", "bare-call").replace('"inference"', '"elsewhere"'),
        ISSUE.format("torch", "bare-call").replace('"differs"', '"conforms"'),
    ],
)
def test_known_issue_that_names_nothing_is_a_complaint(text, known_issues):
    known_issues(text)
    with pytest.raises(Complaint, match=r"known_issues\.toml, torch, b(are|ear)-call"):
        known.issues()


def test_known_issues_say_something_unexpected_with_a_public_link():
    for issue in known.issues():
        assert issue.verdict != "conforms"
        assert issue.link.startswith("https://")
        assert issue.note


INFERS = [("bare-call", "inference")]


def expected_of(name):
    return known.expectations(name, {"torch": "2.13.0"})


def test_known_issue_is_expected_and_nothing_else_is_once_it_no_longer_holds(known_issues):
    known_issues(ISSUE.format("torch", "bare-call"))
    assert expected_of("torch").admit("bare-call", "differs", INFERS)
    for verdict in ("conforms", "not expressible", "refused", "crashed"):
        assert not expected_of("torch").admit("bare-call", verdict, INFERS)


@pytest.mark.parametrize("explained", [[], [("default-decay", 0.9)]])
def test_known_issue_hides_no_other_fault_of_its_cell(explained, known_issues):
    known_issues(ISSUE.format("torch", "bare-call"))
    assert not expected_of("torch").admit("bare-call", "differs", explained)


def test_known_issue_excuses_no_other_cell(known_issues):
    known_issues(ISSUE.format("torch", "bare-call"))
    assert not expected_of("tf-slim").admit("bare-call", "differs", INFERS)
    assert not expected_of("torch").admit("training-none", "differs", INFERS)
    assert expected_of("torch").admit("training-none", "conforms")


def test_known_issue_of_some_versions_excuses_no_other(known_issues):
    known_issues(ISSUE.format("torch", "bare-call") + 'version = "torch<2"\n')
    assert known.expectations("torch", {"torch": "1.13.1"}).admit("bare-call", "differs", INFERS)
    assert not expected_of("torch").admit("bare-call", "differs", INFERS)
    assert expected_of("torch").admit("bare-call", "conforms")


def test_without_a_file_there_are_no_known_issues(monkeypatch, tmp_path, known_issues):
    known_issues("")
    monkeypatch.setattr(known, "FILE", tmp_path / "nowhere.toml")
    assert known.issues() == ()


@pytest.mark.parametrize(
    "text",
    ["[[issue", ISSUE.replace("note", "notes"), ISSUE.partition("link")[0], "[issue]\nnote = 1\n"],
)
def test_bad_known_issues_are_a_complaint(text, known_issues):
    known_issues(text)
    with pytest.raises(Complaint, match=r"known_issues\.toml is not a list of known issues"):
        known.issues()
