"""Runs cells of Python, one after the other, in one process whose variables stay.

This runs in the sandbox, as ``python3 -c``, with nothing but the standard library (3.8 and up);
IPython is used where it is there. ``framing`` and ``told`` read what it says: lines of ASCII that
begin with a random mark, anywhere in what the cells print themselves. Requests come as lines of
JSON on the standard input, the first of which tells the mark.
"""

from __future__ import annotations

import ast
import base64
import builtins
import faulthandler
import importlib
import io
import json
import linecache
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings

# A pipe takes so much in one piece, whoever else writes into it.
PIECE = 3800
CUT = 64 * 1024
TICK = 0.05
TABLE = "application/vnd.vibekit.table+json"
ROWS = COLUMNS = 20
CELL = 100
MOST = {"image/png": 7000000, "image/jpeg": 7000000, "text/plain": 100000}
MOST_ELSE = 2100000
MOST_TYPES = 20
MOST_TRACEBACK = 20000
SAME_PRESS = 0.2
FRAMES = 30
OWN = "<vibekit>"


class Wire:
    """The way to whoever listens. A frame is one line, or several where it is long."""

    def __init__(self, out, errors, mark):
        self.out, self.errors, self.mark = out, errors, mark
        self.lock = threading.RLock()

    def raw(self, data):
        """Write bytes as they are."""
        with self.lock:
            view = memoryview(data)
            while view:
                view = view[os.write(self.out, view[:CUT]) :]

    def send(self, **frame):
        """Write a frame."""
        text = json.dumps(frame)
        pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
        with self.lock:
            for number, piece in enumerate(pieces):
                last = number == len(pieces) - 1
                kind = ("=" if last else "<") if number == 0 else (">" if last else "-")
                self.raw((self.mark + kind + piece + "\n").encode("ascii"))

    def bound(self, what, number, **more):
        """Tell where a request begins or ends on both ways out: the rest is told apart by it."""
        self.send(**{what: number}, **more)
        line = self.mark + "=" + json.dumps({what: number}) + "\n"
        try:
            os.write(self.errors, line.encode("ascii"))
        except OSError:
            pass  # the cell has closed it


class Stream(io.TextIOBase):
    """What a cell prints: on its way at each line's end, or a moment later."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, wire, name, number):
        self.wire, self.name, self.number = wire, "<%s>" % name, number
        self.parts, self.size = [], 0
        self.framed = name == "stderr"
        self.buffer = io.FileIO(number, "w", closefd=False)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        with self.wire.lock:
            self.parts.append(text)
            self.size += len(text)
            if "\n" in text or self.size > PIECE:
                self.flush()
        return len(text)

    def flush(self):
        with self.wire.lock:
            text, self.parts, self.size = "".join(self.parts), [], 0
            if not text:
                return
            if self.framed:
                for at in range(0, len(text), CUT):
                    self.wire.send(stderr=text[at : at + CUT])
            else:
                self.wire.raw(text.encode("utf-8", "backslashreplace"))

    def fileno(self):
        return self.number

    def writable(self):
        return True


def cell_text(value):
    """Return a table's cell as a short text."""
    text = "%.6g" % value if isinstance(value, float) else str(value)
    return text if len(text) <= CELL else text[: CELL - 1] + "\u2026"


def table_of(value):
    """Return the first rows and columns of a data frame as texts; None for anything else."""
    home = type(value).__module__.partition(".")[0]
    kind = type(value).__name__
    if home == "pandas" and kind in ("DataFrame", "Series"):
        frame = value.to_frame() if kind == "Series" else value
        head = frame.iloc[:ROWS, :COLUMNS]
        index = [cell_text(label) for label in head.index]
        columns = [head.iloc[:, at] for at in range(head.shape[1])]
        kinds = [str(getattr(column.dtype, "kind", "O")) for column in columns]
    elif home == "polars" and kind in ("DataFrame", "Series"):
        frame = value.to_frame() if kind == "Series" else value
        head = frame[:ROWS, :COLUMNS]
        index = None
        columns = [head[:, at] for at in range(head.shape[1])]
        kinds = ["i" if column.dtype.is_numeric() else "O" for column in columns]
    else:
        return None
    texts = [[cell_text(item) for item in column] for column in columns]
    return {
        "columns": [cell_text(name) for name in head.columns],
        "index": index,
        "rows": [[column[row] for column in texts] for row in range(head.shape[0])],
        "numeric": [one in "iufc" for one in kinds],
        "shape": [int(frame.shape[0]), int(frame.shape[1])],
    }


