"""An adapter from outside runs without a change to the repository, and misuse is one sentence."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.answers import renamed
from harness import outside, undeclared
from harness.complaint import Complaint
from harness.declarations import Declaration, Declarations
from harness.findings import findings
from harness.implementations import NOTHING
from harness.respondent import Respondent
from harness.session import Session, judged
from harness.undeclared import judged_as_measured
from reference.axis import NOT_APPLICABLE
from reference.conventions import REGISTRY
from suites.catalogue import SCENARIOS, scenario_named

ATTEMPT = Path(__file__).parent / "first_attempt"
FAKES = Path(__file__).parent / "fakes"
MISBEHAVING = FAKES / "misbehaving"


def complaint(text, python=None):
    with pytest.raises(Complaint) as caught:
        outside.implementation(str(text), None if python is None else str(python))
    return str(caught.value)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that offers an adapter, as pip would install it, in a folder that is imported."""
    site = tmp_path / "site"
    about = site / "offering-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    offered = "[bnconform.adapters]\noffered = offering.adapter\nbroken = offering.gone\n"
    (about / "entry_points.txt").write_text(offered)
    module = site / "offering"
    module.mkdir()
    (module / "__init__.py").write_text("raise RuntimeError('imported by the judge')\n")
    (module / "adapter.py").write_text('"""Offered: a layer.\n\nMore."""\n')
    monkeypatch.setenv("PYTHONPATH", str(site))
    return module


# Where an adapter is found.


def test_a_file_is_an_implementation(tmp_path):
    path = tmp_path / "my_bn.py"
    path.write_text('"""Ours: ours.BatchNorm.\n\nAnd more.\n"""\n')
    found = outside.implementation(str(path))
    assert (found.name, found.title, found.adapter) == ("my_bn", "Ours: ours.BatchNorm", str(path))
    assert (found.environment, found.interpreter, found.declared) == ("this", None, NOTHING)


def test_a_file_is_found_from_where_one_is(tmp_path, monkeypatch):
    (tmp_path / "my_bn.py").touch()
    monkeypatch.chdir(tmp_path)
    found = outside.implementation("my_bn.py")
    assert found.adapter == str(tmp_path / "my_bn.py")
    assert found.title == "the adapter my_bn.py"


def test_an_adapter_that_cannot_be_parsed_is_found_all_the_same(tmp_path):
    (tmp_path / "my_bn.py").write_text("class Program\n")
    assert outside.implementation(str(tmp_path / "my_bn.py")).title == "the adapter my_bn.py"


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("text", ["offered", "offering.adapter"])
def test_a_package_offers_an_adapter_and_is_not_imported_for_it(text):
    found = outside.implementation(text)
    assert (found.name, found.adapter) == (text, "offering.adapter")
    assert found.title == "Offered: a layer"
    assert "offering" not in sys.modules


def test_what_is_declared_lies_beside_the_adapter(package):
    text = '[[convention]]\naxis = "default-epsilon"\nvalue = 1e-5\ncite = ["https://x.example/"]\n'
    (package / "adapter.toml").write_text(text)
    (entry,) = outside.implementation("offered").declared.entries
    assert (entry.axis, entry.value) == ("default-epsilon", 1e-5)


# Misuse.


def test_a_file_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    (tmp_path / "my_bn.py").touch()
    assert "There is my_bn.py." in complaint(tmp_path / "my_nb.py")
    assert "There is no folder" in complaint(tmp_path / "gone" / "my_bn.py")


def test_what_is_no_python_file_is_refused(tmp_path):
    (tmp_path / "my_bn.txt").touch()
    assert "ends in .py" in complaint(tmp_path / "my_bn.txt")
    assert "is a folder" in complaint(f"{tmp_path}/")


def test_the_name_of_an_implementation_is_taken(tmp_path):
    (tmp_path / "torch.py").touch()
    assert complaint(tmp_path / "torch.py").startswith("torch is an implementation that bnconform")


def test_a_name_with_a_version_in_it_is_refused(tmp_path):
    (tmp_path / "bn@1.py").touch()
    assert "stands before a version" in complaint(tmp_path / "bn@1.py")


def test_two_adapters_of_one_name_are_refused(tmp_path):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my_bn.py").touch()
    texts = [str(tmp_path / folder / "my_bn.py") for folder in ("one", "other")]
    with pytest.raises(Complaint, match="2 adapters are called my_bn"):
        outside.implementations(texts)
    assert len(outside.implementations([texts[0], texts[0]])) == 1


@pytest.mark.usefixtures("package")
def test_an_adapter_that_nobody_offers_is_answered_with_those_there_are():
    assert "this Python offers broken, offered." in complaint("offred")


def test_where_nobody_offers_any_the_group_is_named(monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert "offers one in the group bnconform.adapters" in complaint("offered")


@pytest.mark.usefixtures("package")
def test_an_entry_point_that_names_nothing_is_told_so():
    assert "names offering.gone, which cannot be found." in complaint("broken")


def test_declarations_that_are_not_valid_are_refused(tmp_path):
    (tmp_path / "my_bn.py").touch()
    (tmp_path / "my_bn.toml").write_text('[[convention]]\naxis = "default-epsilo"\nvalue = 1\n')
    assert complaint(tmp_path / "my_bn.py").startswith("my_bn.toml: ")


# The Python that runs it.


def test_the_python_of_an_environment_is_named_by_its_folder(tmp_path):
    (tmp_path / "my_bn.py").touch()
    home = tmp_path / "environment"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to(sys.executable)
    found = outside.implementation(str(tmp_path / "my_bn.py"), str(home))
    assert found.interpreter == home / "bin" / "python"


def test_a_python_on_the_path_is_named_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "my_bn.py").touch()
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    found = outside.implementation(str(tmp_path / "my_bn.py"), Path(sys.executable).name)
    assert found.interpreter == Path(sys.executable)


