"""Runs inside a framework's environment: answers as each of many mutants of its BatchNorm.

    python benchmarks/mutant_worker.py ADAPTER QUESTIONS

The framework is imported once. For each mutant a child is forked, which executes the mutated
definitions in the place of the framework's own and answers questions; no file of the environment
is ever written. QUESTIONS is a JSON file: `modules` names what is mutated, with its definitions
and the public names that must lead to them; `scenarios` and `tests` are what can be asked, and
`test_module` is where those tests are.

Each line in is a command, each line out an answer; both are JSON.
"""

import ast
import gc
import hashlib
import importlib
import json
import linecache
import os
import sys
import threading
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def put_root_last():
    """Make the project importable without shadowing anything the framework imports."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [ROOT] + [each for each in sys.path if os.path.abspath(each or ".") != here]
    importlib.import_module("adapters")
    sys.path.append(sys.path.pop(0))


def lines_of(descriptor):
    """Yield lines without reading ahead: what follows may be meant for a child."""
    line = b""
    while True:
        byte = os.read(descriptor, 1)
        if not byte:
            return
        line += byte
        if byte == b"\n":
            yield line.decode("utf-8")
            line = b""


class Place:
    """Where a definition is held: under a key of a dictionary or list, or as an attribute."""

    def __init__(self, holder, key):
        self.holder = holder
        self.key = key

    def put(self, value):
        """Hold this from now on."""
        if isinstance(self.holder, (dict, list)):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)


def places_of(definition):
    """Return every place that holds a definition, but for what makes up the definition itself."""
    places = []
    for holder in gc.get_referrers(definition):
        if isinstance(holder, dict):
            keys = [key for key, value in list(holder.items()) if value is definition]
        elif isinstance(holder, list):
            keys = [key for key, value in enumerate(holder) if value is definition]
        else:
            inside = getattr(holder, "__dict__", {})
            keys = [key for key, value in list(inside.items()) if value is definition]
            keys = [] if isinstance(holder, type) else keys
        places.extend(Place(holder, key) for key in keys)
    return places


def codes_of(code):
    """Return a code object and all that are nested in it."""
    found = [code]
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            found.extend(codes_of(constant))
    return found


def code_of(text, filename, names):
    """Return the code of these definitions alone, at the lines where the text has them."""
    tree = ast.parse(text, filename)
    tree.body = [
        node
        for node in tree.body
        if getattr(node, "module", None) == "__future__" or getattr(node, "name", None) in names
    ]
    return compile(tree, filename, "exec", dont_inherit=True)


class Mutable:
    """A module of the framework some of whose definitions can be replaced by mutated ones."""

    def __init__(self, name, definitions, public):
        self.module = importlib.import_module(name)
        self.names = definitions
        self.public = public
        self.filename = self.module.__file__
        self.old = {each: getattr(self.module, each) for each in definitions}
        self.places = {each: places_of(old) for each, old in self.old.items()}
        own = {id(self.old)}
        for each, places in self.places.items():
            self.places[each] = [place for place in places if id(place.holder) not in own]
        self.codes = set()

    def replace(self, path):
        """Execute the definitions of the source at this path; return the source's digest."""
        with open(path, "rb") as file:
            raw = file.read()
        text = raw.decode("utf-8")
        code = code_of(text, self.filename, self.names)
        lines = text.splitlines(True)
        linecache.cache[self.filename] = (len(text), None, lines, self.filename)
        exec(code, self.module.__dict__)  # noqa: S102 - the mutant is the point
        self.codes = set(codes_of(code))
        for name in self.names:
            new = getattr(self.module, name)
            for place in self.places[name]:
                place.put(new)
            self.rebase(name, new)
        return hashlib.sha256(raw).hexdigest()

    def rebase(self, name, new):
        """Let the subclasses of an old class inherit from the new one."""
        old = self.old[name]
        if not isinstance(old, type):
            return
        for heir in old.__subclasses__():
            if heir not in self.old.values():
                bases = tuple(new if base is old else base for base in heir.__bases__)
                heir.__bases__ = bases

    def expect_in_place(self):
        """Raise RuntimeError unless the public names lead to the definitions that were executed."""
        for path in self.public:
            parts = path.split(".")
            found = importlib.import_module(parts[0])
            for part in parts[1:]:
                found = getattr(found, part)
            reached = found.__mro__ if isinstance(found, type) else [found]
            if any(each is old for each in reached for old in self.old.values()):
                raise RuntimeError("{} still leads to what was not mutated".format(path))
            if not any(each is getattr(self.module, n) for each in reached for n in self.names):
                raise RuntimeError("{} does not lead to the mutant".format(path))


