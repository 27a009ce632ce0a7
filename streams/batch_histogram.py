"""A Prometheus histogram that takes a whole array of observations at once.

`prometheus_client.Histogram.observe` costs about a microsecond and a lock for each value; the tagger measures the
delay of every event of a step, some ten thousand at a time, so it counts them with numpy and takes the lock once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

__all__ = ["BatchHistogram"]


class BatchHistogram(Collector):
    """One histogram without labels; all methods may be called from any thread.

    `bounds_s` are the upper ends of the buckets in seconds, inclusive as Prometheus has it (`le`), strictly rising and
    finite; the last bucket, +Inf, is added. Raises ValueError for bounds that are not so, or a name already registered.
    """

    def __init__(self, name: str, documentation: str, bounds_s: Sequence[float], registry: CollectorRegistry) -> None:
        bounds = np.asarray(bounds_s, dtype=np.float64)
        if bounds.size == 0 or not np.isfinite(bounds).all() or (np.diff(bounds) <= 0).any():
            raise ValueError(f"{name}: bounds must be finite and strictly rising: {list(bounds_s)}")
        self.name = name
        self.documentation = documentation
        self._bounds_s = bounds
        self._labels = [repr(float(bound)) for bound in bounds_s] + ["+Inf"]
        self._counts = np.zeros(bounds.size + 1, dtype=np.int64)
        self._sum_s = 0.0
        self._lock = threading.Lock()
        registry.register(self)

    def observe_many(self, seconds: npt.NDArray[np.float64]) -> None:
        """Counts each value of a one-dimensional array. A negative one (clocks that differ) counts as 0, so that the
        sum never falls; NaN is a bug of the caller and raises ValueError before anything is counted."""
        if seconds.size == 0:
            return
        values = np.maximum(seconds, 0.0)
        total = float(values.sum())
        if np.isnan(total):
            raise ValueError(f"{self.name}: NaN observed")
        places = np.searchsorted(self._bounds_s, values, side="left")
        counts = np.bincount(places, minlength=self._counts.size)
        with self._lock:
            self._counts += counts
            self._sum_s += total

    def observe(self, seconds: float) -> None:
        """Counts one value."""
        self.observe_many(np.array([seconds], dtype=np.float64))

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The histogram as it stands, for one scrape."""
        with self._lock:
            cumulative = np.cumsum(self._counts)
            total = self._sum_s
        buckets = [(label, float(count)) for label, count in zip(self._labels, cumulative, strict=True)]
        return [HistogramMetricFamily(self.name, self.documentation, buckets=buckets, sum_value=total)]

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The name alone, so that the registry notices a second metric of that name."""
        return [HistogramMetricFamily(self.name, self.documentation)]
