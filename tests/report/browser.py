"""A page in Debian's chromium, spoken to over pipes: what a reader sees and does, without a library of its own.

The browser has no network (`--host-resolver-rules`), and every request, opened window, violation of the page's policy
and error is kept. Messages are the DevTools protocol's, ended by a zero byte, on the file descriptors 3 and 4.
"""

import base64
import contextlib
import fcntl
import itertools
import json
import math
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--autoplay-policy=no-user-gesture-required", "--mute-audio"),
    *("--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe"),
    "--disable-ipc-flooding-protection",  # tests go from fact to fact more than 200 times in ten seconds
)
PATIENCE = 120
"""Seconds after which what is waited for will not come: many times what any takes, as machines may be slow and busy."""


class Browser:
    """One tab. `problems`: errors and violations; `requests`: what was asked for beside the page; `windows`: opened."""

    def __init__(self, profile: Path) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        high = [fcntl.fcntl(one, fcntl.F_DUPFD, 64) for one in (theirs_in, theirs_out)]

        def place() -> None:
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=place,
            pass_fds=(3, 4),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for descriptor in (theirs_in, theirs_out, *high):
            os.close(descriptor)
        self._buffer = b""
        self._ids = itertools.count(1)
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.windows: list[str] = []
        self._session = ""
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.target = target
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")

    def look(
        self, width: int = 1440, height: int = 900, scheme: str = "light", colours: str = "none", media: str = ""
    ) -> None:
        """Size of the window in pixels, whether light or dark is preferred, whether `colours` are the reader's own
        ("active"), and the medium ("print")."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}  # what scrolls is there at once
        wanted["forced-colors"] = colours
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self._ask("Emulation.setEmulatedMedia", {"features": features, "media": media})

    def open(self, page: Path, address: str = "") -> None:
        """Opens a page and waits until it is ready."""
        self._ask("Page.navigate", {"url": "about:blank"})
        self._ask("Page.navigate", {"url": page.as_uri() + address})
        self.wait("document.documentElement?.dataset.ready === 'yes'")

    def wait(self, condition: str) -> None:
        """Waits until an expression is true."""
        self.hear(lambda: self.tell(f"Boolean({condition})"), condition)

    def hear(self, holds: Callable[[], bool], what: str) -> None:
        """Waits until something holds of what the browser tells by itself, such as `problems`; errors tell `what`."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"{what} did not come true; problems: {self.problems}")
            time.sleep(0.03)
            self.tell("0")  # what was told meanwhile is noted

    def draw(self, *parts: str) -> None:
        """Brings parts of the page into sight, one after another, and waits until each is drawn (none: all).

        What is drawn late above a figure moves it out of sight: it is brought back as long as it is waited for.
        """
        every = self.tell("[...document.querySelectorAll('main > section')].map((one) => one.id)")
        for part in parts or every:
            self.tell(f"document.getElementById('{part}').scrollIntoView({{behavior: 'instant'}})")
            own = f"document.getElementById('{part}')"
            if part in MADE:
                self.wait(f"{own}.querySelector('{MADE[part]}')")
            for place in range(self.tell(f"{own}.querySelectorAll('.plot').length")):
                plot = f"{own}.querySelectorAll('.plot')[{place}]"
                self.wait(f"({plot}.scrollIntoView({{behavior: 'instant'}}), {plot}.querySelector('.main-svg'))")

    def tell(self, expression: str) -> Any:
        """The value of an expression in the page."""
        found = self._ask("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in found:
            raise ValueError(json.dumps(found["exceptionDetails"])[:800])
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Presses a key, such as ArrowDown, Enter or Space."""
        text = {"Enter": "\r", "Space": " "}.get(key, key if len(key) == 1 else "")
        name = {"Space": " "}.get(key, key)
        for kind in ("keyDown", "keyUp"):
            about = {"type": kind, "key": name, "code": key, "windowsVirtualKeyCode": KEYS.get(key, 0)}
            self._ask("Input.dispatchKeyEvent", {**about, **({"text": text} if text and kind == "keyDown" else {})})

    def click(self, selector: str) -> None:
        """Clicks in the middle of an element."""
        x, y = self.point(selector)
        for kind in ("mousePressed", "mouseReleased"):
            about = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self._ask("Input.dispatchMouseEvent", about)

    def point(self, selector: str) -> tuple[float, float]:
        """Moves the pointer onto the middle of an element, which what is drawn late may move, and tells where."""
        x, y = math.nan, math.nan
        while (x, y) != (now := self._middle(selector)):
            x, y = now
            self._ask("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        return x, y

    def cpu_seconds(self) -> float:
        """Seconds that the tab's main thread has been busy since it was opened."""
        self._ask("Performance.enable", {"timeDomain": "threadTicks"})
        found = self._ask("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in found if one["name"] == "TaskDuration"))

    def scripts(self, wanted: str) -> None:
        """Whether scripts run: "on" or "off"."""
        self._ask("Emulation.setScriptExecutionDisabled", {"value": wanted == "off"})

    def save_to(self, folder: Path) -> None:
        """Where what the page saves is kept."""
        session, self._session = self._session, ""
        self._ask("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
        self._session = session

    def printed(self, path: Path) -> Path:
        """The page as it is printed on A4, as PDF."""
        about = {"printBackground": True, "paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
        path.write_bytes(base64.b64decode(self._ask("Page.printToPDF", about)["data"]))
        return path

    def picture(self, path: Path) -> Path:
        """A screenshot of what is seen, as PNG."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))
        return path

    def close(self) -> None:
        """Ends the browser."""
        with contextlib.suppress(OSError, TimeoutError):
            session, self._session = self._session, ""
            self._ask("Browser.close", seconds=5)
            self._session = session
        os.close(self._in)
        os.close(self._out)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _middle(self, selector: str) -> tuple[float, float]:
        chosen = f"document.querySelector({json.dumps(selector)})"
        self.tell(f"{chosen}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box = self.tell(
            f"(() => {{ const b = {chosen}.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; }})()"
        )
        return box[0] + box[2] / 2, box[1] + box[3] / 2

    def _ask(self, method: str, given: dict[str, Any] | None = None, seconds: float = 2 * PATIENCE) -> dict[str, Any]:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": given or {}}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + seconds
        while True:
            for event in self._read(end):
                if event.get("id") == number:
                    if "error" in event:
                        raise ValueError(f"{method}: {event['error']['message']}")
                    return dict(event["result"])
                self._note(event)

    def _read(self, end: float) -> list[dict[str, Any]]:
        if b"\0" not in self._buffer:
            if not select.select([self._in], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self._in, 1 << 20)
            if not data:
                raise OSError("the browser has ended")
            self._buffer += data
        *whole, self._buffer = self._buffer.split(b"\0")
        return [json.loads(one) for one in whole]

    def _note(self, event: dict[str, Any]) -> None:
        name, given = event.get("method", ""), event.get("params", {})
        if name == "Runtime.exceptionThrown":
            details = given["exceptionDetails"]
            self.problems.append(str(details.get("exception", {}).get("description", details.get("text"))))
        elif name == "Log.entryAdded":
            self.problems.append(str(given["entry"]["text"]))
        elif name == "Network.requestWillBeSent":
            url = str(given["request"]["url"])
            own = given.get("type") == "Document" and given.get("frameId") == self.target
            if not own and not url.startswith(("data:", "blob:")):
                self.requests.append(url)
        elif name == "Page.windowOpen":
            self.windows.append(str(given["url"]))


MADE = {"facts": "svg.map", "difference": "svg.map", "layers": "#layers-heading"}
"""What parts of the page have once they are drawn."""
KEYS = {
    **{"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40},
    **{"Enter": 13, "Space": 32, "Tab": 9, "Escape": 27, "Home": 36, "End": 35, "PageUp": 33, "PageDown": 34},
}


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in `folder`, ended afterwards."""
    one = Browser(folder / "profile")
    try:
        yield one
    finally:
        one.close()