class Executed:
    """Notes which lines of the mutated definitions are executed, by module."""

    def __init__(self, mutables):
        self.mutables = mutables
        self.lines = set()

    def __call__(self, frame, event, _):
        """Note a line, and follow a function only where it is of a mutated definition."""
        for mutable in self.mutables:
            if frame.f_code in mutable.codes:
                if event == "line":
                    self.lines.add((mutable.module.__name__, frame.f_lineno))
                return self
        return None

    def __enter__(self):
        """Begin noting, in threads too."""
        threading.settrace(self)
        sys.settrace(self)
        return self.lines

    def __exit__(self, *_):
        """Note nothing more."""
        sys.settrace(None)
        threading.settrace(None)


def outcome_of_test(module, name):
    """Run one test, given as ``Class.method``; return whether it passed and what was wrong."""
    class_name, method = name.split(".")
    result = unittest.TestResult()
    getattr(importlib.import_module(module), class_name)(method).run(result)
    wrong = result.failures + result.errors
    said = [text.strip().splitlines()[-1] for _, text in wrong]
    return {"passed": not wrong, "skipped": bool(result.skipped), "said": said}


class Child:
    """A forked process that has become one mutant."""

    def __init__(self, adapter, mutables, questions, answers):
        self.adapter = adapter
        self.mutables = mutables
        self.questions = questions
        self.answers = answers

    def say(self, **message):
        """Write one answer."""
        from adapters.wire import write_line

        write_line(self.answers, message)

    def become(self, sources):
        """Replace the framework's definitions by those of the sources, by module; tell whether."""
        from adapters.worker import described

        try:
            digests = {each: self.mutables[each].replace(path) for each, path in sources.items()}
            for mutable in self.mutables.values():
                mutable.expect_in_place()
        except Exception as error:
            self.say(broken=described(error))
            return False
        self.say(digests=digests)
        return True

    def answer(self, request):
        """Answer one question."""
        if request.get("trace"):
            with Executed(list(self.mutables.values())) as lines:
                found = self.asked(request)
            self.say(id=request["id"], answer=found, executed=sorted(lines))
        else:
            self.say(id=request["id"], answer=self.asked(request))

    def asked(self, request):
        """Return what comes of a scenario or a test."""
        from adapters import worker

        if "tests" in request:
            return tests_of(request["tests"])
        if "test" in request:
            return outcome_of_test(self.questions["test_module"], request["test"])
        return worker.run(self.adapter, self.questions["scenarios"][request["scenario"]])


def tests_of(module):
    """Return the tests of a module of unittest, as ``Class.method``."""
    found = []
    suites = [unittest.defaultTestLoader.loadTestsFromName(module)]
    while suites:
        each = suites.pop()
        if isinstance(each, unittest.TestSuite):
            suites.extend(each)
        else:
            found.append("{}.{}".format(type(each).__name__, each._testMethodName))  # noqa: SLF001
    return sorted(found)


def live(child, request, requests):
    """Be one mutant until told to stop. Never returns."""
    try:
        if child.become(request["become"]):
            for line in requests:
                question = json.loads(line)
                if "stop" in question:
                    break
                child.answer(question)
        child.answers.flush()
    except BaseException:
        os._exit(70)
    os._exit(0)


def serve(adapter_name, questions_path):
    """Fork a mutant for each that is asked for, and say how each ended."""
    from adapters import worker
    from adapters.wire import SCHEMA, write_line

    streams = worker.take_standard_streams()
    requests, answers = lines_of(streams[0].fileno()), streams[1]
    with open(questions_path, encoding="utf-8") as file:
        questions = json.load(file)
    adapter = worker.load_adapter(adapter_name)
    for each in questions.get("imports", ()):
        importlib.import_module(each)
    mutables = {
        name: Mutable(name, each["definitions"], each["public"])
        for name, each in questions["modules"].items()
    }
    files = {name: each.filename for name, each in mutables.items()}
    write_line(answers, dict(worker.header(adapter, adapter_name), schema=SCHEMA, files=files))
    if hasattr(gc, "freeze"):  # CPython 3.7 and later
        gc.freeze()  # A fork then shares what was imported, and never looks through it.
    for line in requests:
        request = json.loads(line)
        if "become" not in request:
            continue  # It was meant for a child that has died.
        child = os.fork()
        if child == 0:
            live(Child(adapter, mutables, questions, answers), request, requests)
        write_line(answers, {"ended": os.waitpid(child, 0)[1]})


if __name__ == "__main__":
    put_root_last()
    serve(sys.argv[1], sys.argv[2])