def figure_png(figure):
    """Return a matplotlib figure as PNG."""
    target = io.BytesIO()
    figure.savefig(target, format="png", bbox_inches="tight")
    return target.getvalue()


def own_forms(value):
    """Return the forms of a value that we know better than it does itself."""
    found = {}
    try:
        table = table_of(value)
        if table is not None:
            found[TABLE] = table
        backend = sys.modules.get("matplotlib.figure")
        if backend is not None and isinstance(value, backend.Figure):
            found["image/png"] = figure_png(value)
    except Exception:
        pass  # it has its words
    return found


def plain_forms(value):
    """Return what a value says of itself, where there is no IPython to ask it."""
    found = {"text/plain": repr(value)}
    for method, mime in (
        ("_repr_html_", "text/html"),
        ("_repr_markdown_", "text/markdown"),
        ("_repr_svg_", "image/svg+xml"),
        ("_repr_png_", "image/png"),
        ("_repr_jpeg_", "image/jpeg"),
        ("_repr_latex_", "text/latex"),
        ("_repr_json_", "application/json"),
        ("_repr_mimebundle_", ""),
    ):
        ask = getattr(type(value), method, None)
        if ask is None:
            continue
        try:
            told = ask(value)
        except Exception:
            continue
        if isinstance(told, tuple):
            told = told[0]
        if told is not None and mime:
            found[mime] = told
        elif isinstance(told, dict):
            found.update(told)
    return found


