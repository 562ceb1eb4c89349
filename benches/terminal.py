"""A program on a pseudo-terminal, with what its screen shows and when: what the measuring scripts beside this file press keys in.

It understands as much of a terminal's language as the inspector speaks: text, places of the cursor, erasing, and the marks
around a frame that is to be shown as a whole. A frame counts when its last mark has been read. It answers where its cursor
is, which some programs ask first. Colours are left out.
"""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

# One control sequence, or a run of text without one. A sequence that is cut off waits for its rest.
PIECE = re.compile(r"\x1b\[([0-9;?<>=]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-Za-z]|\x1b[=>78cDEHM]|([^\x1b]+)")
FRAME_ENDS = "?2026l"


class Ended(Exception):
    """The program has ended, or has not shown in time what was waited for."""


class Terminal:
    """A program under way, started in `directory` on a terminal of `columns` by `rows`."""

    def __init__(self, command, columns=120, rows=40, directory=None):
        self.columns, self.rows = columns, rows
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.frames = 0
        # Whether the program marks its frames; of one that does not, all that came at once counts as a frame.
        self.marks = False
        self.letters = codecs.getincrementaldecoder("utf-8")("replace")
        self.rest = ""
        self.began = time.perf_counter()
        self.child, self.side = pty.fork()
        if self.child == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.chdir(directory or ".")
            os.environ.update(TERM="xterm-256color", LANG="C.UTF-8", LC_ALL="C.UTF-8")
            os.execvp(command[0], command)

    def text(self):
        """What the screen shows, line by line."""
        return "\n".join("".join(line).rstrip() for line in self.cells)

    def read(self, patience):
        """Takes in what comes within `patience` seconds; whether anything came."""
        if not select.select([self.side], [], [], max(patience, 0))[0]:
            return False
        try:
            got = os.read(self.side, 1 << 20)
        except OSError:
            got = b""
        if not got:
            raise Ended("the program has ended")
        self.take(got)
        self.frames += not self.marks
        return True

    def take(self, got):
        """Lays bytes that were read down in the cells."""
        said = self.rest + self.letters.decode(got)
        end = 0
        for piece in PIECE.finditer(said):
            if piece.start() != end:
                break
            end = piece.end()
            arguments, command, plain = piece.groups()
            if plain is not None:
                self.write(plain)
            elif command is not None:
                self.obey(arguments, command)
        self.rest = said[end:]

    def write(self, plain):
        for letter in plain:
            if letter == "\r":
                self.column = 0
            elif letter == "\n":
                self.row = min(self.row + 1, self.rows - 1)
            elif letter >= " ":
                if self.row < self.rows and self.column < self.columns:
                    self.cells[self.row][self.column] = letter
                self.column += 1

    def obey(self, arguments, command):
        if command == "H":
            row, _, column = arguments.partition(";")
            self.row, self.column = int(row or 1) - 1, int(column or 1) - 1
        elif command == "J":
            self.cells = [[" "] * self.columns for _ in range(self.rows)]
        elif command == "K" and self.row < self.rows:
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif arguments + command == FRAME_ENDS:
            self.marks = True
            self.frames += 1
        elif arguments + command == "6n":
            os.write(self.side, f"\x1b[{self.row + 1};{self.column + 1}R".encode())

    def press(self, keys):
        """Presses keys; when, by the clock of `time.perf_counter`."""
        now = time.perf_counter()
        os.write(self.side, keys.encode())
        return now

    def wait(self, holds, what, patience=30.0):
        """Waits for a whole frame of whose text `holds` is true; when it was there. `what` says it in words."""
        until = time.perf_counter() + patience
        seen = None
        while True:
            if seen != self.frames:
                seen = self.frames
                if seen and holds(self.text()):
                    return time.perf_counter()
            if time.perf_counter() > until:
                raise Ended(f"not shown within {patience:g} s: {what}; the screen shows:\n{self.text()}")
            self.read(until - time.perf_counter())

    def pause(self, seconds):
        """Takes in what comes for that long."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.read(until - time.perf_counter())

    def peak(self):
        """The largest resident set so far in KiB, pages of mapped files included."""
        return self.kib("status", "VmHWM:")

    def private(self):
        """What is resident now and nobody else's, in KiB."""
        return self.kib("smaps_rollup", "Private_Clean:") + self.kib("smaps_rollup", "Private_Dirty:")

    def kib(self, file, label):
        with open(f"/proc/{self.child}/{file}") as lines:
            for line in lines:
                if line.startswith(label):
                    return int(line.split()[1])
        raise Ended("the program has ended")

    def close(self, keys="q"):
        """Leaves by `keys`, or kills the program when it stays for ten seconds. The largest resident set of its life in KiB,
        of which this Python's own pages at the start are a floor."""
        until = time.perf_counter() + 10
        try:
            self.press(keys)
            while time.perf_counter() < until:
                self.read(0.2)
            os.kill(self.child, signal.SIGKILL)
        except (Ended, OSError):
            pass
        _, _, usage = os.wait4(self.child, 0)
        os.close(self.side)
        return usage.ru_maxrss
