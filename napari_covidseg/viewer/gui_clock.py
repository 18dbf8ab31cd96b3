"""How long the GUI thread was held up: the longest wait between two ticks of a timer."""

from __future__ import annotations

import time
from types import TracebackType

from qtpy.QtCore import Qt, QTimer

TICK_MS = 5


class GuiClock:
    """Measure, as a context manager, the longest time that no event could be served.

    Attributes
    ----------
    longest : float
        Seconds on the wall, the tick itself left out. On a busy machine the wait for
        other programs counts too.
    busiest : float
        Seconds that the GUI thread itself computed at most between two ticks.

    Examples
    --------
    >>> with GuiClock() as clock:  # doctest: +SKIP
    ...     widget.run()
    ...     qtbot.waitUntil(idle)
    >>> clock.longest  # doctest: +SKIP
    0.031
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.busiest = 0.0
        self._last = self._last_busy = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)

    def __enter__(self) -> GuiClock:
        self._last, self._last_busy = time.perf_counter(), time.thread_time()
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tick()
        self._timer.stop()

    def _tick(self) -> None:
        now, busy = time.perf_counter(), time.thread_time()
        self.longest = max(self.longest, now - self._last - TICK_MS / 1000)
        self.busiest = max(self.busiest, busy - self._last_busy)
        self._last, self._last_busy = now, busy