def test_a_python_that_is_none_is_refused(tmp_path):
    (tmp_path / "my_bn.py").touch()
    path = tmp_path / "my_bn.py"
    assert "There is no Python" in complaint(path, tmp_path / "nothing")
    assert "does not run as a Python" in complaint(path, shutil.which("true"))


def test_another_package_called_adapters_is_not_taken_for_ours(tmp_path, monkeypatch):
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters" / "__init__.py").write_text("raise ImportError('another package')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (cell,) = asked(outsider(FAKES / "argument_style.py"), ["training-output"])
    assert cell.verdict == "conforms", cell.reason


def test_renamed_hands_on_what_was_written_under_the_frameworks_name():
    names = {"epsilon": "eps", "decay": "momentum"}
    assert renamed({"epsilon": 0.5, "rank": 2}, names) == {"eps": 0.5}


# How one is judged that declares nothing.


def asked(implementation, names):
    with Respondent(implementation) as respondent:
        cells = [judged(respondent, scenario_named(name)) for name in names]
    evidence = [(cell.scenario, trace) for cell in cells for trace in cell.traces]
    found = findings(implementation, evidence)
    return [judged_as_measured(implementation, cell, found) for cell in cells]


FEW = (
    "training-output",
    "inference-output",
    "running-variance-of-3-values",
    "default-epsilon",
    "training-gradients",
    "fit-trains",
)


def outsider(path, declared=NOTHING):
    return replace(outside.implementation(str(path)), declared=declared)


@pytest.mark.parametrize("style", ["argument_style", "switch_style"])
def test_what_declares_nothing_conforms_to_what_was_measured_of_it(style):
    for cell in asked(outsider(FAKES / f"{style}.py"), FEW):
        assert cell.verdict == "conforms", cell.reason
        assert "Measured, not declared: " in cell.reason


def test_what_no_conventions_explain_differs_though_nothing_is_declared(tmp_path):
    text = (ATTEMPT / "tiny_bn.py").read_text(encoding="utf-8")
    shutil.copy(ATTEMPT / "tiny_framework.py", tmp_path)
    path = tmp_path / "tiny_bn.py"
    path.write_text(text.replace('1 - layer["decay"]', '0.5 * layer["decay"]'), encoding="utf-8")
    cells = {cell.scenario.name: cell for cell in asked(outsider(path), FEW)}
    assert cells["training-output"].verdict == "differs"
    assert cells["inference-output"].verdict == "conforms"
    assert not cells["training-output"].expected


def test_what_is_declared_is_held_against_the_declaration_and_the_rest_measured():
    wrong = Declaration("running-variance-factor", "n/(n-1)", {}, ("https://x.example/",))
    path = FAKES / "argument_style.py"  # whose factor is 1
    cells = {
        cell.scenario.name: cell for cell in asked(outsider(path, Declarations((wrong,), {})), FEW)
    }
    assert cells["inference-output"].verdict == "conforms"
    assert cells["running-variance-of-3-values"].verdict == "differs"
    (why,) = cells["running-variance-of-3-values"].explanations
    assert (why.axis, why.would_agree) == ("running-variance-factor", "1")


def test_an_answer_about_which_everything_is_declared_is_left_alone():
    path = FAKES / "argument_style.py"
    entries = tuple(
        Declaration(axis, NOT_APPLICABLE, {}, (), why="It has none.") for axis in REGISTRY
    )
    implementation = outsider(path, Declarations(entries, {}))
    with Respondent(implementation) as respondent:
        cell = judged(respondent, scenario_named("training-output"))
    found = findings(outsider(path), [(cell.scenario, cell.traces[0])])
    assert judged_as_measured(implementation, cell, found) is cell


def test_what_was_not_answered_stays_as_it_is():
    (cell,) = asked(outsider(MISBEHAVING / "raises_in_adapter.py"), ["training-output"])
    assert (cell.verdict, cell.judgement) == ("adapter error", None)


def test_a_reader_is_told_against_what_it_is_held():
    nothing = outsider(FAKES / "argument_style.py")
    assert undeclared.banner(nothing).startswith("argument_style declares nothing, so it is held")
    one = Declaration("default-epsilon", 1e-3, {}, ("https://x.example/",))
    part = replace(nothing, declared=Declarations((one,), {}))
    count = len(REGISTRY)
    assert f"declares 1 of {count} conventions; as to the other {count - 1} " in (
        undeclared.banner(part)
    )
    entries = tuple(replace(one, axis=axis) for axis in REGISTRY)
    assert undeclared.banner(replace(nothing, declared=Declarations(entries, {}))) is None


def test_an_adapter_of_switched_answers_everything_or_says_why_not():
    implementation = outside.implementation(str(ATTEMPT / "tiny_switched.py"))
    session = Session([implementation], SCENARIOS)
    session.run(lambda *_: None)
    found = session.findings[implementation.name]
    cells = [judged_as_measured(implementation, cell, found) for cell in session.cells.values()]
    assert {cell.verdict for cell in cells} == {"conforms", "not expressible"}
    assert not found.unnamed
