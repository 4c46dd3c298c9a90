"""What authors get wrong in a first adapter: what they wrote instead, and what is said about it.

Each is a list of replacements in ``tiny_bn.py``, and a pattern of the sentence that answers it.
"""

from __future__ import annotations

DELETED = ""
CALL = "    def call(self, x, training, dy, mode, updates, repeat, dx_weights):\n"
FORWARD = "            return self.back(self.bn(self.moved(x)))\n"
LOOP = "        for _ in range(repeat):\n            output = self.forward(x)\n"
SEEN = '        seen = {"output": output}\n'
OBSERVED = "        seen = {name: getattr(self.bn, own) for name, own in VARIABLES.items()}\n"
GRADIENT = "            dx, dgamma, dbeta = self.bn.backward(self.moved(dy))\n"
DECAY = '            arguments["momentum"] = 1 - layer["decay"]\n'
BUILD = (
    "            if name in self.layer:\n"
    "                setattr(self.bn, own, np.array(self.layer[name]))\n"
)
REASONS = "NOT_EXPRESSIBLE = {\n"

MISTAKES = {
    # The module.
    "a module that is not there": (
        [("import tiny_framework as tf", "import tiny_framwork as tf")],
        (
            r"tiny_bn\.py:6 `import tiny_framwork as tf` raised ModuleNotFoundError: .*"
            r"Install tiny_framwork for \S+, or name the Python that has it with --python\."
        ),
    ),
    "a syntax error": (
        [("class Program:", "class Program")],
        r"tiny_bn\.py:\d+ `class Program` raised SyntaxError: expected ':'",
    ),
    "a name that does not exist, at import": (
        [("VARIABLES = {", "VARIABLES = variables or {")],
        r"tiny_bn\.py:\d+ `VARIABLES = .*` raised NameError: name 'variables' is not defined",
    ),
    "an answers module of another name": (
        [("from adapters.answers import", "from adapters.answer import")],
        r"No module named 'adapters\.answer'.* Adapters import adapters\.answers",
    ),
    "a module that ends the process": (
        [("RENAMED = {", "raise SystemExit(3)\nRENAMED = {")],
        r"tiny_bn\.py:\d+ `raise SystemExit\(3\)` raised SystemExit: 3",
    ),
    # What it tells of itself.
    "no versions": (
        [("def versions():", "def version():")],
        r"no function `versions`\. Is it `version`\? Rename that\.",
    ),
    "versions as text": (
        [('return {"tiny_framework": tf.__version__}', "return tf.__version__")],
        r"versions\(\) returned a str instead of a dict",
    ),
    "a version that is no text": (
        [("tf.__version__}", "(0, 3)}")],
        r"versions\(\) holds tiny_framework: \(0, 3\), which is not text",
    ),
    "versions of nothing": (
        [('{"tiny_framework": tf.__version__}', "{}")],
        r"versions\(\) returned an empty dict",
    ),
    "versions that fail": (
        [("tf.__version__", "tf.version")],
        r"tiny_bn\.py:\d+ `return .*` raised AttributeError: module 'tiny_framework' has no",
    ),
    # Program and its methods.
    "a class of another name": (
        [("class Program:", "class Adapter:")],
        r"no class `Program`\. Is it `Adapter`\?",
    ),
    "a constructor of arguments": (
        [("def __init__(self, layer):", "def __init__(self, channels, momentum, eps):")],
        r"Program wants `channels`, `momentum` and `eps`\. It is made with one argument",
    ),
    "a constructor of nothing": (
        [("def __init__(self, layer):", "def __init__(self):")],
        r"Program takes no argument\. It is made with the layer",
    ),
    "forward for call": (
        [("    def call(", "    def forward_("), ("    def forward(", "    def forward(")],
        r"no method `call`\. Is it `forward`\?",
    ),
    "no build": (
        [("def build(self):", "def make(self):")],
        r"no method `build`\. It gives the variables the initial values",
    ),
    "no observe": (
        [("def observe(self):", "def state(self):")],
        r"no method `observe`\. Is it `state`\? Rename that\.",
    ),
    "a step misspelt": (
        [("def set_trainable(", "def set_trainble(")],
        r"a method `set_trainble`, but the step is called `set_trainable`",
    ),
    "a parameter forgotten": (
        [("repeat, dx_weights):", "repeat):"), (" or dx_weights is not None", "")],
        r"`call` does not take `dx_weights`\. All are passed by name: def call\(self, x, training",
    ),
    "a parameter of another name": (
        [(CALL, CALL.replace("training", "is_training")), ("if training", "if is_training")],
        r"`call` does not take `training` and wants `is_training`",
    ),
    "build wants the shape": (
        [("def build(self):", "def build(self, shape):")],
        r"`build` wants `shape`, which the step does not have\. .* def build\(self\)",
    ),
    # NOT_EXPRESSIBLE.
    "a reason for a step that does not exist": (
        [(REASONS, REASONS + '    "compiling": "It has nothing to compile.",\n')],
        r"names 'compiling', which is no step\. Did you mean 'compile'\?",
    ),
    "a step without a reason": (
        [('"tiny_framework has no step that prepares a model for training."', "None")],
        r"NOT_EXPRESSIBLE gives 'compile' no reason",
    ),
    "a reason for what is written": (
        [(REASONS, REASONS + '    "set_trainable": "It cannot freeze anything.",\n')],
        r"`set_trainable` is a method and in NOT_EXPRESSIBLE too",
    ),
    "a list of reasons": (
        [(REASONS, 'NOT_EXPRESSIBLE = ["compile"]\n_ = {\n')],
        r"NOT_EXPRESSIBLE is a list instead of a dict",
    ),
    # Making and building.
    "the framework's name for decay": (
        [('if "decay" in layer:', "if True:"), ('1 - layer["decay"]', '1 - layer["momentum"]')],
        (
            r"raised KeyError: 'momentum'\. If that is meant of the layer: it has no 'momentum', "
            r"it has 'decay', the weight kept on the old running value\."
        ),
    ),
    "the layer as an object": (
        [
            ('tf.BatchNorm(layer["channels"]', "tf.BatchNorm(layer.channels"),
            ("with framework_call():\n            self.bn", "if True:\n            self.bn"),
        ],
        r'The layer is a dict: write layer\["channels"\], not layer\.channels',
    ),
    "an argument the framework does not have": (
        [
            ('"epsilon": "eps"', '"epsilon": "epsilon"'),
            ("with framework_call():\n            self.bn", "if True:\n            self.bn"),
        ],
        r"raised TypeError: .*unexpected keyword argument 'epsilon'",
    ),
    "an argument the framework refuses": (
        [('"epsilon": "eps"', '"epsilon": "epsilon"')],
        r"Asking for a plain layer, the framework refused to make it: .*unexpected keyword",
    ),
    "an argument the layer may lack": (
        [('if "decay" in layer:', "if True:")],
        (
            r"raised KeyError: 'decay'\. The layer holds only what the user wrote, and here that "
            r"is no decay\."
        ),
    ),
    "everything not expressible": (
        [('"decay", "center"', '"center"')],
        r"says of a plain layer that it is not expressible: .*has no argument for `decay`",
    ),
    "no reason": (
        [
            ('NotExpressible("tiny_framework has no such thing.")', "NotExpressible"),
            ("dx_weights is not None:", "dx_weights is not None or True:"),
        ],
        r"raised NotExpressible without a reason",
    ),
    "initial values forgotten": (
        [(BUILD, "            pass\n")],
        r"shows gamma \[1, 1, 1\], but the layer was given \[1\.5, 0\.5, -2\]\. Nor is .* assign",
    ),
    "two variables mixed up": (
        [(OBSERVED, f"{OBSERVED}        seen.update(running_mean=self.bn.var)\n")],
        r"shows running_mean .* That is its running_variance: two names are mixed up",
    ),
    # What is observed.
    "a framework's name for a variable": (
        [(OBSERVED, OBSERVED + '        seen["moving_mean"] = seen.pop("running_mean")\n')],
        r"shown as 'moving_mean'\. It is called 'running_mean' here",
    ),
    "another name for the variance": (
        [(OBSERVED, OBSERVED + '        seen["running_var"] = seen.pop("running_variance")\n')],
        r"shown as 'running_var'\. It is called 'running_variance' here",
    ),
    "a variable left out": (
        [(OBSERVED, OBSERVED + '        del seen["running_variance"]\n')],
        r"After `build`, `observe` shows no `running_variance`; there is `beta`, `gamma`, ",
    ),
    "nothing observed": (
        [(OBSERVED, "        return None\n" + OBSERVED)],
        r"`observe` must return a dict of arrays",
    ),
    "a variable that is None": (
        [(OBSERVED, OBSERVED + '        seen["gamma"] = None\n')],
        r"`gamma` is no array of numbers .*Leave out what does not exist",
    ),
    "no count of parameters": (
        [('{**seen, "trainable_parameters": 0 if self.bn.frozen else 2}', "seen")],
        r"`observe` shows no `trainable_parameters`.* count those of gamma and beta",
    ),
    "statistics counted as parameters": (
        [("else 2}", "else 4}")],
        r"counts 4 trainable_parameters .* running statistics never do",
    ),
    "variables with an axis too many": (
        [(OBSERVED, OBSERVED + '        seen["gamma"] = seen["gamma"][None]\n')],
        r"shows `gamma` of shape \(1, 3\) instead of \(3,\)\. Reshape it",
    ),
    "observed before it is built": (
        [("        if not self.built:\n            return {}\n", DELETED)],
        r"Before `build`, `observe` shows .* until `build` was called",
    ),
    # What a call shows.
    "an array instead of a dict": (
        [("        return seen\n\n    def forward", "        return output\n\n    def forward")],
        r"a step returned neither a dict nor nothing .* Return what it shows by name",
    ),
    "no output": (
        [(SEEN, "        seen = {}\n")],
        r"A training call shows no `output`; there is .*Return it from the step",
    ),
    "another name for the output": (
        [(SEEN, '        seen = {"y": output}\n')],
        r"shown as 'y'\. It is called 'output' here",
    ),
    "an output in another dtype": (
        [(SEEN, '        seen = {"output": output.astype("float64")}\n')],
        r"shows `output` in float64 instead of float32",
    ),
    "a name that nothing has": (
        [(SEEN, '        seen = {"output": output, "wibble": output}\n')],
        r"shown as 'wibble', which nothing is called\. What can be shown: output, ",
    ),
    "an output that is not moved back": (
        [(FORWARD, "            return self.bn(self.moved(x))\n")],
        (
            r"`output` of shape \(2, 3, 2, 3\) instead of \(2, 2, 3, 3\)\. The channels are second "
            r"there; move them back: np\.moveaxis\(output, 1, -1\)"
        ),
    ),
    "an input that is not moved": (
        [(FORWARD, "            return self.bn(x)\n")],
        r"refused step 2 .*expected 3 channels.* hand it np\.moveaxis\(x, -1, 1\)",
    ),
    "a dtype that is not handed on": (
        [
            (', "dtype": "dtype"}', "}"),
            ("OTHERS = {", 'OTHERS = {"dtype", '),
            ("np.array(self.layer[name])", "np.array(self.layer[name], np.float32)"),
        ],
        r"Asked for a float64 layer, `call` shows `output` in float32 instead of float64",
    ),
    "a mistake in the adapter's own code": (
        [("self.bn.train(VALUES_OF_TRAINING[training])", "self.bn.train(VALUES[training])")],
        r"tiny_bn\.py:\d+ `self\.bn\.train\(VALUES\[training\]\)` raised NameError",
    ),
    "a call that kills the process": (
        [(SEEN, SEEN + "        import os; os.kill(os.getpid(), 9)\n")],
        r"Asking for a plain layer ended the adapter's process\. .*SIGKILL",
    ),
    # Gradients.
    "gradients of no one": (
        [("        if dy is not None:\n", "        if False:\n")],
        r"Asked for gradients, `call` shows no `dx`",
    ),
    "a gradient left out": (
        [("seen.update(dgamma=dgamma, dbeta=dbeta)", "seen.update(dgamma=dgamma)")],
        r"Asked for gradients, `call` shows no `dbeta`",
    ),
    "a gradient that is not moved back": (
        [('seen["dx"] = self.back(dx)', 'seen["dx"] = dx.T')],
        r"shows `dx` of shape \(3, 4\) instead of \(4, 3\)\. It is transposed",
    ),
    "gradients nobody asked for": (
        [
            (
                "        if dy is not None:\n",
                "        dy = x if dy is None else dy\n        if True:\n",
            )
        ],
        r"A training call shows `dx`, `dgamma` and `dbeta`\. Return gradients only where",
    ),
    "the second order ignored": (
        [(" or dx_weights is not None", DELETED)],
        r"Asked for second-order gradients, `call` shows no `second_dx`",
    ),
    # Values.
    "decay handed on as momentum": (
        [(DECAY, '            arguments["momentum"] = layer["decay"]\n')],
        r"move as if `decay` were the weight of the new batch.* 1 - layer\[\"decay\"\]",
    ),
    "decay ignored": (
        [(DECAY, "            pass\n")],
        r"as if the layer's `decay` had not been written",
    ),
    "epsilon ignored": (
        [('"epsilon": "eps", ', DELETED), ("OTHERS = {", 'OTHERS = {"epsilon", ')],
        r"The output is that of another epsilon",
    ),
    "statistics that never move": (
        [
            (
                LOOP,
                "        before = self.bn.mean, self.bn.var\n"
                + LOOP
                + "        self.bn.mean, self.bn.var = before\n",
            )
        ],
        r"The running statistics never move",
    ),
    "everything run twice": (
        [("range(repeat)", "range(2 * repeat)")],
        r"Each call ran the layer twice",
    ),
    "run twice for the gradients": (
        [(GRADIENT, "            self.forward(x)\n" + GRADIENT)],
        r"A call with gradients ran the layer twice",
    ),
    "dy ignored": (
        [(GRADIENT, GRADIENT.replace("(dy)", "(np.ones_like(dy))"))],
        r"of sum\(output\), not of sum\(dy \* output\)",
    ),
    "the mean instead of the sum": (
        [(GRADIENT, GRADIENT.replace("(dy)", "(dy / dy.size)"))],
        r"The gradients are those of mean\(dy \* output\)",
    ),
    "gradients mixed up": (
        [("dgamma=dgamma, dbeta=dbeta", "dgamma=dbeta, dbeta=dgamma")],
        r"`dgamma` and `dbeta` are mixed up",
    ),
    "training and inference mixed up": (
        [("VALUES_OF_TRAINING[training])", "not VALUES_OF_TRAINING[training])")],
        r"Training and inference are mixed up",
    ),
    "never switched to inference": (
        [("self.bn.train(VALUES_OF_TRAINING[training])", "self.bn.train()")],
        r"Calls in inference do all that calls in training do",
    ),
    "reshaped instead of moved": (
        [
            ("np.moveaxis(x, -1, 1)", "x.reshape(x.shape[0], x.shape[-1], *x.shape[1:-1])"),
            ("np.moveaxis(x, 1, -1)", "x.reshape(x.shape[0], *x.shape[2:], x.shape[1])"),
        ],
        r"renamed by `reshape` instead of moved",
    ),
}