def sendable(bundle):
    """Return the forms that can be sent as texts, and the sizes of those that are too large."""
    texts, left = {}, {}
    for mime, value in list(bundle.items())[:MOST_TYPES]:
        if not isinstance(mime, str) or len(mime) > 200:
            continue
        if isinstance(value, (bytes, bytearray)):
            value = base64.b64encode(value).decode("ascii")
        elif not isinstance(value, str):
            try:
                value = json.dumps(value, default=str)
            except Exception:
                left[mime] = 0
                continue
        elif mime in ("image/png", "image/jpeg"):
            value = "".join(value.split())
        most = MOST.get(mime, MOST_ELSE)
        if mime == "text/plain" and len(value) > most:
            value = value[: most // 2] + "\n\u2026\n" + value[-most // 2 :]
        if len(value) > most:
            left[mime] = len(value)
        else:
            texts[mime] = value
    return texts, left


class Interpreter:
    """The variables, and how a cell is run with them."""

    def __init__(self, wire):
        self.wire = wire
        self.count = 0
        self.loop = None
        self.module = types.ModuleType("__main__")
        self.module.__builtins__ = builtins
        sys.modules["__main__"] = self.module
        self.names = self.module.__dict__
        self.streams = [Stream(wire, "stdout", 1), Stream(wire, "stderr", 2)]
        sys.stdout, sys.stderr = self.streams
        sys.stdin = open(os.devnull)
        builtins.input = no_input
        self.show_figures_in("_vibekit_figures")
        try:
            self.shell = shell_of(self)
        except Exception:
            self.shell = None
            builtins.display = self.display

    def flush(self):
        """Send what was printed without a line's end."""
        for stream in self.streams:
            stream.flush()

    def show(self, bundle, **more):
        """Send a result in all its forms."""
        texts, left = sendable(bundle)
        if texts or left:
            self.flush()
            self.wire.send(show=texts, left=left, **more)

    def display(self, *values, **_):
        """Show values."""
        for value in values:
            self.show({**plain_forms(value), **own_forms(value)})

    def show_figures_in(self, name):
        """Make the module that matplotlib takes for its backend; it is drawn without a screen."""
        interpreter = self

        class Figures(types.ModuleType):
            def __getattr__(self, wanted):
                if wanted.startswith("__"):
                    raise AttributeError(wanted)
                agg = importlib.import_module("matplotlib.backends.backend_agg")
                bases = importlib.import_module("matplotlib.backend_bases")
                if wanted == "FigureCanvas":
                    return agg.FigureCanvasAgg
                if wanted == "FigureManager":
                    return bases.FigureManagerBase
                raise AttributeError(wanted)

        module = Figures(name)
        module.show = lambda *_, **__: interpreter.show_figures()
        sys.modules[name] = module
        os.environ.setdefault("MPLBACKEND", "module://" + name)

    def show_figures(self):
        """Show the figures that are open, and close them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        for number in pyplot.get_fignums() if pyplot is not None else ():
            figure = pyplot.figure(number)
            png = figure_png(figure)
            pyplot.close(figure)
            self.show({"image/png": png, "text/plain": repr(figure)})

    def run(self, code):
        """Run a cell; return the error that ended it, or None."""
        self.count += 1
        error = self.run_by_shell(code) if self.shell else self.run_plainly(code)
        self.flush()
        if error is None and os.environ.get("MPLBACKEND") == "module://_vibekit_figures":
            self.show_figures()
        return error

    def run_by_shell(self, code):
        result = self.shell.run_cell(code, store_history=True)
        return result.error_before_exec or result.error_in_exec

    def run_plainly(self, code):
        name = "<cell %d>" % self.count
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        try:
            tree = ast.parse(code, name)
            last = None
            if tree.body and isinstance(tree.body[-1], ast.Expr):
                last = ast.Expression(tree.body.pop().value)
            self.evaluate(tree, name, "exec")
            if last is not None:
                value = self.evaluate(last, name, "eval")
                if value is not None and not code.rstrip().endswith(";"):
                    self.names["_"] = value
                    self.show({**plain_forms(value), **own_forms(value)}, result=True)
        except BaseException as error:
            return error
        return None

    def evaluate(self, tree, name, mode):
        code = compile(tree, name, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        value = eval(code, self.names)
        if code.co_flags & 0x80:  # it awaits
            asyncio = importlib.import_module("asyncio")
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                asyncio.set_event_loop(self.loop)
            value = self.loop.run_until_complete(value)
        return value


def no_input(*_):
    raise EOFError("a cell in the sandbox cannot ask for input")


def shell_of(interpreter):
    """Return IPython's shell in this process, or raise where there is none."""
    interactive = importlib.import_module("IPython.core.interactiveshell")
    publishing = importlib.import_module("IPython.core.displaypub")
    hooks = importlib.import_module("IPython.core.displayhook")
    compiling = importlib.import_module("IPython.core.compilerop")
    importlib.import_module("IPython.core.history").HistoryManager.enabled = False

    class Publisher(publishing.DisplayPublisher):
        def publish(self, data, *_, transient=None, update=False, **__):
            display_id = (transient or {}).get("display_id")
            more = {"id": str(display_id)[:100], "update": bool(update)} if display_id else {}
            interpreter.show(data, **more)

        def clear_output(self, wait=False):
            interpreter.flush()
            interpreter.wire.send(clear=bool(wait))

    class Hook(hooks.DisplayHook):
        def start_displayhook(self):
            pass

        write_output_prompt = finish_displayhook = start_displayhook

        def write_format_data(self, format_dict, md_dict=None):
            interpreter.show(format_dict, result=True)

    class Compiler(compiling.CachingCompiler):
        def get_code_name(self, raw_code, transformed_code, number):
            return "<cell %d>" % interpreter.count

    class Shell(interactive.InteractiveShell):
        def showtraceback(self, exc_tuple=None, *_, **__):
            if exc_tuple:  # a value that cannot say what it is: the cell goes on
                sys.stderr.write(told(exc_tuple[1])["traceback"])

        def showsyntaxerror(self, *_, **__):
            pass

        showindentationerror = showsyntaxerror

        def ask_exit(self, *_):
            raise SystemExit

        def system(self, cmd):
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

    def forms(value, include=None, exclude=None):
        data, more = known(value, include=include, exclude=exclude)
        return ({**data, **own_forms(value)} if data else data), more

    formatter.format = forms
    return shell


def without_own_frames(summary):
    """Take this program's frames out of an error, and out of those behind it."""
    for _ in range(FRAMES):
        if summary is None:
            return
        if summary.stack is not None:
            summary.stack[:] = [one for one in summary.stack if one.filename != OWN]
        summary = summary.__cause__ or summary.__context__


def told(error):
    """Return an error as it is told: its name, its words, its traceback from the cell on."""
    name = type(error).__name__
    try:
        value = str(error)
    except BaseException:
        value = ""
    behind = error.__traceback__
    while behind is not None and not behind.tb_frame.f_code.co_filename.startswith("<cell "):
        behind = behind.tb_next
    try:
        told_so = traceback.TracebackException(type(error), error, behind, limit=-FRAMES)
        without_own_frames(told_so)
        text = "".join(told_so.format())
    except BaseException:
        text = name
    if len(text) > MOST_TRACEBACK:
        text = text[: MOST_TRACEBACK // 4] + "\n\u2026\n" + text[-MOST_TRACEBACK * 3 // 4 :]
    return {"name": name[:200], "value": value[:2000], "traceback": text}


class Requests(threading.Thread):
    """Takes requests while a cell runs: those that wait in line, and an interrupt."""

    def __init__(self, source, wire):
        super().__init__(daemon=True)
        self.source, self.wire = source, wire
        self.waiting = queue.Queue()
        self.running = None
        self.dropped = set()
        self.interpreter = None
        self.pressed = 0.0
        self.main = threading.main_thread().ident

    def run(self):
        rest = b""
        while True:
            ready = select.select([self.source], [], [], TICK if self.waiting.unfinished_tasks else 10.0)[0]
            if not ready:
                if self.interpreter is not None:
                    self.interpreter.flush()
                continue
            data = os.read(self.source, CUT)
            if not data:
                os._exit(0)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                try:
                    self.take(json.loads(line))
                except Exception:
                    continue

    def take(self, request):
        if request["do"] == "interrupt":
            self.interrupt(request["id"])
        else:
            self.waiting.put(request)

    def interrupt(self, wanted):
        if self.running != wanted:
            self.dropped.add(wanted)
            return
        try:
            if os.getpgrp() == os.getpid():
                os.killpg(os.getpid(), signal.SIGINT)
        except OSError:
            pass
        signal.pthread_kill(self.main, signal.SIGINT)

    def handle(self, *_):
        """Break into the cell that runs, once a press."""
        now = time.monotonic()
        if self.interruptible and now - self.pressed > SAME_PRESS:
            self.pressed = now
            raise KeyboardInterrupt

    interruptible = False


def serve(requests, wire, actions):
    """Do what is asked for, one thing after the other."""
    home = os.getpid()
    while True:
        request = requests.waiting.get()
        number = requests.running = request["id"]
        if number in requests.dropped:
            requests.dropped.discard(number)
            wire.bound("begin", number)
            wire.bound("end", number, error=told(KeyboardInterrupt()))
        else:
            wire.bound("begin", number)
            error = None
            try:
                try:
                    requests.interruptible = True
                    error = actions[request["do"]](request)
                except BaseException as raised:
                    error = raised
                finally:
                    requests.interruptible = False
            except KeyboardInterrupt as late:
                error = error or late
            requests.interruptible = False
            requests.interpreter.flush()
            if os.getpid() != home:
                os._exit(0)  # a copy that the cell has made: the cell is not its
            answer = None if error is None else told(error)
            error = None
            wire.bound("end", number, error=answer)
        requests.waiting.task_done()


def main():
    out, errors, source = os.dup(1), os.dup(2), os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    first = b""
    while not first.endswith(b"\n"):
        first += os.read(source, 1) or os._exit(0)
    wire = Wire(out, errors, json.loads(first)["mark"])
    os.environ.pop("VIBEKIT_DRIVER", None)
    sys.argv = [""]
    try:
        faulthandler.enable(errors)
    except Exception:
        pass
    requests = Requests(source, wire)
    signal.signal(signal.SIGINT, requests.handle)
    requests.start()
    requests.interpreter = interpreter = Interpreter(wire)
    # What can be asked for; a request has the fields that its action reads.
    serve(requests, wire, {"run": lambda request: interpreter.run(request["code"])})


if __name__ == "__main__":
    main()
