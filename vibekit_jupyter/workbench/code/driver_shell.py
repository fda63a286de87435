"""The variables of the cells, and how a cell is run with them: by IPython where it is there.

This runs in the sandbox, with nothing but the standard library (3.8 and up). See ``driver_script``.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import linecache
import os
import subprocess
import sys
import tempfile
import types
import warnings
from typing import Any, NoReturn

from vibekit_jupyter.workbench.code.driver_forms import (
    figure_png,
    own_forms,
    plain_forms,
    sendable,
    told,
)


class Interpreter:
    """The variables, and how a cell is run with them."""

    def __init__(self, wire: Any, stdout: Any, stderr: Any) -> None:
        self.wire = wire
        self.count = 0
        self.loop: Any = None
        self.module = types.ModuleType("__main__")
        self.module.__dict__["__builtins__"] = builtins
        sys.modules["__main__"] = self.module
        self.names = self.module.__dict__
        self.streams = sys.stdout, sys.stderr = stdout, stderr
        sys.stdin = open(os.devnull)  # noqa: SIM115  # for the process's life
        builtins.input = no_input
        self.show_figures_in("_vibekit_figures")
        try:
            self.shell: Any = shell_of(self)
        except Exception:
            self.shell = None
            vars(builtins)["display"] = self.display

    def flush(self) -> None:
        """Send what was printed without a line's end."""
        for stream in self.streams:
            stream.flush()

    def show(self, bundle: dict[Any, Any], **more: Any) -> None:
        """Send a result in all its forms."""
        texts, left = sendable(bundle)
        if texts or left:
            self.flush()
            self.wire.send(show=texts, left=left, **more)

    def display(self, *values: Any, **_: Any) -> None:
        """Show values."""
        for value in values:
            self.show({**plain_forms(value), **own_forms(value)})

    def show_figures_in(self, name: str) -> None:
        """Make the module that matplotlib takes for its backend; it is drawn without a screen."""
        interpreter = self

        class Figures(types.ModuleType):
            def __getattr__(self, wanted: str) -> Any:
                if wanted not in ("FigureCanvas", "FigureManager"):
                    raise AttributeError(wanted)
                # matplotlib copies what the module holds, once it has asked for one of them.
                agg = importlib.import_module("matplotlib.backends.backend_agg")
                vars(self).update(
                    FigureCanvas=agg.FigureCanvasAgg,
                    FigureManager=agg.FigureCanvasAgg.manager_class,
                )
                return vars(self)[wanted]

        module = Figures(name)
        vars(module)["show"] = lambda *_, **__: interpreter.show_figures()
        sys.modules[name] = module
        os.environ.setdefault("MPLBACKEND", "module://" + name)

    def show_figures(self) -> None:
        """Show the figures that are open, and close them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            try:
                png = figure_png(figure)
            finally:
                pyplot.close(figure)  # one that cannot be drawn is not tried again
            self.show({"image/png": png, "text/plain": repr(figure)})

    def run(self, code: str) -> BaseException | None:
        """Run a cell; return the error that ended it, or None."""
        self.count += 1
        for name, stream in zip(("stdout", "stderr"), self.streams):  # noqa: B905  # it is not there in 3.8
            if not hasattr(getattr(sys, name, None), "write"):
                setattr(sys, name, stream)  # a cell before has taken it away
        error = self.run_by_shell(code) if self.shell else self.run_plainly(code)
        self.flush()
        if os.environ.get("MPLBACKEND") == "module://_vibekit_figures":
            try:
                self.show_figures()
            except Exception as undrawn:
                error = error or undrawn
        return error

    def run_by_shell(self, code: str) -> BaseException | None:
        """Run a cell as IPython does."""
        result = self.shell.run_cell(code, store_history=True)
        error: BaseException | None = result.error_before_exec or result.error_in_exec
        return error

    def run_plainly(self, code: str) -> BaseException | None:
        """Run a cell by the means of the language."""
        name = "<cell %d>" % self.count
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        try:
            tree = ast.parse(code, name)
            last = None
            if tree.body and isinstance(tree.body[-1], ast.Expr):
                last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]  # it is one
            self.evaluate(tree, name, "exec")
            if last is not None:
                value = self.evaluate(last, name, "eval")
                if value is not None and not code.rstrip().endswith(";"):
                    self.names["_"] = value
                    self.show({**plain_forms(value), **own_forms(value)}, result=True)
        except BaseException as error:
            return error
        return None

    def evaluate(self, tree: Any, name: str, mode: str) -> Any:
        """Run statements, or return what an expression is; both may await."""
        code = compile(tree, name, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        value = eval(code, self.names)
        if code.co_flags & 0x80:  # it awaits
            asyncio = importlib.import_module("asyncio")
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                asyncio.set_event_loop(self.loop)
            value = self.loop.run_until_complete(value)
        return value


def no_input(*_: Any) -> NoReturn:
    """Stand in for ``input``."""
    raise EOFError("a cell in the sandbox cannot ask for input")


def shell_of(interpreter: Interpreter) -> Any:
    """Return IPython's shell in this process, or raise where there is none."""
    interactive = importlib.import_module("IPython.core.interactiveshell")
    publishing = importlib.import_module("IPython.core.displaypub")
    hooks = importlib.import_module("IPython.core.displayhook")
    compiling = importlib.import_module("IPython.core.compilerop")
    importlib.import_module("IPython.core.history").HistoryManager.enabled = False

    class Publisher(publishing.DisplayPublisher):  # type: ignore[name-defined,misc]
        def publish(
            self, data: Any, *_: Any, transient: Any = None, update: bool = False, **__: Any
        ) -> None:
            display_id = (transient or {}).get("display_id")
            more = {"id": str(display_id)[:100], "update": bool(update)} if display_id else {}
            interpreter.show(data, **more)

        def clear_output(self, wait: Any = None) -> None:
            interpreter.flush()
            interpreter.wire.send(clear=bool(wait))

    class Hook(hooks.DisplayHook):  # type: ignore[name-defined,misc]
        def start_displayhook(self) -> None:
            pass

        write_output_prompt = finish_displayhook = start_displayhook

        def write_format_data(self, format_dict: Any, *_: Any) -> None:
            interpreter.show(format_dict, result=True)

    class Compiler(compiling.CachingCompiler):  # type: ignore[name-defined,misc]
        def get_code_name(self, *_: Any) -> str:
            return "<cell %d>" % interpreter.count

    class Shell(interactive.InteractiveShell):  # type: ignore[name-defined,misc]
        def showtraceback(self, exc_tuple: Any = None, *_: Any, **__: Any) -> None:
            if exc_tuple:  # a value that cannot say what it is: the cell goes on
                sys.stderr.write(told(exc_tuple[1])["traceback"])

        def showsyntaxerror(self, *_: Any, **__: Any) -> None:
            pass

        showindentationerror = showsyntaxerror

        def ask_exit(self, *_: Any) -> NoReturn:
            raise SystemExit

        def system(self, cmd: str) -> None:
            interpreter.flush()
            shell = ["/bin/bash", "-c", self.var_expand(cmd, depth=1)]
            self.user_ns["_exit_code"] = subprocess.call(shell)

        system_piped = system_raw = system

    shell = Shell.instance(
        user_module=interpreter.module,
        display_pub_class=Publisher,
        displayhook_class=Hook,
        compiler_class=Compiler,
        colors="NoColor",
        ipython_dir=os.path.join(tempfile.gettempdir(), ".vibekit-ipython-%d" % os.getuid()),
    )
    warnings.filterwarnings("ignore", message="To exit: use 'exit'")
    interpreter.names["__name__"] = "__main__"
    formatter = shell.display_formatter
    known = formatter.format

    def forms(value: Any, include: Any = None, exclude: Any = None) -> Any:
        data, more = known(value, include=include, exclude=exclude)
        return ({**data, **own_forms(value)} if data else data), more

    formatter.format = forms
    return shell
